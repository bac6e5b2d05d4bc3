package queue

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Owner is what a waiter stands for. It is told the one outcome of a wait that did not end in the call that began it.
type Owner interface {
	// Granted says that the waiter holds a slot of s. It is called by whoever freed the slot, on any goroutine, without
	// locks; it must only pass the word on.
	Granted(s *Server)
	// SentBack says that the server to which the waiter was bound was closed: it is to ask again.
	SentBack()
}

// Waiter is one place in a queue. It is embedded in what waits, and used again for the next wait once its outcome is known.
type Waiter struct {
	Key   Key
	Owner Owner

	pool   *Pool
	server *Server // to which it is bound; nil: any of the pool's

	// Guarded by stripe's lock; stripe itself is written before the waiter is published.
	stripe   *stripe
	index    int // in the stripe's heap; -1: taken out
	sequence uint64
}

// Outcome of Wait.
type Outcome uint8

// The outcomes of Wait.
const (
	// Waiting: the owner will be told, unless Cancel comes first.
	Waiting Outcome = iota
	// TryAgain: while the waiter was being queued a slot had become free, and there might have been nobody left to offer
	// it. The waiter is out of the queue and its caller tries again holding that slot, so that the second try cannot fail
	// and cannot loop.
	TryAgain
	// Closed: the server to which it would be bound is closed. The waiter is out of the queue; its caller chooses anew.
	Closed
)

// Pool is the queue of a backend: its servers with their slots, those who wait for any of them, and those who wait for one.
type Pool struct {
	level
	// NoRecheck leaves the look after publishing out. It is for experiments only: waiters are then stranded.
	NoRecheck bool
	loops     int

	servers atomic.Pointer[[]*Server] // replaced as a whole
	adding  sync.Mutex                // held to replace it
}

// Server is one server's slots, with those who wait for it alone.
type Server struct {
	level
	Slots
	// Data is the caller's.
	Data any
	pool *Pool
	// open: waiters may be given this server. Closed ones keep the flows that they have.
	open atomic.Bool
}

// level is one of the two levels of waiters.
type level struct {
	stripes []stripe
	counts  []counts
	_       [64]byte // what is above, and around a level, is read by all and hardly ever written
	// waiting is raised before a waiter is published and lowered after it is taken out: zero means that nobody whose
	// publication is complete waits here.
	waiting atomic.Int64
	highest atomic.Int64
	_       [64]byte
}

func (l *level) init(loops int) {
	l.stripes = make([]stripe, loops)
	for i := range l.stripes {
		l.stripes[i].init()
	}
	l.counts = make([]counts, loops)
}

// NewPool makes the queue of a backend for loops 0 to loops-1.
func NewPool(loops int) *Pool {
	p := &Pool{loops: loops}
	p.servers.Store(new([]*Server))
	p.init(loops)
	return p
}

// NewServer adds a server with the given limit; it is closed. word counts its slots: nil makes one. dynamic may be nil.
func (p *Pool) NewServer(word *atomic.Uint64, limit int64, dynamic func() int64) *Server {
	if word == nil {
		word = &new(paddedWord).Uint64
	}
	s := &Server{pool: p}
	s.word, s.dynamic = word, dynamic
	s.limit.Store(limit)
	s.init(p.loops)
	p.adding.Lock()
	defer p.adding.Unlock()
	servers := append(slices.Clone(*p.servers.Load()), s)
	p.servers.Store(&servers)
	return s
}

// Remove takes s out of the pool, for good: it is closed, nobody waits for it alone, and Retire has succeeded. A waiter that is just
// being bound to it is told that it is Closed.
func (p *Pool) Remove(s *Server) {
	p.adding.Lock()
	defer p.adding.Unlock()
	servers := slices.DeleteFunc(slices.Clone(*p.servers.Load()), func(x *Server) bool { return x == s })
	p.servers.Store(&servers)
}

// paddedWord is a word that shares its cache line with nothing.
type paddedWord struct {
	atomic.Uint64
	_ [120]byte
}

// Waiting is the number of waiters at this level.
func (l *level) Waiting() int { return int(l.waiting.Load()) }

// Highest is the highest number of waiters that this level had at once.
func (l *level) Highest() int { return int(l.highest.Load()) }

// ClearHighest makes the highest number begin anew, with the present one.
func (l *level) ClearHighest() { l.highest.Store(int64(l.Waiting())) }

func (l *level) enter() {
	step(Store, &l.waiting)
	n := l.waiting.Add(1)
	for h := l.highest.Load(); n > h && !l.highest.CompareAndSwap(h, n); h = l.highest.Load() {
	}
}

func (l *level) leave() {
	step(Store, &l.waiting)
	l.waiting.Add(-1)
}

// awaited tells whether anyone waits who could be given s.
func (s *Server) awaited() bool { return s.level.awaited() || s.pool.awaited() }

// awaited tells whether a waiter is published here. The count alone is not enough: a release that acted upon one who has been
// counted and not yet published would find nobody, free its slot, look again, and so on until the other goes on.
func (l *level) awaited() bool {
	step(Load, &l.waiting)
	if l.waiting.Load() == 0 {
		return false
	}
	for i := range l.stripes {
		if l.stripes[i].key() != none {
			return true
		}
	}
	return false
}

// mayTake is the predicate, the only one: "a waiter may be given s now". Admission, the recheck and release all go
// through it. True means that a slot of s has been claimed.
func (s *Server) mayTake() bool {
	return s.IsOpen() && s.claim()
}

