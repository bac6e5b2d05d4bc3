//go:build queuestep

package queue

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// scene is a world with what goes on in it.
type scene struct {
	*world
	names   []string
	scripts []func()
}

func newScene(limits ...int64) *scene { return &scene{world: newWorld(limits...)} }

// script adds what one goroutine does.
func (w *scene) script(name string, do func()) {
	w.names, w.scripts = append(w.names, name), append(w.scripts, do)
}

// ending describes the state at the end, to compare sets of runs.
func (w *world) ending() string {
	var b strings.Builder
	for _, f := range w.flows {
		at := -1
		for i, s := range w.servers {
			if f.server == s {
				at = i
			}
		}
		fmt.Fprint(&b, f.state, at, f.waits, f.tries, f.grants, f.sentBack, f.cancels, " ")
	}
	return b.String()
}

// await lets a script wait for the outcome of its flow's wait; in a run in which none comes the script ends there.
func (w *world) await(f *flow) bool {
	step(Acquire, f)
	return f.state == holding
}

// finally is what holds at the end of a run.
func (w *scene) finally(coroutines []*coroutine) error {
	for i, c := range coroutines {
		if f, ok := c.at.object.(*flow); c.live && (!ok || f.state != waiting) {
			return fmt.Errorf("%s hangs", w.names[i])
		}
	}
	if err := w.quiet(); err != nil {
		return err
	}
	order, err := w.drain()
	if err != nil {
		return err
	}
	if len(w.servers) == 1 {
		for i := 1; i < len(order); i++ {
			if order[i].Key < order[i-1].Key {
				return fmt.Errorf("key %d was served before key %d", order[i-1].Key, order[i].Key)
			}
		}
	}
	return nil
}

// smallCase is a few operations whose interleavings are explored.
type smallCase struct {
	name  string
	bound int // of preemptions
	make  func() *scene
}

// enterAndLeave is what a flow does: ask for a slot, else wait; and once it has one, leave.
func (w *world) enterAndLeave(f *flow, loop int, s, bound *Server) {
	if w.admit(f, s) || w.wait(f, loop, bound) == TryAgain || w.await(f) {
		w.release(f, loop)
	}
}

