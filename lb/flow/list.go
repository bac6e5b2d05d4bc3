package flow

import (
	"net/netip"
	"time"

	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/poller"
)

// Info is one flow as a listing shows it, at the moment when its loop looked at it.
type Info struct {
	ID                         uint64 // no other open flow has it, see Process.Shut
	Loop                       int    // from 0
	Stage                      string // "header", "queued", "opening", "connecting", "pausing", "handshake", "forwarding"
	Frontend, Backend, Server  string // the latter two are empty where none was chosen yet
	Bind                       string
	FrontendID, BindID         int
	Client                     netip.AddrPort // invalid for a unix socket's
	Unix                       bool
	Age                        time.Duration // since accept
	Expires                    time.Duration // until the earliest time-out; negative: none
	In, Out                    uint64        // bytes from and to the client so far
	HeldFromClient, HeldToward int           // bytes that wait for the server, and for the client
	Retries                    int
	Spliced                    bool // bytes lie in a pipe
	Redirected                 bool // the kernel moves the bytes, of one direction at least

	Accepted           time.Time
	ClientFD, ServerFD int // 0: none

	// With addresses only: each costs a system call.
	Destination, Source, Target netip.AddrPort // whom the client meant; from where, and where to, the server is reached
}

// stageNames are for listings.
var stageNames = [...]string{
	header: "header", queued: "queued", opening: "opening", connecting: "connecting", pausing: "pausing", handshake: "handshake", forwarding: "forwarding",
}

// listed is how many flows a loop describes in a turn: so few that the others do not wait for long.
const listed = 128

// Listing walks over the flows of one loop for a reader on another goroutine. In between the loop goes on, and does nothing
// for a reader who does not ask for more: what is not read costs no memory. Flows that begin after the walk did are not
// shown, nor are those that end before the walk comes to them.
//
// The reader owns what follows the mail while no mail is on its way, and the loop while it is.
type Listing struct {
	loop      *Loop
	mail      poller.Mail
	filled    chan struct{} // one element
	addresses bool
	begun     bool
	closing   bool
	at        *Flow // the next one; Loop.put keeps it off a flow that ends
	batch     []Info
}

// List prepares a listing of the flows of a loop. Nothing happens until Next.
func (l *Loop) List(addresses bool) *Listing {
	x := &Listing{loop: l, filled: make(chan struct{}, 1), addresses: addresses, batch: make([]Info, 0, listed)}
	x.mail.To = x
	return x
}

// Next gives some more flows, which are the reader's until the next call; none: there are no more. False: stop was closed
// first, and the listing must not be used any more. One goroutine may call it.
func (x *Listing) Next(stop <-chan struct{}) ([]Info, bool) {
	if x.begun && x.at == nil {
		return nil, true
	}
	x.loop.Post(&x.mail)
	select {
	case <-x.filled:
		return x.batch, true
	case <-stop:
		return nil, false
	}
}

// Close ends a listing that is left early. After the end, and after Next has given false, it need not be called.
func (x *Listing) Close() {
	if x.begun && x.at != nil {
		x.closing = true
		x.loop.Post(&x.mail)
	}
}

// Deliver fills the next batch, on the loop's thread.
func (x *Listing) Deliver(*poller.Mail) {
	l := x.loop
	if x.closing {
		l.forget(x)
		return
	}
	if !x.begun {
		x.begun, x.at = true, l.flows
		l.listings = append(l.listings, x)
	}
	x.batch = x.batch[:0]
	for n := 0; n < listed && x.at != nil; n++ {
		f := x.at
		x.at = f.next
		if f.stage != closed && f.stage != orphaned {
			x.batch = append(x.batch, f.info(x.addresses))
		}
	}
	if len(x.batch) == 0 && x.at != nil { // nothing but orphans: go on in the next turn
		l.Post(&x.mail)
		return
	}
	if x.at == nil {
		l.forget(x)
	}
	x.filled <- struct{}{}
}

func (l *Loop) forget(x *Listing) {
	for i, other := range l.listings {
		if other == x {
			l.listings = append(l.listings[:i], l.listings[i+1:]...)
			return
		}
	}
}

// info describes f.
func (f *Flow) info(addresses bool) Info {
	l := f.loop
	if f.redirect != nil {
		f.countRedirected()
	}
	i := Info{
		ID: l.id(f), Loop: l.ID, Stage: stageNames[f.stage], Frontend: f.frontend.Name, Bind: f.bind.Name, BindID: f.bind.ID,
		Client: f.source, Unix: f.bind.IsUnix, Age: l.Now() - f.start, Expires: -1, In: f.in, Out: f.out,
		HeldFromClient: len(f.server.held) - f.server.sent, HeldToward: len(f.client.held) - f.client.sent, Retries: int(f.retries),
		Spliced:    f.client.pipe != nil || f.server.pipe != nil,
		Redirected: f.client.course == redirected || f.server.course == redirected, Accepted: l.Wall().Add(f.start - l.Now()),
		ClientFD: f.client.FD(), ServerFD: f.server.FD(),
	}
	if f.backend != nil {
		i.Backend = f.backend.Name
	}
	if f.lastServer != nil && f.stage != queued {
		i.Server = f.lastServer.Name
	}
	if when, _ := f.deadline(); when != never {
		i.Expires = time.Duration(max(when, l.Milliseconds())-l.Milliseconds()) * time.Millisecond
	}
	if addresses {
		i.Destination = f.destinationAddr().AddrPort
		if f.server.Open() {
			i.Source = l.LocalAddr(&f.server.Socket).AddrPort
		}
		if f.target != nil {
			i.Target = f.targetAddr(f.target).AddrPort
		}
	}
	return i
}

// A flow's id is its client socket's place in the loop's table, and the number of its loop above that.
const loopShift = 56

func (l *Loop) id(f *Flow) uint64 { return uint64(l.ID)<<loopShift | l.Key(&f.client.Socket) }

// Shut ends the flow with the given id, soon, as an operator asks for it; found is told from the loop's thread whether there
// is one. False: there is no such loop. Any goroutine may call it.
func (p *Process) Shut(id uint64, found func(bool)) bool {
	loop := id >> loopShift
	if loop >= uint64(len(p.Loops)) {
		return false
	}
	l := p.Loops[loop]
	s := &shutdown{loop: l, key: id & (1<<loopShift - 1), found: found}
	s.mail.To = s
	l.Post(&s.mail)
	return true
}

// shutdown is an operator's wish to end one flow.
type shutdown struct {
	mail  poller.Mail
	loop  *Loop
	key   uint64
	found func(bool)
}

// Deliver ends it.
func (s *shutdown) Deliver(*poller.Mail) {
	client, ok := s.loop.Find(s.key).(*side)
	if ok = ok && !client.isServer && client.flow.stage != closed && client.flow.stage != orphaned; ok {
		f := client.flow
		f.frontend.Stats.Add(s.loop.ID, stats.Killed, 1)
		f.end('K', '-') // as HAProxy's log has it, whatever the stage
	}
	s.found(ok)
}
