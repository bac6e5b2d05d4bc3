package poller

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Events is a set of readiness flags; several may come at once.
type Events uint32

// The flags of epoll_ctl(2) that handlers act on.
const (
	Readable   Events = unix.EPOLLIN
	Writable   Events = unix.EPOLLOUT
	PeerClosed Events = unix.EPOLLRDHUP // the peer sent its FIN: reading will reach the end
	Hangup     Events = unix.EPOLLHUP   // both directions are closed
	Failed     Events = unix.EPOLLERR   // Socket.Failure says why
	Urgent     Events = unix.EPOLLPRI   // out-of-band data (tcp(7)): reads stop short at its mark
)

// Handler is told that its socket is ready, on the loop's thread.
type Handler interface{ Ready(ev Events) }

// Options of a loop.
type Options struct {
	CPUs       []int // the thread is bound to these; empty: not bound
	MaxEvents  int   // events taken per turn; 0: 200
	BufferSize int   // bytes read at once; 0: 65536; at least 16384
	PipeSize   int   // bytes a splice pipe is asked to hold; 0: the kernel's default (65536)
	Sockets    int   // that are expected at most: room for them is reserved, and takes memory only once it is used
	MaxPipes   int   // splice pipes open at once; 0: no bound but the descriptors
	BusyPoll   bool  // never sleep
	Measure    bool  // Load is kept, which costs a look at the clock in each turn
	// BusySince, if it is not nil, is told when a turn begins, in ns of CLOCK_MONOTONIC, and 0 when the loop waits again: for a
	// reader outside of the process, such as a program in the kernel.
	BusySince *atomic.Int64
	// Now replaces the clock, for tests; it must not go back. With BusyPoll no turn then waits for it. nil: monotonic time.
	Now func() time.Duration
}

// Loop is one pinned thread with its epoll instance, sockets, timers and pools. See the package's doc for who may call what.
type Loop struct {
	options Options
	epoll   int32
	eventFD int32

	// Owned by the loop's thread.
	slots     []slot
	free      []int32
	events    []unix.EpollEvent
	again     []pending // events that handlers asked to see again
	turn      []pending // the ones of this turn
	wheel     wheel
	now       time.Duration // since the process's epoch, read once a turn
	busy      time.Duration // when the last event came
	wall      time.Time     // the wall clock of this turn, read on demand
	hurried   bool          // see Hurry
	buffer    []byte
	turns     uint64  // that there were
	pipes     []*Pipe // idle ones
	openPipes int
	held      bufferPool
	raw       sockaddr // scratch for addresses
	rawSize   uint32

	// Shared.
	load    load
	mail    mailbox
	waiting atomic.Bool // in, or about to enter, a wait that mail must end
	stopped atomic.Bool
}

// slot is what an event's data leads to. The generation changes whenever the slot is freed, so an event that was taken
// from the kernel before its socket was closed finds another number.
type slot struct {
	handler    Handler
	generation uint32
}

type pending struct {
	slot       int32
	generation uint32
	events     Events
}

var epoch = time.Now()

// NewLoop makes a loop that has not started. Errors name the call: out of descriptors or memory.
func NewLoop(o Options) (*Loop, error) {
	if o.MaxEvents <= 0 {
		o.MaxEvents = 200
	}
	if o.BufferSize <= 0 {
		o.BufferSize = 64 << 10
	}
	o.BufferSize = max(o.BufferSize, 16<<10)
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	eventFD, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	l := &Loop{
		options: o,
		epoll:   int32(epoll),
		eventFD: int32(eventFD),
		events:  make([]unix.EpollEvent, o.MaxEvents),
		buffer:  make([]byte, o.BufferSize),
	}
	l.tick()
	l.wheel.init(l.Milliseconds())
	// The eventfd is slot 0, edge-triggered and never read: each write is a new edge (eventfd(2)).
	l.slots = append(make([]slot, 0, o.Sockets+1), slot{handler: nothing{}})
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET}
	if e := epollControl(l.epoll, unix.EPOLL_CTL_ADD, l.eventFD, &ev); e != 0 {
		unix.Close(epoll)
		unix.Close(eventFD)
		return nil, os.NewSyscallError("epoll_ctl", e)
	}
	return l, nil
}

type nothing struct{}

func (nothing) Ready(Events) {}

// Run turns the loop on the calling goroutine, locked to its thread and bound to its CPUs, until Stop. start is called
// first, on that thread. What is still open when it returns stays open; the loop's own descriptors are closed.
func (l *Loop) Run(start func()) error {
	runtime.LockOSThread() // never unlocked: the thread's affinity ends with it
	l.load.thread.Store(int64(unix.Gettid()))
	if len(l.options.CPUs) > 0 {
		if err := bindThread(l.options.CPUs); err != nil {
			return fmt.Errorf("bind loop to CPUs %v: %w", l.options.CPUs, err)
		}
	}
	l.tick()
	l.busy = l.now
	if start != nil {
		start()
	}
	for !l.stopped.Load() {
		l.Turn()
	}
	l.deliver() // what was posted before Stop
	for _, p := range l.pipes {
		p.close()
	}
	closeFD(l.epoll)
	closeFD(l.eventFD)
	return nil
}

