//go:build queuestep

package queue

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"strings"
	"sync/atomic"
)

// The explorer runs the package's own operations as coroutines, of which one runs at a time. Each stops before every atomic
// step (Step), so the explorer knows what each would do next, and to which object. It goes depth first through the choices
// of who takes the next step, starting each run afresh with the choices made so far.
//
// Two steps commute if they have different objects or are both loads; runs that differ only in the order of commuting steps
// end alike. Sleep sets (Godefroid 1996) leave out such repetitions and nothing else: after the runs in which A goes first,
// those in which B goes first need A only once a step has been taken that does not commute with A's. So "exhaustive" below
// means: every interleaving, but one of each set that differs by commuting steps. TestSleepSets compares with all of them.
//
// Where that is too many, the number of preemptions (switches away from a coroutine that could go on) is bounded, and
// sleep sets are off: all interleavings with that many preemptions or fewer.

// pending is the step that a coroutine will take next.
type pending struct {
	access Access
	object any
}

func (p pending) commutes(q pending) bool {
	return p.object != q.object || p.access == Load && q.access == Load
}

// possible tells whether the step can be taken now.
func (p pending) possible() bool {
	if p.access != Acquire {
		return true
	}
	switch o := p.object.(type) {
	case *lock:
		free := o.TryLock()
		if free {
			o.Unlock()
		}
		return free
	case *flow:
		return o.told
	}
	panic(fmt.Sprintf("acquire of %T", p.object))
}

// coroutine is one of the operations that are interleaved.
type coroutine struct {
	next  func() (pending, bool)
	stop  func()
	yield func(pending) bool
	at    pending
	live  bool
}

var errAbandoned = errors.New("run abandoned")

// choice is a place in the tree of runs.
type choice struct {
	pending     [maxCoroutines]pending
	enabled     uint // coroutines that could go on
	asleep      uint // of these, what need not be tried: tried already, or its runs are covered elsewhere
	chosen      int
	last        int // who went before; -1: none
	preemptions int // before this choice
}

const maxCoroutines = 4

// explorer holds one exploration.
type explorer struct {
	make  func() *scene
	bound int // of preemptions; unbounded: sleep sets
	// allRuns switches sleep sets off where bound is unbounded.
	allRuns bool

	path    []choice
	running *coroutine

	runs, pruned, deepest int
	endings               map[string]int // by world.ending, if it is set
}

const (
	unbounded = -1
	// longest is more steps than any run can have in which each repetition follows from another's progress.
	longest = 600
)

// explore goes through all runs; the error is the first that a run ended with, with its steps.
func (e *explorer) explore() error {
	Step = e.step
	defer func() { Step = nil }()
	for {
		if err := e.run(); err != nil {
			return err
		}
		if !e.backtrack() {
			return nil
		}
	}
}

func (e *explorer) step(access Access, object any) {
	c := e.running
	if c == nil {
		return // setting up, or looking at the end
	}
	if !c.yield(pending{access, object}) {
		panic(errAbandoned)
	}
}

// start makes a coroutine that stands before its first step.
func (e *explorer) start(body func()) *coroutine {
	c := &coroutine{}
	c.next, c.stop = iter.Pull(func(yield func(pending) bool) {
		defer func() {
			if r := recover(); r != nil && r != errAbandoned {
				panic(r)
			}
		}()
		c.yield = yield
		body()
	})
	e.resume(c)
	return c
}

func (e *explorer) resume(c *coroutine) {
	e.running = c
	c.at, c.live = c.next()
	e.running = nil
}

// run makes one run: the choices of path again, then new ones to the end.
func (e *explorer) run() error {
	w := e.make()
	coroutines := make([]*coroutine, len(w.scripts))
	for i, script := range w.scripts {
		coroutines[i] = e.start(script)
	}
	defer func() {
		for _, c := range coroutines {
			e.running = c
			c.stop()
		}
		e.running = nil
	}()
	for depth := 0; ; depth++ {
		if depth == len(e.path) {
			if !e.extend(coroutines) {
				break
			}
		} else {
			e.path[depth].see(coroutines) // the same steps, of this run's objects
		}
		if depth == longest {
			return fmt.Errorf("no end after %d steps:\n%s", longest, strings.Join(w.trace(e.path[:80]), "\n"))
		}
		e.resume(coroutines[e.path[depth].chosen])
		if err := w.always(); err != nil {
			return fmt.Errorf("%w, after\n%s", err, strings.Join(w.trace(e.path[:depth+1]), "\n"))
		}
	}
	e.deepest = max(e.deepest, len(e.path))
	if last := &e.path[len(e.path)-1]; last.chosen < 0 {
		e.path = e.path[:len(e.path)-1]
		e.pruned++
		return nil
	}
	e.runs++
	if err := w.finally(coroutines); err != nil {
		return fmt.Errorf("%w, after\n%s", err, strings.Join(w.trace(e.path), "\n"))
	}
	if e.endings != nil {
		e.endings[w.ending()]++
	}
	return nil
}

