package flow

import (
	"sync/atomic"

	"github.com/sluice-lb/sluice/poller"
)

// Namespace is a network namespace as flows see it: where the sockets of some binds and servers are made. It is immutable but for
// what its loops do in it.
type Namespace struct {
	Name    string
	sockets Sockets
	rooms   []room // by loop
}

// Sockets are those of a namespace.
type Sockets interface {
	poller.Sockets
	// Await is for those whom Take gave EAGAIN: tell is called once, by any goroutine, when it is worth trying again (0), or with
	// the reason why there is no socket.
	Await(family int, tell func(poller.Errno))
}

// NewNamespace makes a namespace for the loops that the process has. Call it before any of them runs.
func NewNamespace(p *Process, name string, sockets Sockets) *Namespace {
	n := &Namespace{Name: name, sockets: sockets, rooms: make([]room, len(p.Loops))}
	for i, l := range p.Loops {
		r := &n.rooms[i]
		r.loop, r.sockets, r.mail.To = l, sockets, r
		for line := range r.lines {
			r.lines[line].tell = func(e poller.Errno) { r.tell(line, e) }
		}
	}
	return n
}

// Sockets are those that the namespace was made with.
func (n *Namespace) Sockets() Sockets { return n.sockets }

// room is where the flows of one loop wait for sockets of a namespace. The loop owns it, but for what is said otherwise.
type room struct {
	loop    *Loop
	sockets Sockets
	mail    poller.Mail
	posted  atomic.Bool // the mail is on its way: set by who posts it, cleared by the loop before it looks at what was told
	lines   [2]line     // IPv4 and IPv6; the rest is in the latter's
}

// line is those that wait for sockets of one family.
type line struct {
	flows []*Flow // nil: it has left
	spare []*Flow // an empty one, for the next turn
	asked bool
	tell  func(poller.Errno)
	told  atomic.Int64 // 0: nothing; else what tell was given, and 1
}

// lineOf gives the line for an address.
func (r *room) lineOf(addr poller.Addr) *line {
	if addr.Addr().Unmap().Is4() {
		return &r.lines[0]
	}
	return &r.lines[1]
}

// tell is called by the namespace's thread.
func (r *room) tell(line int, e poller.Errno) {
	r.lines[line].told.Store(int64(e) + 1)
	if !r.posted.Swap(true) {
		r.loop.Post(&r.mail)
	}
}

// await puts a flow at the end of the line for an address.
func (r *room) await(f *Flow, addr poller.Addr) {
	w := r.lineOf(addr)
	w.flows = append(w.flows, f)
	if !w.asked {
		w.asked = true
		r.sockets.Await(addr.Family(), w.tell)
	}
}

// leave takes a flow out that waits no longer.
func (r *room) leave(f *Flow) {
	for i := range r.lines {
		for j, x := range r.lines[i].flows {
			if x == f {
				r.lines[i].flows[j] = nil
				return
			}
		}
	}
}

// Deliver lets those go on who waited. Those for whom there is none again wait behind one another as before.
func (r *room) Deliver(*poller.Mail) {
	r.posted.Store(false)
	for i := range r.lines {
		w := &r.lines[i]
		told := w.told.Swap(0)
		if told == 0 {
			continue
		}
		w.asked = false
		waiting := w.flows
		w.flows, w.spare = w.spare, nil
		for j, f := range waiting {
			waiting[j] = nil
			switch {
			case f == nil:
			case told > 1:
				f.connectFailed(poller.Errno(told - 1))
			default:
				f.stage = connecting
				f.dial()
			}
		}
		w.spare = waiting[:0]
	}
}

// namespace is where the flow's socket towards t is made; nil: in the process's own. False: the client named one that it may not use.
func (f *Flow) namespace(t *Target) (*Namespace, bool) {
	if !t.ClientNamespace {
		return t.Namespace, true
	}
	return f.clientNamespace(), f.told == nil || !f.told.stranger
}

// clientNamespace is where the client comes from: as its PROXY header told, or where its connection arrived; nil: the process's own.
func (f *Flow) clientNamespace() *Namespace {
	if f.told != nil && f.told.namespace != nil {
		return f.told.namespace
	}
	return f.bind.Namespace
}

// tellNamespace notes the namespace that a PROXY header names.
func (f *Flow) tellNamespace(name []byte) {
	if name == nil {
		return
	}
	f.told.namespace = f.frontend.Process.Namespaces[string(name)]
	f.told.stranger = f.told.namespace == nil
}

// awaitSocket makes a flow wait for a socket of its server's namespace.
func (f *Flow) awaitSocket(n *Namespace, addr poller.Addr) {
	f.stage = opening
	n.rooms[f.loop.ID].await(f, addr)
	f.rearm()
}

// leaveRoom ends the wait for a socket.
func (f *Flow) leaveRoom() {
	if n, _ := f.namespace(f.target); n != nil {
		n.rooms[f.loop.ID].leave(f)
	}
}
