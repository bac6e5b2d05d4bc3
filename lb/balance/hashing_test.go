package balance

import (
	"math"
	"math/rand/v2"
	"testing"
)

const keys = 40_000

func owners(a Algorithm) []int {
	all := make([]int, keys)
	for k := range all {
		all[k] = a.Choose(mix32(uint32(k)), -1)
	}
	return all
}

// A member that leaves takes only its own keys along, the others share them, and all come back with it. A lower weight
// moves keys only away from its member.
func TestOnlyTheLeaversKeysMove(t *testing.T) {
	for _, method := range []Method{Consistent, Maglev} {
		for _, n := range []int{5, 50, 300} {
			a := must(t, Options{Kind: Hash, Method: method}, equal(n, 10), nil)
			before := owners(a)
			a.SetWeight(2, 0)
			moved, to := 0, map[int]int{}
			for k, now := range owners(a) {
				if now == before[k] {
					continue
				}
				if before[k] != 2 {
					t.Fatalf("method %d, %d servers: key %d moved from %d to %d", method, n, k, before[k], now)
				}
				moved++
				to[now]++
			}
			t.Logf("method %d, %d servers: one leaves, %.3f of the keys move (1/n is %.3f), to %d others",
				method, n, float64(moved)/keys, 1/float64(n), len(to))
			if part := float64(moved) / keys * float64(n); part < 0.5 || part > 1.6 {
				t.Errorf("method %d, %d servers: a server had %.2f of its part", method, n, part)
			}
			a.SetWeight(2, 5)
			for k, now := range owners(a) {
				if now != before[k] && before[k] != 2 {
					t.Fatalf("method %d, %d servers: half of a weight moved key %d from %d to %d", method, n, k, before[k], now)
				}
			}
			a.SetWeight(2, 10)
			for k, now := range owners(a) {
				if now != before[k] {
					t.Fatalf("method %d, %d servers: key %d did not come back", method, n, k)
				}
			}
		}
	}
}

// The members' parts, as the weights say. A ring is rough by nature; the others are not.
func TestPartsFollowWeights(t *testing.T) {
	weights := []int{1, 2, 4, 8, 16, 100, 50, 20}
	total := 201.0
	for _, c := range []struct {
		o     Options
		allow float64 // relative error for parts above 5 %
	}{
		{Options{Kind: Hash}, 0.05},
		{Options{Kind: Hash, Method: Consistent}, 0.25},
		{Options{Kind: Hash, Method: Maglev}, 0.05},
		{Options{Kind: Random, Draws: 1}, 0.05},
	} {
		a := must(t, c.o, weighted(weights...), newFarm(8, 0))
		count := make([]float64, 8)
		for _, i := range owners(a) {
			count[i]++
		}
		worst := 0.0
		for i, w := range weights {
			want := float64(w) / total
			off := math.Abs(count[i]/keys-want) / want
			if want > 0.05 {
				worst = max(worst, off)
			}
			if count[i] == 0 || want > 0.05 && off > c.allow {
				t.Errorf("%+v: server %d has %.4f, want %.4f", c.o, i, count[i]/keys, want)
			}
		}
		t.Logf("%+v: worst error %.3f", c.o, worst)
	}
}

// The table of Maglev must survive a farm that is nearly empty, and be the same whichever way that came about.
func TestMaglevDependsOnWeightsOnly(t *testing.T) {
	const n = 64
	a := must(t, Options{Kind: Hash, Method: Maglev}, equal(n, 10), nil)
	b := must(t, Options{Kind: Hash, Method: Maglev}, equal(n, 10), nil)
	rng := rand.New(rand.NewPCG(4, 4))
	for _, down := range []int{1, 20, 55, 58, 63, 30, 0} {
		var last [n]int
		for i := range n {
			last[i] = 10
			if i < down {
				last[i] = 0
			}
			a.SetWeight(i, last[i])
		}
		for _, i := range rng.Perm(n) {
			b.SetWeight(i, rng.IntN(10))
		}
		for _, i := range rng.Perm(n) {
			b.SetWeight(i, last[i])
		}
		count := map[int]int{}
		for key := range uint32(20000) {
			i, j := a.Choose(key, -1), b.Choose(key, -1)
			if i != j || i < down {
				t.Fatalf("%d down, key %d: %d and %d", down, key, i, j)
			}
			count[i]++
		}
		for i := down; i < n; i++ {
			if part := float64(count[i]) / 20000 * float64(n-down); part < 0.6 || part > 1.4 {
				t.Errorf("%d down: server %d has %.2f of its part", down, i, part)
			}
		}
	}
}

