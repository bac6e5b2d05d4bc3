package resolve

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
)

// loop runs a section: it owns the goroutine, the clock and the sockets.
type loop struct {
	section *section
	now     func() time.Time
	udp     []*datagrams
	tcp     []*stream
	inbox   chan event
	wake    chan struct{} // something is posted
	done    chan struct{} // closed at the end
	all     sync.WaitGroup

	mu      sync.Mutex
	posted  []func()
	running bool
}

// event is something that happened on a socket. Readers make them, the loop takes them.
type event struct {
	server *nameServer
	via    way
	raw    []byte // nil: the way failed
	big    bool
	broken bool // the connection ended
}

func newLoop(c *config.Resolvers, now func() time.Time) *loop {
	return &loop{
		section: newSection(c), now: now,
		inbox: make(chan event, 256), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// addServer adds a name server with its sockets, none of which is open yet.
func (l *loop) addServer(e endpoint) {
	server := l.section.add(e.name, e.tcp, nil, randomID)
	udp := &datagrams{loop: l, server: server, addr: e.addr, size: l.section.config.AcceptedPayload}
	tcp := &stream{loop: l, server: server, addr: e.addr}
	server.sender = ways{udp, tcp}
	l.udp, l.tcp = append(l.udp, udp), append(l.tcp, tcp)
}

// ways are the two ways to a name server.
type ways struct {
	udp *datagrams
	tcp *stream
}

func (w ways) datagram(query []byte, now time.Time) (way, error) { return w.udp.send(query, now) }
func (w ways) stream(query []byte, now time.Time) (way, error)   { return w.tcp.send(query) }

func randomID() uint16 {
	var b [2]byte
	rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint16(b[:])
}

// post has do called on the loop's goroutine. It never blocks.
func (l *loop) post(do func()) {
	l.mu.Lock()
	l.posted = append(l.posted, do)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default: // it is about to look
	}
}

func (l *loop) runPosted() {
	l.mu.Lock()
	posted := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, do := range posted {
		do()
	}
}

func (l *loop) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.running {
		l.running = true
		l.all.Go(l.run)
	}
}

// end stops the goroutine, then the readers.
func (l *loop) end() {
	close(l.done)
	l.all.Wait()
}

// sweepEvery is how often sockets are looked through for those that are done.
const sweepEvery = time.Second

func (l *loop) run() {
	defer l.closeSockets()
	timer := time.NewTimer(0)
	defer timer.Stop()
	sweep := l.now()
	for {
		l.runPosted()
		now := l.now()
		next := l.section.tick(now)
		if !now.Before(sweep) {
			sweep = now.Add(sweepEvery)
			for _, d := range l.udp {
				d.sweep(now)
			}
		}
		if l.openSockets() && sweep.Before(next) {
			next = sweep
		}
		timer.Reset(next.Sub(now))
		select {
		case <-l.done:
			return
		case <-l.wake:
		case <-timer.C:
		case e := <-l.inbox:
			l.handle(e)
			l.handleMore()
		}
	}
}

// handleMore takes what else is there, so that a burst costs one look at the timers.
func (l *loop) handleMore() {
	for range cap(l.inbox) {
		select {
		case e := <-l.inbox:
			l.handle(e)
		default:
			return
		}
	}
}

func (l *loop) handle(e event) {
	switch {
	case e.broken:
		e.server.broke(e.via, l.now())
	case e.raw == nil:
		e.server.sendErrors.Add(1) // told by the other host; "timeout retry" will find that no answer came
	default:
		e.server.received(e.via, e.raw, e.big, l.now())
	}
}

// report hands an event to the loop; false: the loop has ended.
func (l *loop) report(e event) bool {
	select {
	case l.inbox <- e:
		return true
	case <-l.done:
		return false
	}
}

func (l *loop) openSockets() bool {
	for _, d := range l.udp {
		if len(d.open) > 0 {
			return true
		}
	}
	return false
}

func (l *loop) closeSockets() {
	for _, d := range l.udp {
		d.closeAll()
	}
	for _, s := range l.tcp {
		s.close()
	}
}