func smallCases() []smallCase {
	return []smallCase{
		{"wait, release", unbounded, func() *scene {
			w := newScene(1)
			h, f := w.holder(w.servers[0]), w.flow(1)
			w.script("wait", func() { w.wait(f, 0, nil) })
			w.script("release", func() { w.release(h, 1) })
			return w
		}},
		{"bound wait, release", unbounded, func() *scene {
			w := newScene(1)
			h, f := w.holder(w.servers[0]), w.flow(1)
			w.script("wait", func() { w.wait(f, 0, w.servers[0]) })
			w.script("release", func() { w.release(h, 1) })
			return w
		}},
		{"wait, release of one of two", unbounded, func() *scene {
			w := newScene(2)
			h, f := w.holder(w.servers[0]), w.flow(1)
			w.holder(w.servers[0])
			w.script("wait", func() { w.wait(f, 0, nil) })
			w.script("release", func() { w.release(h, 1) })
			return w
		}},
		{"enter, release", unbounded, func() *scene {
			w := newScene(1)
			h, f := w.holder(w.servers[0]), w.flow(1)
			w.script("enter", func() { w.enterAndLeave(f, 0, w.servers[0], nil) })
			w.script("release", func() { w.release(h, 1) })
			return w
		}},
		{"enter, enter", unbounded, func() *scene {
			w := newScene(1)
			f, g := w.flow(1), w.flow(2)
			w.script("enter 1", func() { w.enterAndLeave(f, 0, w.servers[0], nil) })
			w.script("enter 2", func() { w.enterAndLeave(g, 1, w.servers[0], nil) })
			return w
		}},
		{"wait and cancel, release", unbounded, func() *scene {
			w := newScene(1)
			h, f := w.holder(w.servers[0]), w.flow(1)
			w.script("wait, cancel", func() {
				if w.wait(f, 0, nil) == Waiting {
					w.cancel(f)
				}
			})
			w.script("release", func() { w.release(h, 1) })
			return w
		}},
		{"cancel, release, one behind", unbounded, func() *scene {
			w := newScene(1)
			h, f, g := w.holder(w.servers[0]), w.flow(1), w.flow(2)
			w.wait(f, 0, nil)
			w.wait(g, 0, nil)
			w.script("cancel", func() { w.cancel(f) })
			w.script("release", func() { w.release(h, 1) })
			return w
		}},
		{"bound wait, close", unbounded, func() *scene {
			w := newScene(1)
			w.holder(w.servers[0])
			f := w.flow(1)
			w.script("wait", func() { w.wait(f, 0, w.servers[0]) })
			w.script("close", func() { w.servers[0].Close(1) })
			return w
		}},
		{"bound wait, close a free server", unbounded, func() *scene {
			w := newScene(1)
			f := w.flow(1)
			w.script("wait", func() { w.wait(f, 0, w.servers[0]) })
			w.script("close", func() { w.servers[0].Close(1) })
			return w
		}},
		{"wait, close and open", unbounded, func() *scene {
			w := newScene(1)
			f := w.flow(1)
			w.script("wait", func() { w.wait(f, 0, nil) })
			w.script("close, open", func() { w.servers[0].Close(1); w.servers[0].Open(1) })
			return w
		}},
		{"bound wait, close and open", unbounded, func() *scene {
			w := newScene(1)
			f := w.flow(1)
			w.script("wait", func() { w.wait(f, 0, w.servers[0]) })
			w.script("close, open", func() { w.servers[0].Close(1); w.servers[0].Open(1) })
			return w
		}},
		{"wait, raised limit", unbounded, func() *scene {
			w := newScene(1)
			w.holder(w.servers[0])
			f := w.flow(1)
			w.script("wait", func() { w.wait(f, 0, nil) })
			w.script("raise", func() { w.servers[0].SetLimit(1, 2) })
			return w
		}},
		{"wait, lowered limit", unbounded, func() *scene {
			w := newScene(2)
			w.lowered = true
			h, f := w.holder(w.servers[0]), w.flow(1)
			w.script("wait, leave", func() {
				if w.wait(f, 0, nil) == TryAgain {
					w.release(f, 0)
				}
			})
			w.script("lower", func() { w.servers[0].SetLimit(1, 1); w.release(h, 1) })
			return w
		}},
		{"bound wait, any release: two levels", unbounded, func() *scene {
			w := newScene(1)
			h, f, g := w.holder(w.servers[0]), w.flow(2), w.flow(1)
			w.wait(g, 1, nil)
			w.script("bound wait", func() { w.wait(f, 0, w.servers[0]) })
			w.script("release", func() { w.release(h, 1) })
			return w
		}},
		{"wait, two servers, both released", unbounded, func() *scene {
			w := newScene(1, 1)
			h, k, f := w.holder(w.servers[0]), w.holder(w.servers[1]), w.flow(1)
			w.script("wait", func() { w.wait(f, 0, nil) })
			w.script("release both", func() { w.release(h, 1); w.release(k, 1) })
			return w
		}},
		{"wait, wait", unbounded, func() *scene {
			w := newScene(1)
			f, g := w.flow(2), w.flow(1)
			w.script("wait 1", func() { w.wait(f, 0, nil) })
			w.script("wait 2", func() { w.wait(g, 1, nil) })
			return w
		}},
		{"hand over", unbounded, func() *scene {
			w := newScene(1)
			h, f, g := w.holder(w.servers[0]), w.flow(1), w.flow(2)
			w.wait(f, 0, nil)
			w.script("release", func() { w.release(h, 0) })
			w.script("admit", func() { w.admit(g, w.servers[0]) })
			return w
		}},
		{"wait, cancel another", unbounded, func() *scene {
			w := newScene(1)
			w.holder(w.servers[0])
			f, g := w.flow(1), w.flow(2)
			w.wait(f, 0, nil)
			w.script("cancel", func() { w.cancel(f) })
			w.script("wait", func() { w.wait(g, 0, nil) })
			return w
		}},
		{"wait, wait, release", unbounded, func() *scene {
			w := newScene(1)
			h, f, g := w.holder(w.servers[0]), w.flow(2), w.flow(1)
			w.script("wait 1", func() { w.wait(f, 0, nil) })
			w.script("wait 2", func() { w.wait(g, 1, nil) })
			w.script("release", func() { w.release(h, 1) })
			return w
		}},
		{"wait, wait in one stripe, release", unbounded, func() *scene {
			w := newScene(1)
			h, f, g := w.holder(w.servers[0]), w.flow(2), w.flow(1)
			w.script("wait 1", func() { w.wait(f, 0, nil) })
			w.script("wait 2", func() { w.wait(g, 0, nil) })
			w.script("release", func() { w.release(h, 1) })
			return w
		}},
		{"wait and cancel, wait, release", unbounded, func() *scene {
			w := newScene(1)
			h, f, g := w.holder(w.servers[0]), w.flow(1), w.flow(2)
			w.script("wait, cancel", func() {
				if w.wait(f, 0, nil) == Waiting {
					w.cancel(f)
				}
			})
			w.script("wait", func() { w.wait(g, 1, nil) })
			w.script("release", func() { w.release(h, 1) })
			return w
		}},
		{"admit, wait, release", unbounded, func() *scene {
			w := newScene(1)
			h, f, g := w.holder(w.servers[0]), w.flow(2), w.flow(1)
			w.script("admit", func() { w.admit(f, w.servers[0]) })
			w.script("wait", func() { w.wait(g, 0, nil) })
			w.script("release", func() { w.release(h, 1) })
			return w
		}},
		{"wait, bound wait, release: two levels", unbounded, func() *scene {
			w := newScene(1)
			h, f, g := w.holder(w.servers[0]), w.flow(2), w.flow(1)
			w.script("wait", func() { w.wait(f, 0, nil) })
			w.script("bound wait", func() { w.wait(g, 1, w.servers[0]) })
			w.script("release", func() { w.release(h, 1) })
			return w
		}},
		{"wait, raised limit, release", 2, func() *scene {
			w := newScene(1)
			h, f := w.holder(w.servers[0]), w.flow(2)
			w.wait(w.flow(1), 1, nil)
			w.script("wait", func() { w.wait(f, 0, nil) })
			w.script("raise", func() { w.servers[0].SetLimit(1, 2) })
			w.script("release", func() { w.release(h, 1) })
			return w
		}},
		{"wait, bound wait, close", unbounded, func() *scene {
			w := newScene(1)
			w.holder(w.servers[0])
			f, g := w.flow(1), w.flow(2)
			w.script("wait", func() { w.wait(f, 0, nil) })
			w.script("bound wait", func() { w.wait(g, 1, w.servers[0]) })
			w.script("close, open", func() { w.servers[0].Close(1); w.servers[0].Open(1) })
			return w
		}},
		{"wait for either of two servers, release, release", unbounded, func() *scene {
			w := newScene(1, 1)
			h, k, f := w.holder(w.servers[0]), w.holder(w.servers[1]), w.flow(1)
			w.script("wait", func() { w.wait(f, 0, nil) })
			w.script("release 1", func() { w.release(h, 0) })
			w.script("release 2", func() { w.release(k, 1) })
			return w
		}},
		{"enter, enter, release", 2, func() *scene {
			w := newScene(1)
			h, f, g := w.holder(w.servers[0]), w.flow(2), w.flow(1)
			w.script("enter 1", func() { w.enterAndLeave(f, 0, w.servers[0], nil) })
			w.script("enter 2", func() { w.enterAndLeave(g, 1, w.servers[0], nil) })
			w.script("release", func() { w.release(h, 1) })
			return w
		}},
		{"close and open, bound wait, release", 2, func() *scene {
			w := newScene(1)
			h, f := w.holder(w.servers[0]), w.flow(2)
			w.wait(w.flow(1), 1, nil)
			w.script("close, open", func() { w.servers[0].Close(1); w.servers[0].Open(1) })
			w.script("bound wait, cancel", func() {
				if w.wait(f, 0, w.servers[0]) == Waiting {
					w.cancel(f)
				}
			})
			w.script("release", func() { w.release(h, 1) })
			return w
		}},
		{"two servers, two levels, two releases", 2, func() *scene {
			w := newScene(1, 1)
			h, k, f, g := w.holder(w.servers[0]), w.holder(w.servers[1]), w.flow(2), w.flow(1)
			w.script("wait", func() { w.wait(f, 0, nil) })
			w.script("bound wait", func() { w.wait(g, 1, w.servers[1]) })
			w.script("release 1", func() { w.release(h, 0) })
			w.script("release 2", func() { w.release(k, 1) })
			return w
		}},
		{"limit lowered, raised, with a wait, a release and a cancel", 2, func() *scene {
			w := newScene(2)
			w.lowered = true
			h, k, f, g := w.holder(w.servers[0]), w.holder(w.servers[0]), w.flow(2), w.flow(1)
			w.wait(g, 1, w.servers[0])
			w.script("lower, raise", func() { w.servers[0].SetLimit(0, 1); w.servers[0].SetLimit(0, 2) })
			w.script("wait", func() { w.wait(f, 0, nil) })
			w.script("release both", func() { w.release(h, 0); w.release(k, 1) })
			w.script("cancel", func() { w.cancel(g) })
			return w
		}},
		{"three enter and leave", 2, func() *scene {
			w := newScene(1)
			for i := range 3 {
				f := w.flow(Key(3 - i))
				w.script(fmt.Sprint("enter ", i+1), func() { w.enterAndLeave(f, i%2, w.servers[0], nil) })
			}
			return w
		}},
	}
}

