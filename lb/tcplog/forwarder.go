package tcplog

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// forwarder carries a buffer's lines to one server, from a goroutine of its own.
//
// It connects at once, and again a second after a connection ended or could not be made. A line is sent again unless it was
// handed to the kernel as a whole; what the kernel held when a connection broke is lost, and nobody can count it.
type forwarder struct {
	buffer   *Buffer
	server   BufferServer
	follower *Follower
	ctx      context.Context
	end      context.CancelFunc
	ended    chan struct{}

	away    atomic.Bool // the server cannot be reached, or went away
	sending atomic.Bool // lines were read and are not sent yet

	// The goroutine's own.
	lines   []byte // as they are in the buffer
	framed  []byte // as they are sent
	ends    []int  // of each line in framed
	trouble string // what was told last; empty: all is well
}

// forwardPause is the time between two tries to connect.
const forwardPause = time.Second

func newForwarder(b *Buffer, server BufferServer) *forwarder {
	f := &forwarder{buffer: b, server: server, follower: b.Follow(false), ended: make(chan struct{}), lines: make([]byte, 0, 16<<10)}
	f.ctx, f.end = context.WithCancel(context.Background())
	go f.run()
	return f
}

func (f *forwarder) run() {
	defer close(f.ended)
	for f.ctx.Err() == nil {
		conn, err := f.dial()
		if err == nil {
			f.tell("")
			err = f.serve(conn)
		}
		f.away.Store(true)
		if f.ctx.Err() != nil {
			break
		}
		f.tell(err.Error())
		select {
		case <-time.After(forwardPause):
		case <-f.ctx.Done():
		}
	}
	if lost := f.follower.left() + uint64(len(f.ends)); lost > 0 {
		f.buffer.shipper.drop(DropClosed, int(lost))
	}
}

// tell tells what is wrong, or that it is well again, once.
func (f *forwarder) tell(trouble string) {
	if (trouble == "") == (f.trouble == "") {
		return
	}
	f.trouble = trouble
	text := fmt.Sprintf("Ring %s: log server %s takes lines again.", f.buffer.options.Name, f.server.Name)
	if trouble != "" {
		text = fmt.Sprintf("Ring %s: log server %s gets no lines: %s.", f.buffer.options.Name, f.server.Name, trouble)
	}
	if f.buffer.options.Tell != nil {
		f.buffer.options.Tell(text)
	}
}

func (f *forwarder) dial() (net.Conn, error) {
	dialer := net.Dialer{Timeout: f.buffer.options.ConnectTimeout}
	return dialer.DialContext(f.ctx, f.server.Network, f.server.Address)
}

// serve sends until the connection breaks or the buffer ends.
func (f *forwarder) serve(conn net.Conn) (broken error) {
	var reader sync.WaitGroup
	gone := make(chan struct{})
	reader.Go(func() { // a log server says nothing; that it closes is heard here
		io.Copy(io.Discard, conn)
		close(gone)
	})
	defer reader.Wait()
	defer conn.Close()
	stop := context.AfterFunc(f.ctx, func() { conn.Close() })
	defer stop()
	f.away.Store(false)
	for {
		if len(f.ends) == 0 && !f.fetch() {
			select {
			case <-f.follower.Changed():
				continue
			case <-gone:
				return io.EOF
			case <-f.ctx.Done():
				return f.ctx.Err()
			}
		}
		if limit := f.buffer.options.WriteTimeout; limit > 0 {
			conn.SetWriteDeadline(time.Now().Add(limit))
		}
		n, err := conn.Write(f.framed)
		f.sent(n)
		if err != nil {
			return err
		}
	}
}

// fetch reads the next lines; false: there are none.
func (f *forwarder) fetch() bool {
	f.sending.Store(true) // before they are taken out of what the follower has left: see idle
	var lost uint64
	f.lines, lost = f.follower.Read(f.lines[:0])
	if lost > 0 {
		f.buffer.dropped.Add(lost)
		f.buffer.shipper.drop(DropTargetBusy, int(lost))
	}
	f.framed, f.ends = f.framed[:0], f.ends[:0]
	for rest := f.lines; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n') + 1
		line := rest[:n]
		rest = rest[n:]
		if f.server.OctetCounting {
			line = line[:n-1]
			f.framed = append(strconv.AppendInt(f.framed, int64(len(line)), 10), ' ')
		}
		f.framed = append(f.framed, line...)
		f.ends = append(f.ends, len(f.framed))
	}
	f.sending.Store(len(f.ends) > 0)
	return len(f.ends) > 0
}

// sent takes away the lines that are within the first n bytes. One that is not whole will be sent again from its beginning.
func (f *forwarder) sent(n int) {
	done, size := 0, 0
	for done < len(f.ends) && f.ends[done] <= n {
		size = f.ends[done]
		done++
	}
	f.framed = append(f.framed[:0], f.framed[size:]...)
	f.ends = append(f.ends[:0], f.ends[done:]...)
	for i := range f.ends {
		f.ends[i] -= size
	}
	f.sending.Store(len(f.ends) > 0)
}

// idle: everything is sent, or cannot be.
func (f *forwarder) idle() bool {
	return f.away.Load() || f.follower.left() == 0 && !f.sending.Load()
}

func (f *forwarder) close() {
	f.end()
	<-f.ended
}