// Turn waits for something to happen and deals with it: one turn of the loop. Run does nothing else; a test may turn a
// loop that does not run on its own goroutine.
func (l *Loop) Turn() {
	n := l.publishedWait()
	if n > 0 {
		l.busy = l.now
	}
	l.turns++
	l.turn, l.again = l.again, l.turn
	l.dispatch(n)
	l.repeat()
	l.deliver()
	l.wheel.advance(l.Milliseconds())
}

func (l *Loop) deliver() {
	for m := l.mail.takeAll(); m != nil; {
		next := m.next
		m.next = nil
		m.To.Deliver(m)
		m = next
	}
}

// dispatch hands the n events of this turn to their handlers.
func (l *Loop) dispatch(n int) {
	for i := range l.events[:max(n, 0)] {
		ev := &l.events[i]
		s := &l.slots[ev.Fd]
		if s.generation == uint32(ev.Pad) && s.handler != nil {
			s.handler.Ready(Events(ev.Events))
		}
	}
}

// repeat hands over the events that were put off before this turn; what is put off meanwhile waits for the next one.
func (l *Loop) repeat() {
	for _, p := range l.turn {
		s := &l.slots[p.slot]
		if s.generation == p.generation && s.handler != nil {
			s.handler.Ready(p.events)
		}
	}
	l.turn = l.turn[:0]
}

// Again makes the loop hand ev for s to its handler once more in its next turn, after the events that come until then:
// how a handler with much to do lets others go first.
func (l *Loop) Again(s *Socket, ev Events) {
	l.again = append(l.again, pending{s.slot, l.slots[s.slot].generation, ev})
}

// Watch registers s, edge-triggered for everything, for as long as it is open. The kernel reports what is ready already.
func (l *Loop) Watch(s *Socket, h Handler) Errno {
	return l.watch(s, h, everything)
}

const everything = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLPRI | unix.EPOLLET

func (l *Loop) watch(s *Socket, h Handler, events uint32) Errno {
	index := int32(len(l.slots))
	if n := len(l.free); n > 0 {
		index = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		l.slots = append(l.slots, slot{})
	}
	place := &l.slots[index]
	place.handler = h
	ev := unix.EpollEvent{Events: events, Fd: index, Pad: int32(place.generation)}
	if e := epollControl(l.epoll, unix.EPOLL_CTL_ADD, s.fd, &ev); e != 0 {
		l.release(index)
		return e
	}
	s.slot = index
	return 0
}

func (l *Loop) release(index int32) {
	l.slots[index].handler = nil
	l.slots[index].generation++
	l.free = append(l.free, index)
}

// keyBits is how many bits of a key are the place in the table; above are 28 bits of its generation.
const keyBits = 28

// Key tells the open, watched socket s from all others of the loop that are open: for listings. It has 56 bits.
func (l *Loop) Key(s *Socket) uint64 {
	return uint64(l.slots[s.slot].generation&(1<<keyBits-1))<<keyBits | uint64(s.slot)
}

// Find gives the handler of the socket that has the key; nil: it is not open any more.
func (l *Loop) Find(key uint64) Handler {
	slot := key & (1<<keyBits - 1)
	if slot == 0 || slot >= uint64(len(l.slots)) || uint64(l.slots[slot].generation&(1<<keyBits-1)) != key>>keyBits {
		return nil
	}
	return l.slots[slot].handler
}

// Close closes s, which takes it out of epoll too. Closing a closed socket does nothing.
func (l *Loop) Close(s *Socket) {
	if !s.Open() {
		return
	}
	if s.slot > 0 {
		l.release(s.slot)
	}
	closeFD(s.fd)
	*s = Socket{}
}

// Arm sets t to fire at when, in milliseconds on the loop's clock; an armed timer is moved.
func (l *Loop) Arm(t *Timer, when uint64) { l.wheel.arm(t, when) }

// Disarm makes sure that t does not fire.
func (l *Loop) Disarm(t *Timer) { l.wheel.disarm(t) }

// Now is the monotonic time since the process's epoch, as of the beginning of this turn.
func (l *Loop) Now() time.Duration { return l.now }

// Turns is how many turns there were, this one included.
func (l *Loop) Turns() uint64 { return l.turns }

// Milliseconds is the loop's clock for timers: Now in milliseconds.
func (l *Loop) Milliseconds() uint64 { return uint64(l.now / time.Millisecond) }

// Wall is the wall clock as of this turn.
func (l *Loop) Wall() time.Time {
	if l.wall.IsZero() {
		l.wall = time.Now()
	}
	return l.wall
}

// Buffer is scratch to receive into; what it holds is gone at the next handler.
func (l *Loop) Buffer() []byte { return l.buffer }

func (l *Loop) tick() {
	if l.options.Now != nil {
		l.now = l.options.Now()
	} else {
		l.now = time.Since(epoch)
	}
	l.wall = time.Time{}
}

// Stop ends Run after the current turn. Any goroutine may call it.
func (l *Loop) Stop() {
	l.stopped.Store(true)
	l.rouse()
}
