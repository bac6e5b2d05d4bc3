//go:build linux

package main

import (
	"sync/atomic"
	"syscall"
	"time"
)

// origins are all servers of a run. Each answers a connection's first bytes with one byte, and closes it. They check the
// balancer's other promise: since an origin closes first, a server never sees more connections than its maxconn.
type origins struct {
	ports     []int
	poll      *poll
	listeners []int // by server
	server    map[int]int
	open      []int
	maxConn   int

	stopped atomic.Bool
	done    chan struct{}
	// Valid once done is closed.
	answered, over uint64
	err            error
}

// newOrigins opens servers; run serves them.
func newOrigins(from *ports, servers, maxConn int) (*origins, error) {
	p, err := newPoll()
	if err != nil {
		return nil, err
	}
	o := &origins{poll: p, server: map[int]int{}, open: make([]int, servers), maxConn: maxConn, done: make(chan struct{})}
	for range servers {
		fd, port, err := from.take()
		if err == nil {
			o.listeners, o.ports = append(o.listeners, fd), append(o.ports, port)
			err = p.add(fd, readable)
		}
		if err != nil {
			o.close()
			return nil, err
		}
	}
	return o, nil
}

// run serves until stop is called.
func (o *origins) run() {
	defer close(o.done)
	defer o.close()
	listeners := map[int]int{}
	for i, fd := range o.listeners {
		listeners[fd] = i
	}
	for !o.stopped.Load() && o.err == nil {
		events, err := o.poll.wait(50 * time.Millisecond)
		if err != nil {
			o.err = err
		}
		for _, e := range events {
			if server, listening := listeners[int(e.Fd)]; listening {
				o.accept(server)
			} else {
				o.serve(int(e.Fd))
			}
		}
	}
}

// stop ends run and waits for it.
func (o *origins) stop() {
	o.stopped.Store(true)
	<-o.done
}

func (o *origins) close() {
	for fd := range o.server {
		syscall.Close(fd)
	}
	for _, fd := range o.listeners {
		syscall.Close(fd)
	}
	o.poll.close()
}

func (o *origins) accept(server int) {
	for {
		fd, _, err := syscall.Accept4(o.listeners[server], syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			return // nobody, or gone: the client will tell
		}
		o.server[fd] = server
		if o.open[server]++; o.open[server] > o.maxConn {
			o.over++
		}
		if o.serve(fd) {
			if err := o.poll.add(fd, readable); err != nil {
				o.err = err
				return
			}
		}
	}
}

// serve reads a request and answers. False: the connection is over.
func (o *origins) serve(fd int) bool {
	var request [64]byte
	n, err := syscall.Read(fd, request[:])
	if err != nil && again(err) {
		return true
	}
	if n > 0 {
		if _, err := syscall.Write(fd, request[:1]); err == nil {
			o.answered++
		}
	}
	o.open[o.server[fd]]--
	delete(o.server, fd)
	syscall.Close(fd)
	return false
}
