package flow

import "sync/atomic"

// What an operator changes while the loops run.

func (p *Process) limit() int64  { return atomic.LoadInt64(&p.MaxConn) }
func (f *Frontend) limit() int64 { return atomic.LoadInt64(&f.MaxConn) }

// Limit is the number of flows that the process may have now. Any goroutine may call it.
func (p *Process) Limit() int64 { return p.limit() }

// Limit is the number of flows that the frontend may have now. Any goroutine may call it.
func (f *Frontend) Limit() int64 { return f.limit() }

// SetMaxConn changes the process's limit. Flows above a lowered one are let finish; who waits for a raised one is woken. Any
// goroutine may call it.
func (p *Process) SetMaxConn(n int64) {
	atomic.StoreInt64(&p.MaxConn, n)
	for _, f := range p.frontends {
		f.resume()
	}
}

// SetMaxConn is the same for the frontend's limit.
func (f *Frontend) SetMaxConn(n int64) {
	atomic.StoreInt64(&f.MaxConn, n)
	f.resume()
}

// Hold ends accepting for as long as the operator wants. What the kernel has accepted already is taken first, as far as the
// limits allow. Once all acceptors of a listener hold, Suspend closes its port. Call both on the loop's thread.
func (a *Acceptor) Hold() {
	if a.stopped || a.held {
		return
	}
	a.drain()
	a.held = true
	a.loop.Disarm(&a.timer)
	a.paused.Store(false)
	if a.watch != nil {
		a.loop.Pause(a.watch)
	}
}

// Suspend makes the listener take no more connections: the kernel refuses them.
func (a *Acceptor) Suspend() error {
	if a.stopped || a.listener == nil {
		return nil
	}
	return a.listener.Suspend()
}

// Listen ends what Suspend has begun. Call it on the loop's thread, before Accept of any acceptor of the listener.
func (a *Acceptor) Listen() error {
	if a.stopped || a.listener == nil {
		return nil
	}
	return a.listener.Listen()
}

// Accept ends what Hold has begun. Call it on the loop's thread.
func (a *Acceptor) Accept() {
	if a.held {
		a.held = false
		a.resumeWatch()
	}
}

// Frontend is the one that the acceptor accepts for.
func (a *Acceptor) Frontend() *Frontend { return a.bind.Frontend }
