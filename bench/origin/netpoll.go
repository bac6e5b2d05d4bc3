//go:build linux

package origin

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/cloudwego/netpoll"

	"github.com/sluice-lb/sluice/bench/frame"
)

// serveNetpoll serves the listeners until stop is called.
func (s *server) serveNetpoll(listeners []net.Listener) (stop func(), err error) {
	quiet()
	var loops []netpoll.EventLoop
	var serving sync.WaitGroup
	for i, plain := range listeners {
		loop, err := netpoll.NewEventLoop(onRequest, netpoll.WithOnPrepare(s.prepare(i)))
		if err != nil {
			return nil, fmt.Errorf("origin: %w", err)
		}
		converted, err := newListener(plain.(*net.TCPListener))
		if err != nil {
			return nil, fmt.Errorf("origin: %w", err)
		}
		loops = append(loops, loop)
		serving.Go(func() { _ = loop.Serve(converted) }) // ends at Shutdown
	}
	return func() {
		// Connections without a request under way are closed at once; the others get a moment, and then do not matter.
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		for _, loop := range loops {
			serving.Go(func() { _ = loop.Shutdown(ctx) })
		}
		serving.Wait()
	}, nil
}

// quiet stops netpoll from writing a line for every reset connection. Its logger is a variable without a lock.
var quiet = sync.OnceFunc(func() { netpoll.SetLoggerOutput(io.Discard) })

// session is what an origin keeps of one connection. It is the context that netpoll gives to onRequest, which runs for one
// connection once at a time.
type session struct {
	context.Context
	server  *server
	address int
	// body is how many bytes of the request are still to come; response and closing are what it asked for.
	inBody   bool
	body     int
	response uint32
	closing  bool
}

func (s *server) prepare(address int) netpoll.OnPrepare {
	return func(connection netpoll.Connection) context.Context {
		s.connections.Add(1)
		return &session{Context: context.Background(), server: s, address: address}
	}
}

// onRequest takes what has been read, and answers each request that is whole. netpoll calls it again when there is more.
func onRequest(ctx context.Context, connection netpoll.Connection) error {
	c := ctx.(*session)
	reader := connection.Reader()
	for reader.Len() > 0 {
		if !c.inBody {
			header, err := reader.Next(frame.Header) // waits if only a part is there
			if err != nil {
				return err
			}
			request, response, closing, right := frame.Parse(header)
			if !right {
				c.server.errors.Add(1)
				return connection.Close()
			}
			c.server.bytesIn.Add(frame.Header)
			if request == frame.Endless || response == frame.Endless {
				return c.stream(connection, request, response)
			}
			c.inBody, c.body, c.response, c.closing = true, int(request)-frame.Header, response, closing
		}
		if n := min(c.body, reader.Len()); n > 0 {
			if err := reader.Skip(n); err != nil {
				return err
			}
			c.server.bytesIn.Add(uint64(n))
			c.body -= n
		}
		if err := reader.Release(); err != nil {
			return err
		}
		if c.body == 0 {
			c.inBody = false
			if err := c.respond(connection); err != nil {
				return connection.Close()
			}
			if c.closing {
				return connection.Close()
			}
		}
	}
	return nil
}

// filler is what responses are made of. Nobody writes to it.
var filler = make([]byte, 256<<10)

func (c *session) respond(connection netpoll.Connection) error {
	s := c.server
	s.enter()
	defer s.serving.Add(-1)
	s.wait()
	s.requests.Add(1)
	s.byAddress[c.address].Add(1)
	if c.response == 0 {
		return nil
	}
	writer := connection.Writer()
	for left := int(c.response); left > 0; {
		n := min(left, len(filler))
		if left == int(c.response) { // the first piece has the tag
			n = min(left, 4<<10)
			piece, err := writer.Malloc(n)
			if err != nil {
				return err
			}
			clear(piece[copy(piece, c.tag()):])
		} else if _, err := writer.WriteBinary(filler[:n]); err != nil {
			return err
		}
		left -= n
		if left == 0 || n == len(filler) {
			if err := writer.Flush(); err != nil { // waits until the kernel has it all
				return err
			}
		}
		s.bytesOut.Add(uint64(n))
	}
	return nil
}

// tag is what the response begins with: the header's second half.
func (c *session) tag() []byte {
	var header [frame.Header]byte
	frame.Put(header[:], 0, c.response, c.closing)
	if c.response < 4 {
		return nil
	}
	return header[4:]
}

// enter counts a request in service.
func (s *server) enter() {
	now := s.serving.Add(1)
	for most := s.mostAtOnce.Load(); now > most && !s.mostAtOnce.CompareAndSwap(most, now); most = s.mostAtOnce.Load() {
	}
}

// wait is the delay of a response, and the stall.
func (s *server) wait() {
	if s.spec.Delay > 0 {
		time.Sleep(s.spec.Delay)
	}
	if s.spec.StallFor > 0 {
		since := time.Since(s.started)
		if since >= s.spec.StallAfter && since < s.spec.StallAfter+s.spec.StallFor {
			time.Sleep(s.spec.StallAfter + s.spec.StallFor - since)
		}
	}
}

// stream takes the connection from netpoll and serves it by itself.
func (c *session) stream(connection netpoll.Connection, request, response uint32) error {
	c.server.requests.Add(1)
	c.server.byAddress[c.address].Add(1)
	fd := connection.(netpoll.Conn).Fd()
	err := connection.AddCloseCallback(func(connection netpoll.Connection) error {
		// netpoll does not watch the socket any more, and does not close it.
		c.server.bytesIn.Add(uint64(connection.Reader().Len()))
		file := os.NewFile(uintptr(fd), "stream")
		plain, err := net.FileConn(file)
		file.Close()
		if err != nil {
			c.server.errors.Add(1)
			return err
		}
		c.server.stream(plain.(*net.TCPConn), request == frame.Endless, response == frame.Endless, binary.BigEndian.AppendUint32(nil, response))
		return nil
	})
	if err != nil {
		return err
	}
	return connection.(interface{ Detach() error }).Detach()
}