// deeper allows one preemption more where their number is bounded (half a minute).
var deeper = os.Getenv("QUEUE_EXPLORE") == "deeper"

func TestExplore(t *testing.T) {
	for _, c := range smallCases() {
		t.Run(c.name, func(t *testing.T) {
			if c.bound != unbounded && deeper {
				c.bound++
			}
			start := time.Now()
			e := &explorer{make: c.make, bound: c.bound}
			if err := e.explore(); err != nil {
				t.Fatalf("run %d: %v", e.runs, err)
			}
			how := "exhaustive"
			if c.bound != unbounded {
				how = fmt.Sprintf("up to %d preemptions", c.bound)
			}
			t.Logf("%s: %d runs, %d cut short, of up to %d steps, %v",
				how, e.runs, e.pruned, e.deepest, time.Since(start).Round(time.Millisecond))
		})
	}
}

// The runs that sleep sets leave out end like ones that they keep.
func TestSleepSets(t *testing.T) {
	for _, c := range smallCases() {
		switch c.name {
		case "bound wait, close", "hand over", "wait, cancel another":
		case "wait, release": // 784,309 runs, half a minute
			if !deeper {
				continue
			}
		default:
			continue
		}
		var explorers [2]*explorer
		for i := range explorers {
			explorers[i] = &explorer{make: c.make, bound: c.bound, allRuns: i == 1, endings: map[string]int{}}
			if err := explorers[i].explore(); err != nil {
				t.Fatal(err)
			}
		}
		some, all := explorers[0], explorers[1]
		if !slices.Equal(slices.Sorted(maps.Keys(some.endings)), slices.Sorted(maps.Keys(all.endings))) {
			t.Errorf("%s: with sleep sets the runs end as %v, without as %v", c.name, some.endings, all.endings)
		}
		if some.runs >= all.runs {
			t.Errorf("%s: sleep sets kept %d of %d runs", c.name, some.runs, all.runs)
		}
		t.Logf("%s: %d of %d runs, %d endings", c.name, some.runs, all.runs, len(all.endings))
	}
}

