package balance

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// slowSequence says what sequence does, member by member and place by place.
func slowSequence(weights []int32) []uint16 {
	total := int32(0)
	for _, w := range weights {
		total += w
	}
	earned := make([]int32, len(weights))
	out := make([]uint16, total)
	for place := range out {
		for i, w := range weights {
			earned[i] += w
		}
		choice := slices.IndexFunc(earned, func(e int32) bool { return e >= total })
		for i := 0; choice < 0; i++ {
			if weights[i] > 0 && earned[i] >= 0 {
				choice = i
			}
		}
		earned[choice] -= total
		out[place] = uint16(choice)
	}
	return out
}

func TestSequenceIsTheSlowOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 300 {
		weights := make([]int32, 1+rng.IntN(130))
		top := 1 + rng.IntN(40)
		for i := range weights {
			weights[i] = int32(rng.IntN(top + 1))
		}
		fast, slow := sequence(weights), slowSequence(weights)
		if len(fast) == 0 {
			if len(slow) != 0 {
				t.Fatalf("%v: empty", weights)
			}
			continue
		}
		// Weights with a common divisor repeat the shorter sequence.
		for k := range slow {
			if slow[k] != fast[k%len(fast)] {
				t.Fatalf("%v: place %d is %d, want %d", weights, k, fast[k%len(fast)], slow[k])
			}
		}
	}
}

// What HAProxy 2.6.12 did with "balance static-rr", server by server; its map-based hash has the same map.
func TestSequenceIsHAProxys(t *testing.T) {
	for _, c := range []struct{ weights, want []int }{
		{[]int{1, 1, 1}, []int{0, 1, 2}},
		{[]int{3, 1, 2}, []int{0, 0, 2, 0, 1, 2}},
		{[]int{5, 1, 1}, []int{0, 0, 0, 1, 0, 0, 2}},
		{[]int{4, 2}, []int{0, 0, 1, 0, 0, 1}},
		{[]int{7, 3, 2, 2}, []int{0, 0, 1, 0, 1, 0, 2, 3, 0, 0, 1, 0, 2, 3}},
		{[]int{1, 2, 3, 4}, []int{0, 1, 3, 2, 3, 1, 2, 3, 2, 3}},
		{[]int{10, 3}, []int{0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}},
		{[]int{8, 1, 4, 6, 3}, []int{0, 1, 0, 3, 2, 0, 2, 3, 4, 0, 3, 0, 2, 0, 3, 4, 0, 2, 3, 0, 3, 4}},
	} {
		rr := must(t, Options{Kind: StaticRR}, weighted(c.weights...), nil)
		hash := must(t, Options{Kind: Hash}, weighted(c.weights...), nil)
		for round := range 2 {
			for place, want := range c.want {
				if got := rr.Choose(0, -1); got != want {
					t.Errorf("static-rr %v, place %d: %d, want %d", c.weights, place, got, want)
				}
				if got := hash.Choose(uint32(place+round*len(c.want)), -1); got != want {
					t.Errorf("map-based %v, key %d: %d, want %d", c.weights, place, got, want)
				}
			}
		}
	}
}

func TestStaticKeepsTheWeightItCameInWith(t *testing.T) {
	a := must(t, Options{Kind: StaticRR}, weighted(1, 1), nil)
	count := func() (n [2]int) {
		for range 120 {
			n[a.Choose(0, -1)]++
		}
		return n
	}
	a.SetWeight(0, 5)
	if got := count(); got != [2]int{60, 60} {
		t.Errorf("a weight changed while in: %v", got)
	}
	a.SetWeight(0, 0)
	if got := count(); got != [2]int{0, 120} {
		t.Errorf("out: %v", got)
	}
	a.SetWeight(0, 3)
	if got := count(); got != [2]int{90, 30} {
		t.Errorf("back with weight 3: %v", got)
	}
}
