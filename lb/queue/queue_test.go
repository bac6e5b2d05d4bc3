package queue

import (
	"math"
	"slices"
	"sync/atomic"
	"testing"
)

func TestKey(t *testing.T) {
	// Each key is behind the one before it.
	ordered := []Key{
		MakeKey(math.MinInt, 7, 0),
		MakeKey(MinClass, 8, 0),
		MakeKey(-1, 1e15, 0),
		MakeKey(0, math.MinInt64, 0),
		MakeKey(0, 5_000, -4),
		MakeKey(0, 2_000, 0),
		MakeKey(0, 1_000, 2),
		MakeKey(0, math.MaxInt64, 0),
		MakeKey(1, 0, 0),
		MakeKey(MaxClass, 3, 0),
		MakeKey(math.MaxInt, math.MaxInt64, 0),
		none,
	}
	if !slices.IsSorted(ordered) || len(slices.Compact(slices.Clone(ordered))) != len(ordered) {
		t.Errorf("not in order: %x", ordered)
	}
	k := MakeKey(-3, 5_000, 2)
	if k.Class() != -3 || k.Microseconds() != 7_000 {
		t.Errorf("key has class %d and time %d", k.Class(), k.Microseconds())
	}
}

// What one goroutine sees, step by step.
func TestSteps(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *testing.T, w *world)
	}{
		{"a server starts closed", func(t *testing.T, w *world) {
			s := w.pool.NewServer(nil, 1, nil)
			if s.IsOpen() || s.Admit() {
				t.Error("admitted")
			}
		}},
		{"a newcomer does not pass who waits", func(t *testing.T, w *world) {
			s := w.servers[0]
			h, f := w.holder(s), w.flow(1)
			w.holder(w.servers[1])
			w.wait(f, 0, nil)
			s.limit.Store(5) // without Fill
			if w.admit(w.flow(0), s) {
				t.Error("admitted")
			}
			w.release(h, 0)
			if f.state != holding || f.server != s {
				t.Errorf("state %d", f.state)
			}
		}},
		{"who waits for another server is in nobody's way", func(t *testing.T, w *world) {
			w.holder(w.servers[0])
			w.wait(w.flow(1), 0, w.servers[0])
			if !w.admit(w.flow(2), w.servers[1]) {
				t.Error("not admitted")
			}
		}},
		{"who queues while a slot is free tries again with it", func(t *testing.T, w *world) {
			f := w.flow(1)
			if w.wait(f, 1, nil) != TryAgain || f.server != w.servers[1] || w.pool.Waiting() != 0 {
				t.Errorf("state %d", f.state)
			}
		}},
		{"a better one gets the slot that another's recheck found", func(t *testing.T, w *world) {
			s := w.servers[0]
			w.holder(s)
			f, g := w.flow(1), w.flow(2)
			w.wait(f, 0, s)
			s.word.Add(^uint64(0)) // a release that did not look
			w.flows[0].state = idle
			if w.wait(g, 1, s) != Waiting || f.state != holding {
				t.Errorf("states %d and %d", f.state, g.state)
			}
		}},
		{"the better of the two heads", func(t *testing.T, w *world) {
			s := w.servers[0]
			h := w.holder(s)
			w.holder(w.servers[1])
			bound, any, last := w.flow(2), w.flow(1), w.flow(3)
			w.wait(bound, 0, s)
			w.wait(any, 1, nil)
			w.wait(last, 0, nil)
			for _, f := range []*flow{any, bound, last} {
				w.release(h, 1)
				if h = f; h.state != holding {
					t.Fatalf("key %d was not next", f.Key)
				}
			}
		}},
		{"equal keys in the order of arrival", func(t *testing.T, w *world) {
			s := w.servers[0]
			h := w.holder(s)
			var all []*flow
			for range 20 {
				f := w.flow(7)
				w.wait(f, 0, s)
				all = append(all, f)
			}
			for i, f := range all {
				w.release(h, 0)
				if h = f; f.state != holding {
					t.Fatalf("%d was not next", i)
				}
			}
		}},
		{"a raised limit serves so many", func(t *testing.T, w *world) {
			s := w.servers[0]
			w.holder(s)
			for i := range 5 {
				w.wait(w.flow(Key(i)), i%2, s)
			}
			s.SetLimit(0, 4)
			if s.Served() != 4 || s.Waiting() != 2 || s.Highest() != 5 {
				t.Errorf("%d are served, %d wait, at most %d", s.Served(), s.Waiting(), s.Highest())
			}
		}},
		{"a lowered limit lets the excess finish", func(t *testing.T, w *world) {
			s := w.servers[0]
			s.SetLimit(0, 3)
			h, k, l, f := w.holder(s), w.holder(s), w.holder(s), w.flow(1)
			w.wait(f, 0, s)
			s.SetLimit(0, 1)
			w.release(h, 0)
			w.release(k, 0)
			if f.state != waiting || s.Served() != 1 {
				t.Errorf("state %d, %d are served", f.state, s.Served())
			}
			w.release(l, 0)
			if f.state != holding {
				t.Errorf("state %d", f.state)
			}
		}},
		{"a server that closes sends its own back, keeps what it has, and leaves the others", func(t *testing.T, w *world) {
			s := w.servers[0]
			h, k, f, g := w.holder(s), w.holder(w.servers[1]), w.flow(1), w.flow(2)
			w.wait(f, 0, s)
			w.wait(g, 1, nil)
			s.Close(0)
			if f.state != turnedAway || g.state != waiting || s.Served() != 1 {
				t.Errorf("states %d and %d, %d are served", f.state, g.state, s.Served())
			}
			if w.wait(f, 0, s) != Closed {
				t.Error("it waits for a closed server")
			}
			w.release(h, 0)
			if g.state != waiting {
				t.Error("a closed server served")
			}
			w.release(k, 0)
			if g.state != holding {
				t.Error("an open one did not")
			}
		}},
		{"a server that opens takes waiters, up to its limit", func(t *testing.T, w *world) {
			s := w.servers[0]
			w.servers[1].Close(0)
			s.Close(0)
			for i := range 3 {
				w.wait(w.flow(Key(i)), i%2, nil)
			}
			s.Open(0)
			if s.Served() != 1 || w.pool.Waiting() != 2 {
				t.Errorf("%d are served, %d wait", s.Served(), w.pool.Waiting())
			}
		}},
		{"a cancelled one is not served", func(t *testing.T, w *world) {
			s := w.servers[0]
			h, f, g := w.holder(s), w.flow(1), w.flow(2)
			w.wait(f, 0, s)
			w.wait(g, 0, s)
			if !w.cancel(f) || w.pool.Cancel(&f.Waiter) {
				t.Error("cancelled not once")
			}
			w.release(h, 0)
			if g.state != holding || w.pool.Cancel(&g.Waiter) {
				t.Errorf("state %d", g.state)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(1, 1)
			w.lowered = true
			c.do(t, w)
			if err := w.quiet(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The word may be elsewhere, and a second limit may come from elsewhere.
func TestWordAndDynamicLimit(t *testing.T) {
	var word atomic.Uint64
	dynamic := int64(1)
	p := NewPool(1)
	s := p.NewServer(&word, 10, func() int64 { return dynamic })
	changes := 0
	s.Changed = func() { changes++ }
	s.Open(0)
	if !s.Admit() || s.Admit() || word.Load() != 1 || !s.Full() || s.Limit() != 1 {
		t.Errorf("%d are served", word.Load())
	}
	w := &world{pool: p, servers: []*Server{s}}
	f := w.flow(1)
	w.wait(f, 0, s)
	dynamic = 3
	s.Fill(0)
	if f.state != holding || word.Load() != 2 || s.Full() {
		t.Errorf("%d are served", word.Load())
	}
	s.Release(0)
	w.release(f, 0)
	if word.Load() != 0 || changes != 4 {
		t.Errorf("%d are served, %d changes were told", word.Load(), changes)
	}
}
