package flow

import (
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/poller"
)

// Acceptor is one loop's share of one listener. Its loop owns it, but for paused.
type Acceptor struct {
	loop     *Loop
	bind     *Bind
	listener *poller.Listener
	watch    *poller.Acceptor
	timer    poller.Timer
	mail     poller.Mail
	batch    int           // connections that the last turns found waiting
	taken    *atomic.Int64 // see CountTaken; may be nil

	// paused is set by the loop when a limit stops it, and cleared by whoever posts the mail that resumes it: the loop
	// first sets it and then looks at the limits again, a flow that ends first lowers the count and then looks at
	// paused; one of the two sees the other.
	paused  atomic.Bool
	stopped bool
	held    bool // by the operator: see Hold
}

// NewAcceptor makes loop l accept for b from ln, or from nothing until Move if that is nil. Call it before the loops run; the watch
// begins with Start.
func NewAcceptor(l *Loop, b *Bind, ln *poller.Listener) *Acceptor {
	a := &Acceptor{loop: l, bind: b, listener: ln}
	a.timer.Owner = a
	a.mail.To = a
	b.Frontend.acceptors = append(b.Frontend.acceptors, a)
	if t := b.Tenant; t != nil && !slices.Contains(t.frontends, b.Frontend) {
		t.frontends = append(t.frontends, b.Frontend)
	}
	if ln != nil {
		ln.Join()
	}
	return a
}

// CountTaken makes the acceptor count at n, too, what it accepts. Several of a loop may count at the same place. Call it before Start.
func (a *Acceptor) CountTaken(n *atomic.Int64) { a.taken = n }

// Start begins to accept. Call it on the loop's thread.
func (a *Acceptor) Start() error {
	if a.listener == nil {
		return nil
	}
	var err error
	a.watch, err = a.loop.Accepting(a.listener, a)
	return err
}

// Stop ends accepting for good. What the kernel has already accepted for us is taken first, as far as the limits allow:
// closing the listener would reset it. The last acceptor of a listener closes it. Call it on the loop's thread; again, it does
// nothing.
func (a *Acceptor) Stop() {
	if a.stopped {
		return
	}
	a.drain()
	a.stopped = true
	a.loop.Disarm(&a.timer)
	if a.watch != nil {
		a.loop.Pause(a.watch)
	}
	if a.listener != nil {
		a.listener.Leave()
	}
}

// Move makes the acceptor accept from another listener, which counts it already (poller.Listener.Join), or with nil from none
// until the next. What the old one has accepted is taken first, as far as the limits allow; the last acceptor that leaves it
// closes it. Call it on the loop's thread.
func (a *Acceptor) Move(ln *poller.Listener) error {
	if a.stopped {
		if ln != nil {
			ln.Leave()
		}
		return nil
	}
	if a.watch != nil {
		a.drain()
		a.loop.Pause(a.watch)
	}
	if a.listener != nil {
		a.listener.Leave()
	}
	a.loop.Disarm(&a.timer)
	a.paused.Store(false)
	a.listener, a.watch = ln, nil
	if ln == nil {
		return nil
	}
	if a.held {
		if err := ln.Suspend(); err != nil {
			return err
		}
	}
	err := a.Start()
	if a.held && err == nil {
		a.loop.Pause(a.watch)
	}
	return err
}

// drain takes what the kernel has accepted.
func (a *Acceptor) drain() {
	for a.watch != nil && !a.held && !a.paused.Load() && !a.timer.Armed() && a.acceptOne() {
	}
}

// defaultMaxAccept is the number of connections taken from one listener in a turn where tune.maxaccept says nothing: a
// storm must not keep the loop from its flows.
const defaultMaxAccept = 64

// Ready takes a bounded batch of connections. The watch is level-triggered, so what is left is reported again; therefore
// the last call that would only hear EAGAIN is saved by stopping where the last turn stopped.
func (a *Acceptor) Ready(poller.Events) {
	most := a.loop.process.MaxAccept
	if most == 0 {
		most = defaultMaxAccept
	}
	taken := 0
	for ; most < 0 || taken < most; taken++ {
		if taken > 0 && taken == a.batch {
			a.batch++ // perhaps more are waiting: the next turn finds out
			return
		}
		if !a.acceptOne() {
			break
		}
	}
	a.batch = max(taken, 1)
}