// Bounded load: with the flow that it was chosen for, no member carries more than the factor allows, rounded up.
func TestLoadStaysWithinBound(t *testing.T) {
	for _, o := range []Options{
		{Kind: Hash, Method: Consistent, BalanceFactor: 100},
		{Kind: Hash, Method: Consistent, BalanceFactor: 125},
		{Kind: Hash, Method: Maglev, BalanceFactor: 125},
		{Kind: Random, Draws: 1, BalanceFactor: 110},
		{Kind: Random, BalanceFactor: 150},
	} {
		rng := rand.New(rand.NewPCG(8, 8))
		weights := []int{1, 1, 2, 3, 5, 1, 1, 1, 4, 1}
		total, sum := 20, 0
		f := newFarm(len(weights), 0)
		a := must(t, o, weighted(weights...), f)
		var carried []int
		for step := range 20000 {
			if len(carried) > 300 || len(carried) > 0 && rng.IntN(3) == 0 {
				k := rng.IntN(len(carried))
				f.release(a, carried[k])
				carried[k] = carried[len(carried)-1]
				carried, sum = carried[:len(carried)-1], sum-1
				continue
			}
			key := uint32(rng.IntN(8)) // few keys: without a bound they would pile up
			i := a.Choose(key, -1)
			f.take(a, i)
			carried, sum = append(carried, i), sum+1
			limit := (o.BalanceFactor*sum*weights[i] + 100*total - 1) / (100 * total)
			if f.Served(i) > limit {
				t.Fatalf("%+v, step %d: server %d carries %d, its bound is %d", o, step, i, f.Served(i), limit)
			}
		}
	}
}

// Two draws keep the farm much more even than one.
func TestRandomPowerOfTwo(t *testing.T) {
	spread := func(draws int) (most int) {
		const n = 200
		f := newFarm(n, 0)
		a := must(t, Options{Kind: Random, Draws: draws, Seed: 42}, equal(n, 1), f)
		for range 20 * n {
			f.take(a, a.Choose(0, -1))
		}
		for i := range n {
			most = max(most, f.Served(i))
		}
		return most
	}
	one, two := spread(1), spread(2)
	if one < 28 || two > 24 {
		t.Errorf("at 20 flows per server the most loaded has %d with one draw, %d with two", one, two)
	}
}

func TestFirstFillsByID(t *testing.T) {
	members := equal(130, 1)
	for i := range members {
		members[i].ID = uint32(1000 - i) // the last has the lowest id
	}
	f := newFarm(130, 2)
	a := must(t, Options{Kind: First}, members, f)
	for n := range 260 {
		i := a.Choose(0, -1)
		if want := 129 - n/2; i != want {
			t.Fatalf("flow %d went to %d, want %d", n, i, want)
		}
		f.take(a, i)
	}
	if got := a.Choose(0, -1); got != -1 {
		t.Fatalf("all are full, chose %d", got)
	}
	if at := a.(*first).at.Load().next(0); at != -1 {
		t.Fatalf("all are full, and place %d is still looked at", at)
	}
	f.release(a, 3)
	f.release(a, 100)
	if got := a.Choose(0, -1); got != 100 {
		t.Fatalf("chose %d, want 100", got)
	}
	if got := a.Choose(0, 100); got != 3 {
		t.Fatalf("avoiding 100 chose %d, want 3", got)
	}
}
