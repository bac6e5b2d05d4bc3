package balance

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
)

// A flow: choose, take a slot, Changed; and the oldest of a few flows gives its slot back, Changed. Weights 1, 2, 3, ...
// repeat up to 10.
func flows(b *testing.B, o Options, n int, limit int64, parallel bool) {
	members := equal(n, 1)
	for i := range members {
		members[i].Weight = 1 + i%10
	}
	f := newFarm(n, limit)
	a := must(b, o, members, f)
	var seed atomic.Uint32
	one := func(next func() bool) {
		var ring [64]int
		for i := range ring {
			ring[i] = -1
		}
		key := mix32(seed.Add(1))
		for k := 0; next(); k++ {
			key = key*1664525 + 1013904223
			i := a.Choose(key, -1)
			if i >= 0 && !f.take(a, i) {
				i = -1
			}
			if old := ring[k&63]; old >= 0 {
				f.release(a, old)
			}
			ring[k&63] = i
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	if !parallel {
		k := 0
		one(func() bool { k++; return k <= b.N })
		return
	}
	b.RunParallel(func(pb *testing.PB) {
		runtime.LockOSThread() // as the loops are
		defer runtime.UnlockOSThread()
		one(pb.Next)
	})
}

var sizesOfFarms = []int{10, 100, 1000, 4000}

func BenchmarkFlow(b *testing.B) {
	for _, c := range every {
		for _, n := range sizesOfFarms {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) { flows(b, c.o, n, 0, false) })
		}
	}
}

func BenchmarkFlowParallel(b *testing.B) {
	for _, c := range every {
		for _, n := range sizesOfFarms {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) { flows(b, c.o, n, 0, true) })
		}
	}
}

// All servers full but one, which moves: a slot is freed somewhere, a flow takes it.
func BenchmarkNearlyFull(b *testing.B) {
	for _, c := range every {
		for _, n := range sizesOfFarms {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				f := newFarm(n, 1)
				a := must(b, c.o, equal(n, 1), f)
				if a.Waits() {
					b.Skip("full members are not passed over")
				}
				for i := range n {
					f.take(a, i)
				}
				a.Choose(0, -1)
				b.ReportAllocs()
				b.ResetTimer()
				for k := range b.N {
					f.release(a, k%n)
					if i := a.Choose(0, -1); i != k%n || !f.take(a, i) {
						b.Fatalf("chose %d, only %d has room", i, k%n)
					}
				}
			})
		}
	}
}

// A server goes and comes.
func BenchmarkSetWeight(b *testing.B) {
	for _, c := range every {
		for _, n := range sizesOfFarms {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				a := must(b, c.o, equal(n, 10), newFarm(n, 0))
				b.ReportAllocs()
				b.ResetTimer()
				for k := range b.N {
					a.SetWeight(k/2%n, k%2*10)
				}
			})
		}
	}
}