// acceptOne claims a place within every limit, accepts, and starts the flow. False: no more for now.
func (a *Acceptor) acceptOne() bool {
	b := a.bind
	if !a.claim() {
		a.count(stats.LimitReached)
		a.loop.Pause(a.watch)
		a.paused.Store(true)
		if !a.room() || !a.paused.CompareAndSwap(true, false) {
			return false
		}
		a.loop.Resume(a.watch)
		return true
	}
	if wait := a.allow(); wait > 0 {
		b.release()
		a.count(stats.RateReached)
		a.pauseFor(wait)
		return false
	}
	var socket poller.Socket
	peer, errno := a.loop.Accept(a.watch, &socket)
	if errno != 0 {
		a.bind.release()
		a.disallow()
		a.acceptFailed(errno)
		return errno == poller.ECONNABORTED
	}
	b.raise()
	a.count(stats.Connections)
	b.Stats.Add(a.loop.ID, stats.Connections, 1)
	if a.taken != nil {
		a.taken.Add(1)
	}
	a.loop.begin(b, socket, peer)
	return true
}

// count counts for the frontend, and the tenant if there is one.
func (a *Acceptor) count(id stats.ID) {
	a.bind.Frontend.Stats.Add(a.loop.ID, id, 1)
	if t := a.bind.Tenant; t != nil {
		t.Stats.Add(a.loop.ID, id, 1)
	}
}

// rates are those that a connection has to stay within; nil: none.
func (a *Acceptor) rates() (list [4]*Rate) {
	p := a.loop.process
	list[0] = a.bind.Frontend.Rate
	if t := a.bind.Tenant; t != nil {
		list[1] = t.Rate
	}
	for i, r := range [...]*Rate{&p.ConnectionRate, &p.SessionRate} {
		if r.Limit() != 0 {
			list[2+i] = r
		}
	}
	return list
}

// allow counts one connection within all rates, and gives 0. If one of them is reached, nothing is counted, and it gives how long
// that will be so: connections then come one by one, at the rate, and not many at once, which others would feel.
func (a *Acceptor) allow() (wait time.Duration) {
	rates := a.rates()
	for i, r := range rates {
		if r != nil && !r.Allow(a.loop.Now()) {
			giveBack(rates[:i])
			return r.Wait(a.loop.Now())
		}
	}
	return 0
}

// disallow takes back what allow has counted, for a connection that was not there.
func (a *Acceptor) disallow() {
	rates := a.rates()
	giveBack(rates[:])
}

func giveBack(rates []*Rate) {
	for _, r := range rates {
		if r != nil {
			r.Return()
		}
	}
}

// claim takes a place within the bind's, the tenant's, the frontend's and the process's limit, in this order. A place that is given back
// because a wider limit was reached may have stopped another loop's acceptor meanwhile: it is woken.
func (a *Acceptor) claim() bool {
	p, f, b := a.loop.process, a.bind.Frontend, a.bind
	if !b.Flows.AddBelow(orUnlimited(b.MaxConn)) {
		return false
	}
	if b.Tenant.claim() {
		if f.Flows.AddBelow(f.limit()) {
			if p.Flows.AddBelow(p.limit()) {
				return true
			}
			f.Flows.Add(-1)
		}
		b.Tenant.release()
	}
	b.Flows.Add(-1)
	f.resume()
	return false
}

// raise lets the places that claim took count for the highest numbers of flows: there was a connection for them.
func (b *Bind) raise() {
	b.Flows.Raise()
	if b.Tenant != nil {
		b.Tenant.Flows.Raise()
	}
	b.Frontend.Flows.Raise()
	b.Frontend.Process.Flows.Raise()
}

// orUnlimited is a limit as AddBelow takes it: 0 in the settings is none.
func orUnlimited(limit int64) int64 {
	if limit == 0 {
		return math.MaxInt64
	}
	return limit
}

func (a *Acceptor) room() bool {
	p, f, b := a.loop.process, a.bind.Frontend, a.bind
	return p.Flows.Value() < p.limit() && f.Flows.Value() < f.limit() && b.Tenant.room() && (b.MaxConn == 0 || b.Flows.Value() < b.MaxConn)
}

