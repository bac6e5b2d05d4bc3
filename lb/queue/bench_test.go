package queue

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// contender is what is compared: the queue of this package, and a plain one.
type contender interface {
	// cycle takes a slot and gives it back, while nobody waits.
	cycle(loop int)
	// turn gives a slot back, which goes to the best waiter, and queues another.
	turn(loop int, key Key)
}

// ring is one loop's waiters, used in turn: long enough for the next to have been granted when it is due.
type ring[W any] struct {
	waiters []W
	next    int
	_       [64]byte
}

// reusable is a waiter of a ring.
type reusable struct {
	Waiter
	granted atomic.Bool
}

func (r *reusable) Granted(*Server) { r.granted.Store(true) }
func (r *reusable) SentBack()       {}

type striped struct {
	pool   *Pool
	server *Server
	bound  *Server
	rings  []ring[reusable]
}

// newStriped makes a queue in which waiters wait; with none, slots are plenty.
func newStriped(loops, waiters int) *striped {
	c := &striped{pool: NewPool(loops), rings: make([]ring[reusable], loops)}
	limit := int64(Unlimited)
	if waiters > 0 {
		limit = int64(loops)
	}
	c.server = c.pool.NewServer(nil, limit, nil)
	c.server.Open(0)
	if waiters == 0 {
		return c
	}
	for loop := range c.rings {
		r := &c.rings[loop]
		r.waiters = make([]reusable, waiters+2*loops)
		for i := range r.waiters {
			r.waiters[i].Owner = &r.waiters[i]
			r.waiters[i].granted.Store(true)
		}
		c.server.Admit()
	}
	for i := range waiters {
		c.queueUp(i%loops, Key(i))
	}
	return c
}

func (c *striped) cycle(loop int) {
	if c.server.Admit() {
		c.server.Release(loop)
	}
}

func (c *striped) turn(loop int, key Key) {
	c.server.Release(loop)
	c.queueUp(loop, key)
}

func (c *striped) queueUp(loop int, key Key) {
	r := &c.rings[loop]
	w := &r.waiters[r.next]
	if r.next++; r.next == len(r.waiters) {
		r.next = 0
	}
	for !w.granted.CompareAndSwap(true, false) {
		runtime.Gosched()
	}
	w.Key = key
	if outcome, s := c.pool.Wait(loop, &w.Waiter, c.bound); outcome == TryAgain {
		w.granted.Store(true)
		s.Release(loop)
		c.queueUp(loop, key)
	}
}

type plain struct {
	heap  mutexHeap
	rings []ring[plainReusable]
}

type plainReusable struct {
	plainWaiter
	free atomic.Bool
}

func newPlain(loops, waiters int) *plain {
	c := &plain{rings: make([]ring[plainReusable], loops)}
	c.heap.limit = math.MaxInt
	if waiters == 0 {
		return c
	}
	c.heap.limit, c.heap.served = loops, loops
	for loop := range c.rings {
		r := &c.rings[loop]
		r.waiters = make([]plainReusable, waiters+2*loops)
		for i := range r.waiters {
			w := &r.waiters[i]
			w.free.Store(true)
			w.plainWaiter.granted = func() { w.free.Store(true) }
		}
	}
	for i := range waiters {
		c.queueUp(i%loops, Key(i))
	}
	return c
}

func (c *plain) cycle(int) {
	if c.heap.enter(nil) {
		c.heap.release()
	}
}

func (c *plain) turn(loop int, key Key) {
	c.heap.release()
	c.queueUp(loop, key)
}

func (c *plain) queueUp(loop int, key Key) {
	r := &c.rings[loop]
	w := &r.waiters[r.next]
	if r.next++; r.next == len(r.waiters) {
		r.next = 0
	}
	for !w.free.CompareAndSwap(true, false) {
		runtime.Gosched()
	}
	w.key = key
	c.heap.enter(&w.plainWaiter)
}