// The explorer finds what it is there to find: with each fault it comes upon the stranded waiter, and shows the shortest way
// there by the number of preemptions.
func TestExplorerFindsFaults(t *testing.T) {
	cases := map[string]smallCase{}
	for _, c := range smallCases() {
		cases[c.name] = c
	}
	for _, f := range []struct {
		name, in  string
		fault     fault
		noRecheck bool
	}{
		{"no recheck", "enter, release", 0, true},
		{"release looks before it frees", "enter, release", looksFirst, false},
		{"recheck with another predicate", "wait, release of one of two", otherPredicate, false},
		{"no recheck, two levels", "wait, bound wait, release: two levels", 0, true},
		{"no recheck, raised limit", "wait, raised limit", 0, true},
		{"no recheck, closed", "bound wait, close", 0, true},
	} {
		t.Run(f.name, func(t *testing.T) {
			seed = f.fault
			defer func() { seed = 0 }()
			faulty := func() *scene {
				w := cases[f.in].make()
				w.pool.NoRecheck = f.noRecheck
				return w
			}
			if (&explorer{make: faulty, bound: unbounded}).explore() == nil {
				t.Error("all interleavings, and nothing found")
			}
			for bound := range 3 {
				e := &explorer{make: faulty, bound: bound}
				if err := e.explore(); err != nil {
					if !strings.Contains(err.Error(), "stranded") {
						t.Errorf("found something else: %v", err)
					}
					t.Logf("with %d preemptions, in run %d: %v", bound, e.runs, err)
					return
				}
			}
			t.Error("not found with 2 preemptions")
		})
	}
}

// Random yields find that the recheck is missing, at once. The other two faults need three things to come together; within
// 5,000 rounds the second is found as a rule and the first is not. That is what the explorer is for.
func TestStressFindsMissingRecheck(t *testing.T) {
	yieldAtRandom(t)
	w := newStress(1, 2)
	w.steady, w.pool.NoRecheck = true, true
	for round := range 1000 {
		if err := w.round(round, 8); err != nil {
			if !strings.Contains(err.Error(), "stranded") {
				t.Error(err)
			}
			t.Logf("round %d: %v", round, err)
			return
		}
	}
	t.Error("nothing found")
}

// Histories without the recheck do not fit the spec.
func TestHistoriesFindMissingRecheck(t *testing.T) {
	yieldAtRandom(t)
	for seed := range uint64(2000) {
		limits := [2]int8{1, 1}
		if r := record(seed, limits, 12, false, true); !r.fits(limits, false) {
			t.Logf("history %d does not fit", seed)
			return
		}
	}
	t.Error("all fit")
}
