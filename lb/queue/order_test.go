package queue

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// passage is one waiter's way through the queue, in numbers of a clock that all loops share: a larger number was drawn later.
type passage struct {
	Waiter
	called, published     int64 // Wait's call, and its return
	takeBegan, takeEnded  int64 // the takeBest that took it
	overtaken, byInFlight int   // better ones that were still queued, or still on their way, when it was taken
}

func (p *passage) Granted(*Server) { panic("granted, though there is no slot") }
func (p *passage) SentBack()       { panic("sent back from an open server") }

// TestOrder measures how far grants stray from priority-then-arrival order, with eight loops that queue and take at once at
// both levels, and checks the bound: a waiter is never taken before a better one that was published before takeBest began.
//
// takeBest is called directly, with a server that has no slots, so that the test knows when it begins.
func TestOrder(t *testing.T) {
	const loops, standing = 8, 25
	each := 10_000
	if raceDetector || testing.Short() {
		each = 2_000
	}
	yieldAtRandom(t)
	p := NewPool(loops)
	s := p.NewServer(nil, 0, nil)
	s.Open(0)
	var clock atomic.Int64
	passages := make([][]*passage, loops) // as taken by each loop
	var wg sync.WaitGroup
	for loop := range loops {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(loop)))
			for i := range each + standing {
				if i < each {
					w := &passage{called: clock.Add(1)}
					w.Owner = w
					w.Key = MakeKey(random.IntN(8)/7, w.called, 0) // one in eight of a lower class
					bound := s
					if random.IntN(2) == 0 {
						bound = nil
					}
					if outcome, _ := p.Wait(loop, &w.Waiter, bound); outcome != Waiting {
						t.Errorf("outcome %d without slots", outcome)
						return
					}
					w.published = clock.Add(1)
				}
				if i >= standing {
					began := clock.Add(1)
					w := s.takeBest()
					if w == nil {
						t.Error("nobody, but others may not take more than they queued")
						return
					}
					taken := w.Owner.(*passage)
					taken.takeBegan, taken.takeEnded = began, clock.Add(1)
					passages[loop] = append(passages[loop], taken)
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	all := slices.Concat(passages...)
	if len(all) != loops*each || p.Waiting() != 0 || s.Waiting() != 0 {
		t.Fatalf("%d taken of %d; %d and %d still wait", len(all), loops*each, p.Waiting(), s.Waiting())
	}

	// Go through time: queued holds those who arrived and whose takers have not begun. Whomever it holds when a take ends was
	// overtaken, if its key is better.
	type moment struct {
		at int64
		do func()
	}
	var moments []moment
	queued := map[*passage]bool{}
	for _, w := range all {
		moments = append(moments,
			moment{w.called, func() {
				if w.takeBegan > w.called { // else its taker was looking already
					queued[w] = true
				}
			}},
			moment{w.takeBegan, func() { delete(queued, w) }},
			moment{w.takeEnded, func() {
				for b := range queued {
					switch {
					case b.Key >= w.Key:
					case b.published < w.takeBegan:
						t.Fatalf("a waiter with key %d, published at %d, was overtaken by key %d, for which takeBest began at %d and ended at %d",
							b.Key, b.published, w.Key, w.takeBegan, w.takeEnded)
					case b.published < w.takeEnded:
						w.overtaken++
					default:
						w.byInFlight++
					}
				}
			}})
	}
	slices.SortFunc(moments, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	for _, m := range moments {
		m.do()
	}
	var strayed, most, inFlight, mostInFlight int
	for _, w := range all {
		strayed += min(w.overtaken, 1)
		most = max(most, w.overtaken)
		inFlight += min(w.byInFlight, 1)
		mostInFlight = max(mostInFlight, w.byInFlight)
	}
	t.Logf("%d grants: %d passed a better waiter that was published meanwhile (up to %d of them), %d one that had arrived and was not yet published (up to %d)",
		len(all), strayed, most, inFlight, mostInFlight)
}