// share lets the loops do n turns (or cycles) together.
func share(c contender, loops, waiters, n int) {
	var clock atomic.Int64
	clock.Store(int64(waiters))
	var wg sync.WaitGroup
	for loop := range loops {
		wg.Go(func() {
			for i := loop; i < n; i += loops {
				if waiters == 0 {
					c.cycle(loop)
				} else {
					c.turn(loop, Key(clock.Add(1)))
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkTurn: with no waiters, admission and release; with some, a release that is a grant, and the queueing of another
// flow, so that their number stays.
func BenchmarkTurn(b *testing.B) {
	for _, waiters := range []int{0, 10, 10_000} {
		for _, loops := range []int{1, 2, 4, 8} {
			for _, kind := range []string{"striped", "plain"} {
				b.Run(fmt.Sprintf("waiters=%d/loops=%d/%s", waiters, loops, kind), func(b *testing.B) {
					var queue contender
					if queue = newStriped(loops, waiters); kind == "plain" {
						queue = newPlain(loops, waiters)
					}
					b.ReportAllocs()
					b.ResetTimer()
					share(queue, loops, waiters, b.N)
				})
			}
		}
	}
}

// BenchmarkUncontended is what one goroutine pays, by the number of stripes.
func BenchmarkUncontended(b *testing.B) {
	for _, loops := range []int{1, 2, 8} {
		b.Run(fmt.Sprintf("admit+release/stripes=%d", loops), func(b *testing.B) {
			c := newStriped(loops, 0)
			b.ReportAllocs()
			for b.Loop() {
				c.cycle(0)
			}
		})
		b.Run(fmt.Sprintf("wait+cancel/stripes=%d", loops), func(b *testing.B) {
			p, w := full(loops)
			b.ReportAllocs()
			for b.Loop() {
				p.Wait(0, w, nil)
				p.Cancel(w)
			}
		})
	}
	b.Run("plain", func(b *testing.B) {
		c := newPlain(1, 0)
		b.ReportAllocs()
		for b.Loop() {
			c.cycle(0)
		}
	})
}

// full makes a pool whose server has no slots, and a waiter.
func full(loops int) (*Pool, *Waiter) {
	p := NewPool(loops)
	p.NewServer(nil, 0, nil).Open(0)
	r := new(reusable)
	r.Owner = r
	return p, &r.Waiter
}

func TestNoAllocations(t *testing.T) {
	idle, busy := newStriped(2, 0), newStriped(2, 100)
	p, w := full(2)
	key := Key(1000)
	for name, f := range map[string]func(){
		"admit, release":       func() { idle.cycle(0) },
		"release, grant, wait": func() { key++; busy.turn(0, key) },
		"wait, cancel":         func() { p.Wait(0, w, nil); p.Cancel(w) },
	} {
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// fastest is the time of one call of f in the best of many short batches: what it costs while nothing else disturbs.
func fastest(f func()) time.Duration {
	const batches, calls = 200, 1000
	best := time.Hour
	for range batches {
		start := time.Now()
		for range calls {
			f()
		}
		best = min(best, time.Since(start))
	}
	return best / calls
}

func TestCost(t *testing.T) {
	if raceDetector || stepped {
		t.Skip("measures the plain build")
	}
	c := newStriped(8, 0)
	if d := fastest(func() { c.cycle(0) }); d >= 50*time.Nanosecond {
		t.Errorf("an uncontended admission and release take %v", d)
	} else {
		t.Logf("admission and release: %v", d)
	}
	turns := map[int]time.Duration{}
	for _, waiters := range []int{100, 10_000} {
		c := newStriped(8, waiters)
		i := waiters
		turns[waiters] = fastest(func() { i++; c.turn(i%8, Key(i)) })
	}
	t.Logf("a turn with 100 waiters: %v, with 10,000: %v", turns[100], turns[10_000])
	if turns[10_000] > 5*turns[100] {
		t.Error("the cost grows with the number of waiters: a hundred times as many may cost a few times as much")
	}
}
