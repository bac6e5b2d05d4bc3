package balance

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// farm is a backend in small: it counts what the servers carry and has a limit for each.
type farm struct {
	served []atomic.Int64
	limit  []int64 // 0: none
}

func newFarm(n int, limit int64) *farm {
	f := &farm{served: make([]atomic.Int64, n), limit: make([]int64, n)}
	for i := range f.limit {
		f.limit[i] = limit
	}
	return f
}

func (f *farm) Served(i int) int { return int(f.served[i].Load()) }
func (f *farm) Full(i int) bool  { return f.limit[i] > 0 && f.served[i].Load() >= f.limit[i] }

// take claims a slot on server i, as a backend does: it may fail where loops race.
func (f *farm) take(a Algorithm, i int) bool {
	for {
		now := f.served[i].Load()
		if f.limit[i] > 0 && now >= f.limit[i] {
			return false
		}
		if f.served[i].CompareAndSwap(now, now+1) {
			a.Changed(i)
			return true
		}
	}
}

func (f *farm) release(a Algorithm, i int) {
	f.served[i].Add(-1)
	a.Changed(i)
}

func equal(n, weight int) []Member {
	members := make([]Member, n)
	for i := range members {
		members[i] = Member{ID: uint32(i + 1), Name: fmt.Sprint("s", i+1), Weight: weight}
	}
	return members
}

func weighted(weights ...int) []Member {
	members := equal(len(weights), 0)
	for i, w := range weights {
		members[i].Weight = w
	}
	return members
}

func must(t testing.TB, o Options, members []Member, load Load) Algorithm {
	t.Helper()
	a, err := New(o, members, load)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// every names each algorithm once.
var every = []struct {
	name string
	o    Options
}{
	{"roundrobin", Options{Kind: RoundRobin}},
	{"static-rr", Options{Kind: StaticRR}},
	{"leastconn", Options{Kind: LeastConn}},
	{"first", Options{Kind: First}},
	{"random", Options{Kind: Random}},
	{"random(1)", Options{Kind: Random, Draws: 1}},
	{"random-150%", Options{Kind: Random, BalanceFactor: 150}},
	{"map-based", Options{Kind: Hash}},
	{"consistent", Options{Kind: Hash, Method: Consistent}},
	{"consistent-150%", Options{Kind: Source, Method: Consistent, BalanceFactor: 150}},
	{"maglev", Options{Kind: Hash, Method: Maglev}},
	{"maglev-150%", Options{Kind: Hash, Method: Maglev, BalanceFactor: 150}},
}
