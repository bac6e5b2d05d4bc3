package flow

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/lb/tcplog"
	"github.com/sluice-lb/sluice/poller"
)

// Loop is what the flows of one loop share. Only its thread touches it, but for the poller's mail.
type Loop struct {
	*poller.Loop
	ID       int
	process  *Process
	free     *Flow         // recycled flows
	fresh    []Flow        // that were never used
	tales    *told         // recycled, too
	requests *request      // recycled, too
	flows    *Flow         // the open ones, a doubly linked list
	count    int           // of open flows
	open     *atomic.Int64 // the same, for others to read; see PublishFlows
	closed   poller.Addr   // of the server connection that end closed last, for its log line; zero unless a format wants it
	record   tcplog.Record // scratch for log lines
	header   [768]byte     // scratch for what goes before the payload
	stop     poller.Mail
	shutter  shutter    // of servers that went down
	listings []*Listing // those that have a place among the flows
	waiters  int        // flows that wait for a slot
	shares   []*share   // of the tenants, by their index; nil: not needed yet

	Redirect   Redirect         // the kernel's, for "option sockmap"; nil: it has none. To be set before the loop runs
	redirected map[uint32]*Flow // whose sockets it has, by place
	redirects  *redirect        // recycled, too

	turn        uint64 // the turn that smallReads is of
	smallReads  int    // events of this turn, so far, that brought few bytes
	smallBefore int    // those of the turn before it

	sampled time.Duration // when a path was looked at last
}

// smallRead notes that an event brought few bytes.
func (l *Loop) smallRead() {
	l.noteTurn()
	l.smallReads++
}

// crowded tells whether some flows of this turn or the one before had only a little to say.
func (l *Loop) crowded() bool {
	l.noteTurn()
	return l.smallReads > 0 || l.smallBefore > 0
}

func (l *Loop) noteTurn() {
	if turn := l.Turns(); turn != l.turn {
		l.turn, l.smallBefore, l.smallReads = turn, l.smallReads, 0
	}
}

// NewLoop adds a loop to the process. Call it for every loop before any of them runs.
func NewLoop(p *Process, l *poller.Loop) *Loop {
	loop := &Loop{Loop: l, ID: len(p.Loops), process: p, open: new(atomic.Int64)}
	loop.stop.To = loop
	loop.redirected = make(map[uint32]*Flow)
	loop.shutter.loop, loop.shutter.mail.To = loop, &loop.shutter
	p.Loops = append(p.Loops, loop)
	return loop
}

// PublishFlows makes the loop keep the number of its flows at n, for a reader outside of the process. Call it before the loop runs.
func (l *Loop) PublishFlows(n *atomic.Int64) { l.open = n }

// stage is how far a flow has come.
type stage uint8

const (
	closed     stage = iota
	header           // the PROXY header is awaited
	queued           // a slot is awaited
	opening          // a socket of the server's network namespace is awaited
	connecting       // the connect is under way
	pausing          // a connect failed, the retry is awaited
	handshake        // the SOCKS4 proxy's answer is awaited
	forwarding       // bytes both ways
	orphaned         // it ended while a grant was on its way: the mail will give the slot back
)

// Flow is one client connection and its server connection.
type Flow struct {
	loop     *Loop
	frontend *Frontend
	bind     *Bind
	backend  *Backend
	target   *Target
	request  *request        // while it asks or waits, and afterwards if it has waited
	redirect *redirect       // once the kernel has its sockets
	slot     *backend.Server // where it holds a slot; nil: none
	// lastServer is the one that the flow was assigned to last; the slot there may be given back already.
	lastServer *backend.Server
	client     side
	server     side

	stage        stage
	redispatched bool
	admitted     bool     // the backend counts this flow
	logged       bool     // by logasap
	redirectable bool     // "option sockmap", and its sockets were not refused
	cause        stats.ID // of the last connect's failure
	ended        termination
	retries      int32
	countedAt    uint32 // second on the loop's clock at which bytes were last added to the counters
	number       uint32 // of the flow in the process, from 0

	timer poller.Timer

	source netip.AddrPort // the client's: its own, or the one in its PROXY header; zero for a unix socket's
	told   *told          // what else is known of the client; nil: nothing

	start     time.Duration // of the connection, on the loop's clock, as are the following; 0: not reached
	headerEnd time.Duration
	queueEnd  time.Duration
	connected time.Duration
	attempt   time.Duration // when the current connect or pause began

	in, out               uint64 // bytes from and to the client
	countedIn, countedOut uint64 // of these, what the counters know

	next, prev *Flow // among the loop's open flows; next also links recycled ones
}

// termination is the two letters of the log line that say how a flow ended; zero: not yet.
type termination [2]byte