// extend adds the next choice; false if nobody can go on, or if nothing new can come of it: then a choice of -1 is added.
func (e *explorer) extend(coroutines []*coroutine) bool {
	c := choice{last: -1}
	c.see(coroutines)
	for i, co := range coroutines {
		if co.live && co.at.possible() {
			c.enabled |= 1 << i
		}
	}
	if c.enabled == 0 {
		return false
	}
	if len(e.path) > 0 {
		before := &e.path[len(e.path)-1]
		c.last, c.preemptions = before.chosen, before.preemptions+before.preempts()
		if e.sleeps() {
			for i := range coroutines {
				if before.asleep&(1<<i) != 0 && before.pending[i].commutes(before.pending[before.chosen]) {
					c.asleep |= 1 << i
				}
			}
		}
	}
	c.choose(e.bound)
	e.path = append(e.path, c)
	return c.chosen >= 0
}

func (c *choice) see(coroutines []*coroutine) {
	for i, co := range coroutines {
		c.pending[i] = co.at
	}
}

func (e *explorer) sleeps() bool { return e.bound == unbounded && !e.allRuns }

// preempts is 1 if the choice takes the turn from one who could have gone on.
func (c *choice) preempts() int {
	if c.last >= 0 && c.chosen != c.last && c.enabled&(1<<c.last) != 0 {
		return 1
	}
	return 0
}

// choose picks who goes next: who went last, if possible; -1 if all is tried.
func (c *choice) choose(bound int) {
	open := c.enabled &^ c.asleep
	if c.last >= 0 && c.enabled&(1<<c.last) != 0 {
		if open&(1<<c.last) != 0 {
			c.chosen = c.last
			return
		}
		if bound != unbounded && c.preemptions == bound {
			open = 0
		}
	}
	c.chosen = bits.TrailingZeros(open)
	if open == 0 {
		c.chosen = -1
	}
}

// backtrack goes to the last choice at which something else can be tried.
func (e *explorer) backtrack() bool {
	for len(e.path) > 0 {
		c := &e.path[len(e.path)-1]
		c.asleep |= 1 << c.chosen
		if c.choose(e.bound); c.chosen >= 0 {
			return true
		}
		e.path = e.path[:len(e.path)-1]
	}
	return false
}

// trace says in words what was done.
func (w *scene) trace(path []choice) []string {
	var lines []string
	for _, c := range path {
		verb := [...]string{"looks at", "changes", "takes"}[c.pending[c.chosen].access]
		lines = append(lines, fmt.Sprintf("   %s %s %s", w.names[c.chosen], verb, w.object(c.pending[c.chosen].object)))
	}
	return lines
}

func (w *world) object(o any) string {
	for i, s := range w.servers {
		name := fmt.Sprintf("server %d's ", i+1)
		switch o {
		case any(s.word):
			return name + "slots"
		case any(&s.limit):
			return name + "limit"
		case any(&s.open):
			return name + "open"
		}
		if n := s.level.object(o); n != "" {
			return name + n
		}
	}
	for i, f := range w.flows {
		if o == any(f) {
			return fmt.Sprintf("flow %d's outcome", i+1)
		}
	}
	return "the pool's " + w.pool.object(o)
}

func (l *level) object(o any) string {
	if at, ok := o.(*atomic.Int64); ok && at == &l.waiting {
		return "count of waiters"
	}
	for i := range l.stripes {
		switch o {
		case any(&l.stripes[i].head):
			return fmt.Sprintf("head of stripe %d", i)
		case any(&l.stripes[i].lock):
			return fmt.Sprintf("lock of stripe %d", i)
		}
	}
	return ""
}
