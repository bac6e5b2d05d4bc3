package balance

import (
	"math/rand/v2"
	"testing"
)

// Smooth: after any number of choices, each member is less than one turn away from its exact part. Tried from the start and
// over whole rounds.
func TestRoundRobinIsSmooth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 150 {
		weights := make([]int, 1+rng.IntN(40))
		total := 0
		for i := range weights {
			weights[i] = 1 + rng.IntN([]int{1, 2, 10, 256}[round%4])
			total += weights[i]
		}
		a := must(t, Options{}, weighted(weights...), nil)
		got := make([]int, len(weights))
		for n := 1; n <= 3*total; n++ {
			got[a.Choose(0, -1)]++
			for i, w := range weights {
				if off := got[i]*total - n*w; off >= total+total/1000+1 || off <= -total-total/1000-1 {
					t.Fatalf("weights %v: after %d choices server %d has %d turns, its part is %.3f",
						weights, n, i, got[i], float64(n*w)/float64(total))
				}
			}
		}
		for i, w := range weights { // whole rounds: exactly the weights, but for a tie at the seam
			if d := got[i] - 3*w; d < -1 || d > 1 {
				t.Fatalf("weights %v: %d turns of server %d in three rounds", weights, got[i], i)
			}
		}
	}
}

func TestRoundRobinOfEqualsIsTheirOrder(t *testing.T) {
	a := must(t, Options{}, equal(7, 100), nil)
	for n := range 70 {
		if got := a.Choose(0, -1); got != n%7 {
			t.Fatalf("choice %d: %d", n, got)
		}
	}
}

// Weights change all the time; the parts must follow the weights that held while each choice was made.
func TestRoundRobinFollowsWeights(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	const n = 12
	weights := [n]int{}
	a := must(t, Options{}, equal(n, 0), nil)
	var got, due [n]float64
	changes := [n]float64{}
	for step := range 40000 {
		if step%20 == 0 {
			i := rng.IntN(n)
			weights[i] = rng.IntN(3) * (1 + rng.IntN(100))
			a.SetWeight(i, weights[i])
			changes[i]++
		}
		total := 0
		for _, w := range weights {
			total += w
		}
		if total == 0 {
			continue
		}
		for i, w := range weights {
			due[i] += float64(w) / float64(total)
		}
		got[a.Choose(0, -1)]++
	}
	for i := range got {
		if off := got[i] - due[i]; off > changes[i]+2 || off < -changes[i]-2 {
			t.Errorf("server %d: %v turns, due %.1f, its weight changed %v times", i, got[i], due[i], changes[i])
		}
	}
}

// Members that leave right after their turns and come back soon take a little from the others each time. That must not add
// up: a turn never ends more than a stride late, so whoever comes does not stand behind a debt.
func TestRoundRobinTurnsDoNotGetLate(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		const n = 12
		weights := make([]int, n)
		for i := range weights {
			weights[i] = 1 + rng.IntN([]int{1, 10, 256}[seed%3])
		}
		r := must(t, Options{}, weighted(weights...), nil).(*roundRobin)
		back := map[int]int{}
		for step := range 20000 {
			i := r.Choose(0, -1)
			if rng.IntN(3) == 0 && len(back) < n/2 {
				r.SetWeight(i, 0)
				back[i] = step + rng.IntN(6)
			}
			for j := range n {
				if at, away := back[j]; away && at <= step {
					r.SetWeight(j, weights[j])
					delete(back, j)
				}
				if stride := turn / int64(weights[j]); r.list[j] >= 0 && r.clock-r.start[j] > 2*stride {
					t.Fatalf("weights %v, step %d: server %d's turn is more than a stride late", weights, step, j)
				}
			}
		}
	}
}

// A full member misses its turns, comes at once when it has room, and does not make up for what it missed.
func TestRoundRobinPassesOverTheFull(t *testing.T) {
	f := newFarm(4, 0)
	f.limit[2] = 1
	a := must(t, Options{}, equal(4, 1), f)
	f.take(a, 2)
	for n, want := range []int{0, 1, 3, 0, 1, 3, 0, 1, 3} {
		if got := a.Choose(0, -1); got != want {
			t.Fatalf("choice %d: %d, want %d", n, got, want)
		}
	}
	f.release(a, 2)
	turns := 0
	for range 8 {
		if a.Choose(0, -1) == 2 {
			turns++
		}
	}
	if turns < 2 || turns > 3 {
		t.Fatalf("%d turns of 8 after the release", turns)
	}
}
