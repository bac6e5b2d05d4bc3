package check

import (
	"sync"
	"time"
)

// interruptible is what runs in a check and can be made to end.
type interruptible interface{ Interrupt() }

// probe is one check that comes again and again: a server's health check, or its agent's.
type probe struct {
	server   *Server
	run      func(p *probe)       // makes one check and reports it; a stopped one reports nothing
	interval func() time.Duration // until the next, as the state is now
	enabled  func() bool          // false: this time there is none

	due     time.Time // of the schedule, under its mu
	place   int       // in its heap; -1: it runs
	removed bool      // it never comes again

	// yield is called by a check that is about to wait: what was due with it goes on without it. It belongs to the goroutine
	// that makes the check.
	yield func()

	ended time.Time // when the check that runs was decided; of that goroutine, too

	mu      sync.Mutex
	current interruptible // what runs now; nil: nothing
	stopped bool
}

// shift is checks that are due at the same time. One goroutine makes them one after the other, as long as none has to wait;
// when one does, another goroutine goes on with the rest. So checks that need not wait share a goroutine, and none waits
// for another.
type shift struct {
	checker *Checker
	due     []*probe // those that nobody has begun
	passed  bool     // another goroutine goes on with them
}

func (s *shift) work() {
	defer s.checker.running.Done()
	for len(s.due) > 0 && !s.passed {
		p := s.due[0]
		s.due = s.due[1:]
		p.yield = s.pass
		p.once()
	}
}

// pass gives what is left to another goroutine, if that was not done before.
func (s *shift) pass() {
	if s.passed {
		return
	}
	s.passed = true
	if len(s.due) > 0 {
		s.checker.running.Add(1)
		go (&shift{checker: s.checker, due: s.due}).work()
	}
}

// once makes the check if it is to be made, and puts it back into the schedule.
func (p *probe) once() {
	c := p.server.checker
	p.ended = time.Time{}
	if p.enabled() && !c.stopped.Load() {
		p.run(p)
	}
	if p.ended.IsZero() {
		p.ended = time.Now()
	}
	if !c.stopped.Load() {
		c.schedule.again(p, p.ended)
	}
}

// hold says what runs, so that it can be interrupted; false: it should not begin.
func (p *probe) hold(what interruptible) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return false
	}
	p.current = what
	return true
}

// decided notes that the check has its result; false: it was stopped meanwhile, and what it saw is not to be told.
func (p *probe) decided() bool {
	p.ended = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.stopped
}

// release ends what hold began.
func (p *probe) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = nil
}

func (p *probe) interrupt() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	if p.current != nil {
		p.current.Interrupt()
	}
}
