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

	due   time.Time // of the schedule, under its mu
	place int       // in its heap; -1: it runs

	mu      sync.Mutex
	current interruptible // what runs now; nil: nothing
	stopped bool
}

// once makes the check if it is to be made, and puts it back into the schedule.
func (p *probe) once() {
	c := p.server.checker
	defer c.running.Done()
	if p.enabled() {
		p.run(p)
	}
	if !c.stopped.Load() {
		c.schedule.again(p, time.Now())
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

// release ends what hold began; false: the check was stopped meanwhile, and what it saw is not to be told.
func (p *probe) release() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = nil
	return !p.stopped
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
