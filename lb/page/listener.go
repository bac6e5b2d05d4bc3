package page

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/sluice-lb/sluice/lb/stats"
)

// Counts is what a server's connections are counted in. Bytes are those of the connection.
type Counts struct {
	Stats *stats.Counters // of one shard
	Flows *stats.Gauge
}

// listener accepts within a limit, counts, and can rest.
type listener struct {
	net.Listener
	places *places // shared by all listeners of a server
	counts []Counts
	server *Server
}

// acceptPause is how long accepting rests when it fails: descriptors have run out.
const acceptPause = 100 * time.Millisecond

// Accept gives the next connection, once there is a place for it and the server does not rest.
func (l *listener) Accept() (net.Conn, error) {
	if !l.places.take() {
		return nil, net.ErrClosed
	}
	for {
		if !l.server.awake() {
			l.places.give()
			return nil, net.ErrClosed
		}
		conn, err := l.Listener.Accept()
		switch {
		case err == nil:
			if !l.server.awake() { // a unix socket goes on listening: who comes there while it rests waits
				conn.Close()
				l.places.give()
				return nil, net.ErrClosed
			}
			for _, c := range l.counts {
				c.Stats.Add(0, stats.Connections, 1)
				c.Flows.Add(1)
			}
			return &counted{Conn: conn, listener: l}, nil
		case errors.Is(err, net.ErrClosed):
			l.places.give()
			return nil, err
		}
		select {
		case <-time.After(acceptPause):
		case <-l.server.stopped:
		}
	}
}

// counted is a connection that counts.
type counted struct {
	net.Conn
	listener *listener
	once     sync.Once
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for _, x := range c.listener.counts {
		x.Stats.Add(0, stats.BytesIn, uint64(n))
	}
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	for _, x := range c.listener.counts {
		x.Stats.Add(0, stats.BytesOut, uint64(n))
	}
	return n, err
}

func (c *counted) Close() error {
	c.once.Do(func() {
		for _, x := range c.listener.counts {
			x.Flows.Add(-1)
		}
		c.listener.places.give()
	})
	return c.Conn.Close()
}

// places are those of a bounded number of connections.
type places struct {
	mu     sync.Mutex
	freed  sync.Cond
	taken  int
	limit  int
	closed bool
}

func newPlaces(limit int) *places {
	p := &places{limit: limit}
	p.freed.L = &p.mu
	return p
}

// take waits for a place; false: there will be none any more.
func (p *places) take() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.taken >= p.limit && !p.closed {
		p.freed.Wait()
	}
	if p.closed {
		return false
	}
	p.taken++
	return true
}

func (p *places) give() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	p.freed.Signal()
}

func (p *places) set(limit int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = limit
	p.freed.Broadcast()
}

func (p *places) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.freed.Broadcast()
}
