package balance

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// A random walk over everything that a caller may do. After each step, Choose must answer what the weights and the room allow.
func TestAnswersAreTrue(t *testing.T) {
	for _, c := range every {
		for _, n := range []int{1, 2, 3, 10, 70} {
			rng := rand.New(rand.NewPCG(uint64(n), 7))
			members := equal(n, 0)
			for i := range members {
				members[i].Weight = rng.IntN(4)
			}
			f := newFarm(n, 2)
			a := must(t, c.o, members, f)
			weight := make([]int, n)
			for i, m := range members {
				weight[i] = m.Weight
			}
			var carried []int
			for step := range 1000 {
				switch rng.IntN(5) {
				case 0:
					i := rng.IntN(n)
					weight[i] = rng.IntN(3) * rng.IntN(6)
					if step%500 > 400 { // phases in which most are out
						weight[i] = 0
					}
					a.SetWeight(i, weight[i])
				case 1:
					if len(carried) > 0 {
						k := rng.IntN(len(carried))
						f.release(a, carried[k])
						carried = slices.Delete(carried, k, k+1)
					}
				}
				var can []int
				usable := 0
				for i, w := range weight {
					if w > 0 {
						usable++
						if a.Waits() || !f.Full(i) {
							can = append(can, i)
						}
					}
				}
				if a.Usable() != usable {
					t.Fatalf("%s, %d servers, step %d: %d usable, want %d", c.name, n, step, a.Usable(), usable)
				}
				avoid := rng.IntN(n+1) - 1
				got := a.Choose(rng.Uint32(), avoid)
				switch {
				case len(can) == 0:
					if got != -1 {
						t.Fatalf("%s, %d servers, step %d: chose %d, nobody can", c.name, n, step, got)
					}
				case !slices.Contains(can, got):
					t.Fatalf("%s, %d servers, step %d: chose %d of %v", c.name, n, step, got, can)
				case got == avoid && len(can) > 1:
					t.Fatalf("%s, %d servers, step %d: chose %d, which was to be avoided, of %v", c.name, n, step, got, can)
				default:
					if f.take(a, got) {
						carried = append(carried, got)
					}
				}
			}
		}
	}
}

// Eight goroutines take, release and change weights; once they rest, nobody may be lost: with all slots free and all weights
// set, the algorithm fills each slot of the farm, and with all full it says so.
func TestNothingIsLostUnderConcurrency(t *testing.T) {
	for _, c := range every {
		t.Run(c.name, func(t *testing.T) {
			const n, limit = 24, 3
			f := newFarm(n, limit)
			a := must(t, c.o, equal(n, 2), f)
			var group sync.WaitGroup
			var took atomic.Int64
			for g := range 8 {
				group.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(g), 1))
					var mine []int
					for range 1500 {
						if len(mine) > 0 && rng.IntN(2) == 0 {
							f.release(a, mine[len(mine)-1])
							mine = mine[:len(mine)-1]
							continue
						}
						if i := rng.IntN(n); rng.IntN(50) == 0 {
							a.SetWeight(i, rng.IntN(4))
						}
						if i := a.Choose(rng.Uint32(), rng.IntN(n+1)-1); i >= 0 && f.take(a, i) {
							mine = append(mine, i)
							took.Add(1)
						}
					}
					for _, i := range mine {
						f.release(a, i)
					}
				})
			}
			group.Wait()
			if took.Load() == 0 {
				t.Fatal("nothing was taken")
			}
			for i := range n {
				if f.Served(i) != 0 {
					t.Fatalf("server %d carries %d", i, f.Served(i))
				}
				a.SetWeight(i, 1)
			}
			if a.Usable() != n {
				t.Fatalf("%d usable, want %d", a.Usable(), n)
			}
			if a.Waits() {
				seen := map[int]bool{}
				for key := range uint32(20000) {
					seen[a.Choose(mix32(key), -1)] = true
				}
				if len(seen) != n || seen[-1] {
					t.Fatalf("keys reach %d of %d servers", len(seen), n)
				}
				return
			}
			for k := range n * limit {
				i := a.Choose(0, -1)
				if i < 0 {
					t.Fatalf("nobody has room after %d of %d slots", k, n*limit)
				}
				if !f.take(a, i) {
					t.Fatalf("server %d was chosen, and is full", i)
				}
			}
			if i := a.Choose(0, -1); i != -1 {
				t.Fatalf("all are full, and %d was chosen", i)
			}
			f.release(a, 11)
			if i := a.Choose(0, -1); i != 11 {
				t.Fatalf("chose %d, only 11 has room", i)
			}
		})
	}
}

