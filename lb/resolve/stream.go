package resolve

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxQueued bounds the questions that wait for a connection's writer.
	maxQueued = maxRunning
	// idle is how long a connection is kept without a question (RFC 7766, 6.2.3: on the order of seconds).
	idle = 5 * time.Second
	// dialTime bounds a connect.
	dialTime = 5 * time.Second
)

var errQueueFull = errors.New("too many questions wait for the connection")

// stream sends to one name server over TCP: one connection, on which questions follow one another without waiting for the
// answers (RFC 7766, 6.2.1.1). It belongs to the loop's goroutine; a connection has goroutines that write and read.
type stream struct {
	loop   *loop
	server *nameServer
	addr   netip.AddrPort
	conn   *connection // nil: none, or the last one has ended
}

// connection is one TCP connection, from before its connect to after its end.
type connection struct {
	queue  chan []byte
	cancel context.CancelFunc
	ctx    context.Context

	mu     sync.Mutex
	closed bool // takes no more questions
}

func (s *stream) send(query []byte) (way, error) {
	if s.conn == nil || !s.conn.push(query) {
		if s.conn != nil && s.conn.ctx.Err() == nil && !s.conn.isClosed() {
			return nil, errQueueFull
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.conn = &connection{queue: make(chan []byte, maxQueued), ctx: ctx, cancel: cancel}
		s.conn.push(query)
		c := s.conn
		s.loop.all.Go(func() { s.serve(c) })
	}
	return s.conn, nil
}

// push queues a question; false: the connection takes none.
func (c *connection) push(query []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	select {
	case c.queue <- query:
		return true
	default:
		return false
	}
}

func (c *connection) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// end takes no more questions, tells whoever waits, and is done once.
func (s *stream) end(c *connection) {
	c.mu.Lock()
	was := c.closed
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	if !was {
		s.loop.report(event{server: s.server, via: c, broken: true})
	}
}

// serve connects, and writes what is queued until the connection ends or has been idle.
func (s *stream) serve(c *connection) {
	defer s.end(c)
	dialer := net.Dialer{Timeout: dialTime}
	conn, err := dialer.DialContext(c.ctx, "tcp", s.addr.String())
	if err != nil {
		return
	}
	defer conn.Close()
	s.loop.all.Go(func() { s.read(c, conn) })
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-timer.C:
			return
		case query := <-c.queue:
			timer.Reset(idle)
			framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(query)), uint16(len(query)))
			conn.SetWriteDeadline(time.Now().Add(dialTime))
			if _, err := conn.Write(append(framed, query...)); err != nil {
				return
			}
		}
	}
}

func (s *stream) read(c *connection, conn net.Conn) {
	defer s.end(c)
	var size [2]byte
	for {
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		raw := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, raw); err != nil {
			return
		}
		if !s.loop.report(event{server: s.server, via: c, raw: raw}) {
			return
		}
	}
}

func (s *stream) close() {
	if s.conn != nil {
		s.conn.cancel()
	}
}