// release gives a flow's places back and wakes the acceptors that waited for one.
func (b *Bind) release() {
	f, p := b.Frontend, b.Frontend.Process
	wasFull := p.Flows.Value() >= p.limit()
	b.Flows.Add(-1)
	b.Tenant.release()
	f.Flows.Add(-1)
	p.Flows.Add(-1)
	f.resume()
	if wasFull { // the process's limit stops every frontend
		for _, other := range p.frontends {
			if other != f {
				other.resume()
			}
		}
	}
}

// resume wakes the acceptors that a limit has paused, a different one first each time: whoever wakes first is likely to get
// the place, and the others' clients must not wait for ever.
func (f *Frontend) resume() {
	n := len(f.acceptors)
	first := int(f.resumed.Add(1)) % max(n, 1)
	for i := range n {
		a := f.acceptors[(first+i)%n]
		if a.paused.Load() && a.room() && a.paused.CompareAndSwap(true, false) {
			a.loop.Post(&a.mail)
		}
	}
}

// acceptFailed decides what an accept's error means.
func (a *Acceptor) acceptFailed(errno poller.Errno) {
	f := a.bind.Frontend
	switch {
	case errno == poller.EAGAIN:
	case errno == poller.ECONNABORTED:
		f.Stats.Add(a.loop.ID, stats.AcceptFailed, 1)
	case poller.Exhausted(errno):
		f.Stats.Add(a.loop.ID, stats.AcceptExhausted, 1)
		f.Process.exhausted(f, errno, a.loop.Now())
		a.pauseFor(exhaustedPause)
	default: // the listener itself is broken: do not spin on it
		f.Stats.Add(a.loop.ID, stats.AcceptFailed, 1)
		f.Process.exhausted(f, errno, a.loop.Now())
		a.pauseFor(time.Second)
	}
}

// exhausted pauses l's accepting for f when a socket towards a server was not to be had: every client that is taken now takes
// away a descriptor that a waiting one needs.
func (f *Frontend) exhausted(l *Loop, errno poller.Errno) {
	f.Process.exhausted(f, errno, l.Now())
	for _, a := range f.acceptors {
		if a.loop == l && !a.stopped && a.watch != nil && !a.timer.Armed() {
			a.pauseFor(exhaustedPause)
		}
	}
}

// exhaustedPause is how long accepting pauses when descriptors or memory have run out.
const exhaustedPause = 100 * time.Millisecond

// exhaustedQuiet is how long the process must have been well before a lack of descriptors is told again.
const exhaustedQuiet = 10 * time.Second

// exhausted tells the operator that accepting had to pause: once per occurrence.
func (p *Process) exhausted(f *Frontend, errno poller.Errno, now time.Duration) {
	last := p.lastExhausted.Swap(int64(now) + 1)
	if p.Alert != nil && (last == 0 || now-time.Duration(last) > exhaustedQuiet) {
		p.Alert(fmt.Sprintf("Proxy %s: accepting pauses: %v (%d flows, maxconn %d).", f.Name, errno, p.Flows.Value(), p.limit()))
	}
}

// pauseFor stops the watch for a while: the lack may pass without any flow of ours ending.
func (a *Acceptor) pauseFor(d time.Duration) {
	a.loop.Pause(a.watch)
	a.loop.Arm(&a.timer, a.loop.Milliseconds()+uint64(d/time.Millisecond))
}

// Expired resumes after pauseFor.
func (a *Acceptor) Expired(*poller.Timer) { a.resumeWatch() }

// Deliver resumes after a limit: a flow has ended.
func (a *Acceptor) Deliver(*poller.Mail) {
	if !a.timer.Armed() {
		a.resumeWatch()
	}
}

func (a *Acceptor) resumeWatch() {
	if a.stopped || a.held || a.watch == nil {
		return
	}
	if errno := a.loop.Resume(a.watch); errno != 0 {
		a.bind.Frontend.Process.exhausted(a.bind.Frontend, errno, a.loop.Now())
		a.pauseFor(exhaustedPause)
	}
}
