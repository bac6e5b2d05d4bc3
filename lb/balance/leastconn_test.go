package balance

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// At every choice: no member that has room carries less for its weight than the one chosen.
func TestLeastConnIsLeast(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for _, n := range []int{2, 9, 60} {
		members := equal(n, 0)
		f := newFarm(n, 0)
		for i := range members {
			members[i].Weight = rng.IntN(5) * (1 + rng.IntN(60))
			f.limit[i] = int64(rng.IntN(2) * 6)
		}
		a := must(t, Options{Kind: LeastConn}, members, f)
		var carried []int
		for step := range 20000 {
			if len(carried) > 0 && rng.IntN(100) < 48 {
				k := rng.IntN(len(carried))
				f.release(a, carried[k])
				carried = slices.Delete(carried, k, k+1)
				continue
			}
			if rng.IntN(40) == 0 {
				i := rng.IntN(n)
				members[i].Weight = rng.IntN(5) * (1 + rng.IntN(60))
				a.SetWeight(i, members[i].Weight)
			}
			got := a.Choose(0, -1)
			for i, m := range members {
				if m.Weight == 0 || f.Full(i) {
					continue
				}
				if got < 0 || f.Served(i)*members[got].Weight < f.Served(got)*m.Weight {
					t.Fatalf("%d servers, step %d: chose %d, but %d carries %d with weight %d", n, step, got, i, f.Served(i), m.Weight)
				}
			}
			if got >= 0 && f.take(a, got) {
				carried = append(carried, got)
			}
		}
	}
}

// Among equals the turns go round by weight, also where each flow ends before the next one comes.
func TestLeastConnGoesRoundAmongEquals(t *testing.T) {
	weights := []int{1, 2, 5}
	f := newFarm(3, 0)
	a := must(t, Options{Kind: LeastConn}, weighted(weights...), f)
	got := make([]int, 3)
	for range 800 {
		i := a.Choose(0, -1)
		f.take(a, i)
		f.release(a, i)
		got[i]++
	}
	for i, w := range weights {
		if d := got[i] - 100*w; d < -2 || d > 2 {
			t.Errorf("idle farm: server %d of weight %d had %d of 800", i, w, got[i])
		}
	}
	b := must(t, Options{Kind: LeastConn}, equal(5, 1), newFarm(5, 0))
	for n := range 50 {
		if i := b.Choose(0, -1); i != n%5 {
			t.Fatalf("choice %d among equals: %d", n, i)
		}
	}
}