// Admit gives a newcomer a slot of s, unless s is full or closed, or somebody waits who could be given it: no barging.
func (s *Server) Admit() bool { return !s.awaited() && s.mayTake() }

// Wait queues w on the given loop, bound to one server, or for any server of the pool if bound is nil, and then looks again:
// the recheck. With TryAgain comes the server whose slot the caller now holds.
func (p *Pool) Wait(loop int, w *Waiter, bound *Server) (Outcome, *Server) {
	w.pool, w.server = p, bound
	at := w.level()
	at.enter()
	at.stripes[loop].push(w)
	if p.NoRecheck {
		return Waiting, nil
	}
	at.count(loop, lookedAgain)
	for round := 0; ; round++ {
		s := bound
		switch {
		case seeded(otherPredicate) && allBusy(p, bound):
			return Waiting, nil
		case bound == nil:
			s = p.takeAny(loop)
		case !bound.IsOpen():
			// It may have been closed before w was published: then nobody else sends w back.
			if p.Cancel(w) {
				at.count(loop, sentBack)
				return Closed, nil
			}
			return Waiting, nil
		case !bound.mayTake():
			s = nil
		}
		if s == nil {
			return Waiting, nil
		}
		if round == 0 {
			at.count(loop, atRisk)
		}
		switch best := s.takeBest(); best {
		case nil: // everybody has been served meanwhile, w too
			s.Release(loop)
			return Waiting, nil
		case w:
			at.count(loop, requeued)
			return TryAgain, s
		default: // the slot is another's by right; w looks once more
			best.level().count(loop, direct)
			best.Owner.Granted(s)
		}
	}
}

// takeAny claims a slot of any server that waiters may be given; nil if there is none. It looks at every server, from a
// different one on each loop: it runs only when a flow queues.
func (p *Pool) takeAny(loop int) *Server {
	servers := *p.servers.Load()
	for i := range servers {
		s := servers[(i+loop)%len(servers)]
		if s.mayTake() {
			return s
		}
	}
	return nil
}

func (w *Waiter) level() *level {
	if w.server != nil {
		return &w.server.level
	}
	return &w.pool.level
}

// Release gives a slot of s back, and then looks whether somebody waits for it.
func (s *Server) Release(loop int) {
	for {
		unawaited := seeded(looksFirst) && !s.awaited()
		s.free()
		if unawaited || !s.awaited() || !s.mayTake() {
			return
		}
		if w := s.takeBest(); w != nil {
			w.level().count(loop, direct)
			w.Owner.Granted(s)
			return
		}
		// The slot was claimed for a waiter that is gone: others may have seen the server full meanwhile, so free it and
		// look again.
	}
}

// Fill gives free slots to waiters until there are no more of the one or the other: for a limit that was raised, or a
// server that was opened.
func (s *Server) Fill(loop int) {
	for s.awaited() && s.mayTake() {
		w := s.takeBest()
		if w == nil {
			s.Release(loop)
			return
		}
		w.level().count(loop, direct)
		w.Owner.Granted(s)
	}
}

// takeBest takes the best waiter that may be given s, from both levels; nil if there is none. The caller holds a slot of s
// for it. No waiter is passed over for a worse one, if it was published before takeBest began.
func (s *Server) takeBest() *Waiter {
	for {
		best, key := s.pool.best(nil, none)
		best, key = s.level.best(best, key)
		if best == nil {
			return nil
		}
		// The head may have been taken since: then the next one in this stripe may be worse than another stripe's.
		if w := best.popBest(key); w != nil {
			w.level().leave()
			return w
		}
	}
}

// best is the stripe with the lowest head below key, or the given one.
func (l *level) best(at *stripe, key Key) (*stripe, Key) {
	step(Load, &l.waiting)
	if l.waiting.Load() == 0 {
		return at, key
	}
	for i := range l.stripes {
		if k := l.stripes[i].key(); k < key {
			at, key = &l.stripes[i], k
		}
	}
	return at, key
}

// Cancel takes w out of its queue. False: it has had its outcome, or is about to hear of it; a slot that comes with it is to
// be released.
func (p *Pool) Cancel(w *Waiter) bool {
	if !w.stripe.take(w) {
		return false
	}
	w.level().leave()
	return true
}

// SetLimit changes the number of slots of s. Waiters are given what is new; what is above a lowered limit is let finish.
func (s *Server) SetLimit(loop int, limit int64) {
	step(Store, &s.limit)
	s.limit.Store(limit)
	s.Fill(loop)
}

// Open lets waiters and newcomers be given s.
func (s *Server) Open(loop int) {
	step(Store, &s.open)
	s.open.Store(true)
	s.Fill(loop)
}

// IsOpen tells whether s is open.
func (s *Server) IsOpen() bool {
	step(Load, &s.open)
	return s.open.Load()
}

// Suspend keeps s from being given to anyone. Those who wait for it alone go on waiting, until it is opened or closed.
func (s *Server) Suspend() {
	step(Store, &s.open)
	s.open.Store(false)
}

// Close keeps s from being given to anyone. Those who wait for it alone are sent back.
func (s *Server) Close(loop int) {
	step(Store, &s.open)
	s.open.Store(false)
	for i := range s.stripes {
		for {
			w := s.stripes[i].popBest(none)
			if w == nil {
				break
			}
			s.level.leave()
			s.level.count(loop, sentBack)
			w.Owner.SentBack()
		}
	}
}