// A waiter's protocol: whoever finds nothing publishes itself and asks once more; whoever releases calls Changed and then looks for
// waiters. No free slot may stay behind with a waiter.
func TestWaiterOrReleaserSeesTheOther(t *testing.T) {
	for _, c := range every {
		f := newFarm(2, 1)
		a := must(t, c.o, equal(2, 1), f)
		if a.Waits() {
			continue
		}
		for round := range 500 {
			for i := range 2 {
				if !f.take(a, i) {
					t.Fatal("a slot is missing")
				}
			}
			if a.Choose(0, -1) != -1 {
				t.Fatalf("%s: all are full", c.name)
			}
			var waiting atomic.Bool
			var looked, found int
			var group sync.WaitGroup
			group.Go(func() {
				waiting.Store(true)
				found = a.Choose(0, -1)
			})
			group.Go(func() {
				f.release(a, round%2)
				if waiting.Load() {
					looked = 1
				}
			})
			group.Wait()
			if found < 0 && looked == 0 {
				t.Fatalf("%s, round %d: neither saw the other", c.name, round)
			}
			f.release(a, (round+1)%2)
		}
	}
}

// released says once that a server is full, and reports the release that follows at that very moment: before anyone has
// written down that the server is full.
type released struct {
	a     Algorithm
	armed bool
}

func (r *released) Served(int) int { return 0 }

func (r *released) Full(i int) bool {
	if !r.armed {
		return false
	}
	r.armed = false
	r.a.Changed(i)
	return true
}

func TestReleaseBetweenLookAndNote(t *testing.T) {
	for _, c := range every {
		for _, arm := range []string{"Choose", "Changed"} {
			load := &released{}
			load.a = must(t, c.o, equal(1, 1), load)
			load.armed = true
			if arm == "Choose" {
				load.a.Choose(0, -1)
			} else {
				load.a.Changed(0)
			}
			load.armed = false
			if got := load.a.Choose(0, -1); got != 0 {
				t.Errorf("%s: a release during %s was lost, chose %d", c.name, arm, got)
			}
		}
	}
}

func TestNoAllocation(t *testing.T) {
	for _, c := range every {
		f := newFarm(100, 4)
		a := must(t, c.o, equal(100, 3), f)
		key := uint32(0)
		if got := testing.AllocsPerRun(2000, func() {
			key += 0x9e3779b9
			i := a.Choose(key, int(key%101)-1)
			if i >= 0 && f.take(a, i) && key&7 > 0 {
				f.release(a, i)
			}
		}); got != 0 {
			t.Errorf("%s: Choose and Changed allocate %v times", c.name, got)
		}
		switch c.o.Kind {
		case RoundRobin, LeastConn, First, Random:
			w := 0
			if got := testing.AllocsPerRun(500, func() { w++; a.SetWeight(w%100, w%5) }); got != 0 {
				t.Errorf("%s: SetWeight allocates %v times", c.name, got)
			}
		}
	}
}

func TestNewRejects(t *testing.T) {
	for _, c := range []struct {
		o    Options
		n    int
		want error
	}{
		{Options{BalanceFactor: 99}, 1, ErrFactor},
		{Options{BalanceFactor: -1}, 1, ErrFactor},
		{Options{Kind: Random, Draws: -1}, 1, ErrDraws},
		{Options{}, MaxMembers + 1, ErrMembers},
	} {
		if _, err := New(c.o, make([]Member, c.n), nil); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.o, err, c.want)
		}
	}
	if _, err := New(Options{Kind: 99}, nil, nil); err == nil {
		t.Error("kind 99 was accepted")
	}
	if _, err := New(Options{Kind: Hash, Method: 99}, nil, nil); err == nil {
		t.Error("method 99 was accepted")
	}
}

func TestNoMembersAtAll(t *testing.T) {
	for _, c := range every {
		a := must(t, c.o, nil, nil)
		if got := a.Choose(1, -1); got != -1 || a.Usable() != 0 {
			t.Errorf("%s: chose %d of none", c.name, got)
		}
	}
}

func mix32(n uint32) uint32 { return uint32(mix(uint64(n)+1) >> 32) }