// side is one of a flow's two sockets with what flows towards and from it.
type side struct {
	poller.Socket
	flow *Flow

	readable    bool // there may be bytes, or the end, to read
	closing     bool // the peer's FIN or an error was reported: no further event will come for it
	failed      bool // an error was reported: reading will meet it
	urgent      bool // out-of-band data was reported: reads stop short at its mark
	readClosed  bool // the end was read, or the socket is broken
	blocked     bool // it took less than it was given; Writable will say when it takes more
	writeClosed bool // a FIN was sent, or the socket is broken
	wrote       bool // something was sent
	noDelay     bool // TCP_NODELAY is set
	isServer    bool
	independent bool // option independent-streams: what is sent here is no sign of life
	course      course

	metering     metering     // whether a tenant's bandwidth bounds what is read from this side
	spliceAfter  uint8        // full reads in a row that make this side's bytes be spliced
	fullReads    uint8        // so far
	smallSplices uint8        // in a row
	pipe         *poller.Pipe // bytes from this side on their way to the other; nil at rest

	held []byte // bytes that this side has not yet taken; nil at rest
	sent int    // of held

	activity time.Duration // last time that bytes were read from this side, or sent to it
	progress time.Duration // last time that it was given bytes
}

func (f *Flow) other(s *side) *side {
	if s.isServer {
		return &f.client
	}
	return &f.server
}

// freshFlows are allocated at once: the allocator would round each one up.
const freshFlows = 64

// waits counts n flows more that wait for a slot. While there are any, how soon the loop sees a flow end is how soon the next
// one begins.
func (l *Loop) waits(n int) {
	l.waiters += n
	l.Hurry(l.waiters > 0)
}

// take gives a flow for a new client.
func (l *Loop) take() *Flow {
	f := l.free
	switch {
	case f != nil:
		l.free = f.next
	default:
		if len(l.fresh) == 0 {
			l.fresh = make([]Flow, freshFlows)
		}
		f, l.fresh = &l.fresh[0], l.fresh[1:]
	}
	f.loop = l
	f.client.flow, f.server.flow = f, f
	f.server.isServer = true
	f.timer.Owner = f
	f.prev, f.next = nil, l.flows
	if l.flows != nil {
		l.flows.prev = f
	}
	l.flows = f
	l.count++
	l.open.Store(int64(l.count))
	return f
}

// put recycles a flow that has ended. Its memory is cleared, so nothing of one client reaches the next.
func (l *Loop) put(f *Flow) {
	if l.shutter.at == f {
		l.shutter.at = f.next
	}
	for _, x := range l.listings {
		if x.at == f {
			x.at = f.next
		}
	}
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		l.flows = f.next
	}
	if f.next != nil {
		f.next.prev = f.prev
	}
	l.count--
	l.open.Store(int64(l.count))
	f.putRequest()
	*f = Flow{next: l.free}
	l.free = f
}

// Ready is told of events on either of the flow's sockets.
func (s *side) Ready(ev poller.Events) {
	f := s.flow
	if ev&(poller.Readable|poller.PeerClosed|poller.Hangup|poller.Failed) != 0 {
		s.readable = true
		if ev&(poller.PeerClosed|poller.Hangup|poller.Failed) != 0 {
			s.closing = true
			s.failed = s.failed || ev&poller.Failed != 0
		}
	}
	if ev&poller.Writable != 0 {
		s.blocked = false
	}
	if ev&poller.Urgent != 0 {
		s.urgent = true
	}
	switch f.stage {
	case forwarding:
		if f.redirect != nil {
			f.redirectReady(s, ev)
			return
		}
		f.forwardReady(s, ev)
	case header:
		f.readHeader()
	case queued, opening, pausing:
		f.clientWhileWaiting(ev)
	case connecting:
		if s.isServer {
			f.connectReady(ev)
		} else {
			f.clientWhileWaiting(ev)
		}
	case handshake:
		if s.isServer {
			f.handshakeReady()
		} else {
			f.clientWhileWaiting(ev)
		}
	}
}

// clientWhileWaiting looks whether the client has left while the flow waits for its server. A reset ends the flow; a FIN
// only with "option abortonclose", because a client may well send its request, half-close, and wait for the answer. One
// that has sent nothing and is still far from a server has left, too: HAProxy has it so.
func (f *Flow) clientWhileWaiting(ev poller.Events) {
	gone := ev&(poller.Failed|poller.Hangup) != 0
	if ev&poller.PeerClosed != 0 && !gone {
		gone = f.backend.AbortOnClose || (f.stage == queued || f.stage == pausing) && f.client.sentNothing()
	}
	if !gone {
		return
	}
	f.frontend.Stats.Add(f.loop.ID, stats.ClientAborts, 1)
	f.countConnect(stats.ClientAborts)
	f.end('C', f.stageLetter())
}

// sentNothing tells of a side that has ended whether it did so without a byte that is still to be read.
func (s *side) sentNothing() bool {
	var b [1]byte
	n, errno := s.Peek(b[:])
	return n == 0 && errno == 0
}

// stageLetter is the second letter of the termination state.
func (f *Flow) stageLetter() byte {
	switch f.stage {
	case header:
		return 'R'
	case queued:
		return 'Q'
	case opening, connecting, pausing, handshake:
		return 'C'
	}
	return 'D'
}

// Open is the number of open flows. Any goroutine may call it.
func (l *Loop) Open() int { return int(l.open.Load()) }

// Cut cuts all flows of the loop. Any goroutine may call it, once.
func (l *Loop) Cut() { l.Post(&l.stop) }

// Deliver is the loop's own mail: cut everything.
func (l *Loop) Deliver(*poller.Mail) {
	for f := l.flows; f != nil; {
		next := f.next
		if f.stage != orphaned {
			f.frontend.Stats.Add(l.ID, stats.Killed, 1)
			f.end('K', f.stageLetter())
		}
		f = next
	}
}
