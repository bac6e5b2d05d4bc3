package check

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// A check may come up to a grain late, so that several start with one wake-up, which costs as much as a check. It is a
// fraction of the shortest interval, within bounds.
const (
	shortestGrain = time.Millisecond
	longestGrain  = 10 * time.Millisecond
	grains        = 100
)

// burst bounds the checks that start at once, so that a process that was held up does not do in one moment what it
// missed. It allows for 12,800 checks a second at the longest grain, and for more at a shorter one.
const burst = 128

// schedule knows when each check is due. Its own goroutine starts those that are.
type schedule struct {
	launch func([]*probe) // must neither block nor keep the slice

	mu      sync.Mutex // guards what follows, and probe.due, probe.place and probe.removed
	waiting dueHeap
	all     []*probe // in the order in which they were added
	begun   bool     // spread has been
	stopped bool
	random  *rand.Rand
	percent int // by which an interval varies
	grain   time.Duration

	wake chan struct{} // has room for one: the first of waiting has changed
	end  chan struct{}
}

func newSchedule(seed uint64, percent int, launch func([]*probe)) *schedule {
	return &schedule{
		launch: launch, percent: percent, random: rand.New(rand.NewPCG(seed, seed)),
		grain: longestGrain, wake: make(chan struct{}, 1), end: make(chan struct{}),
	}
}

// add takes a check in: before spread, which gives it its first time, or later, and then it has one at random within its interval.
func (s *schedule) add(p *probe) {
	interval := p.interval()
	s.mu.Lock()
	defer s.mu.Unlock()
	p.place = -1
	s.all = append(s.all, p)
	if !s.begun {
		return
	}
	p.due = time.Now().Add(time.Duration(s.random.Float64() * float64(interval)))
	s.grain = min(s.grain, max(interval/grains, shortestGrain))
	s.push(p)
}

// remove has a check never begin again.
func (s *schedule) remove(p *probe) {
	if p == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.removed = true
	if p.place >= 0 {
		heap.Remove(&s.waiting, p.place)
	}
	s.all = slices.DeleteFunc(s.all, func(x *probe) bool { return x == p })
}

// spread sets the first dues. The n-th of all checks comes n times the shortest interval, divided by their number, after
// now; one with a longer interval has its own instead of the shortest. limit, if not zero, bounds it.
func (s *schedule) spread(now time.Time, limit time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var shortest time.Duration
	intervals := make([]time.Duration, len(s.all))
	for i, p := range s.all {
		intervals[i] = p.interval()
		if i == 0 || intervals[i] < shortest {
			shortest = intervals[i]
		}
	}
	s.grain = min(max(shortest/grains, shortestGrain), longestGrain)
	for i, p := range s.all {
		over := max(shortest, intervals[i])
		if limit > 0 {
			over = min(over, limit)
		}
		p.due = now.Add(time.Duration(float64(over) * float64(i) / float64(len(s.all))))
		heap.Push(&s.waiting, p)
	}
	s.begun = true
}

// again puts a check that has ended back, an interval after now.
func (s *schedule) again(p *probe, now time.Time) {
	interval := p.interval()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.percent > 0 {
		width := float64(interval) * float64(s.percent) / 100
		interval += time.Duration(width * (1 - 2*s.random.Float64()))
	}
	p.due = now.Add(max(interval, time.Millisecond))
	s.push(p)
}

// push is called under mu.
func (s *schedule) push(p *probe) {
	if s.stopped || p.removed {
		return
	}
	heap.Push(&s.waiting, p)
	if p.place == 0 {
		s.tell()
	}
}

// tell lets the goroutine look again. Called under mu.
func (s *schedule) tell() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// hasten moves a waiting check forward to due, if it would come later. One that runs is left alone: its interval is
// decided when it ends.
func (s *schedule) hasten(p *probe, due time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.place < 0 || !due.Before(p.due) || s.stopped {
		return
	}
	p.due = due
	heap.Fix(&s.waiting, p.place)
	if p.place == 0 {
		s.tell()
	}
}

func (s *schedule) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	close(s.end)
}

// run starts checks when they are due, until stop.
func (s *schedule) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	due := make([]*probe, 0, burst)
	for {
		var wait time.Duration
		if due, wait = s.take(time.Now(), due[:0]); len(due) > 0 {
			s.launch(due)
			clear(due)
		}
		timer.Reset(wait)
		select {
		case <-s.end:
			return
		case <-s.wake:
			// A check that ended has become the first; that it is due within a grain is not worth a second wake-up.
		case <-timer.C:
		}
	}
}

// take removes what is due by now, at most burst of it, and tells how long to wait then.
func (s *schedule) take(now time.Time, due []*probe) ([]*probe, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.waiting) > 0 && len(due) < burst && !s.stopped && !s.waiting[0].due.After(now) {
		due = append(due, heap.Pop(&s.waiting).(*probe))
	}
	if len(s.waiting) == 0 {
		return due, time.Hour
	}
	return due, max(s.waiting[0].due.Sub(now), s.grain)
}

// dueHeap has the check that is due first at its root.
type dueHeap []*probe

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}
func (h *dueHeap) Push(x any) {
	p := x.(*probe)
	p.place = len(*h)
	*h = append(*h, p)
}
func (h *dueHeap) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	p.place = -1
	return p
}
