package stats

import (
	"sync"
	"testing"
)

func TestCountersAddUp(t *testing.T) {
	const loops = 4
	c := New(loops)
	var wg sync.WaitGroup
	for loop := range loops {
		wg.Go(func() {
			for range 1000 {
				c.Add(loop, BytesIn, 3)
			}
		})
	}
	wg.Wait()
	if got := c.Sum(BytesIn); got != loops*3000 {
		t.Errorf("sum %d", got)
	}
	if got := c.Sum(BytesOut); got != 0 {
		t.Errorf("a counter that nobody touched is %d", got)
	}
}

func TestEveryCounterHasAName(t *testing.T) {
	seen := map[string]bool{}
	for id, name := range Names {
		if name == "" || seen[name] {
			t.Errorf("counter %d: name %q is empty or used twice", id, name)
		}
		seen[name] = true
	}
}

// However many claim at once, a gauge never passes its limit, and its highest value is exact.
func TestGaugeLimit(t *testing.T) {
	const limit = 7
	var g Gauge
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5000 {
				if g.AddBelow(limit) {
					if v := g.Value(); v > limit {
						t.Errorf("gauge at %d", v)
					}
					g.Raise()
					g.Add(-1)
				}
			}
		})
	}
	wg.Wait()
	if g.Value() != 0 || g.Highest() > limit || g.Highest() < 1 {
		t.Errorf("value %d, highest %d", g.Value(), g.Highest())
	}
}

func TestHistogram(t *testing.T) {
	h := NewHistogram(2)
	for i, value := range []uint64{0, 1, 2, 3, 4, 1000, 1 << 60} {
		h.Add(i%2, value)
	}
	classes, count, sum := h.Sum()
	if count != 7 || sum != 1010+1<<60 {
		t.Errorf("count %d, sum %d", count, sum)
	}
	for class, want := range map[int]uint64{0: 1, 1: 1, 2: 2, 3: 1, 10: 1, Classes - 1: 1} {
		if classes[class] != want {
			t.Errorf("class %d has %d values, not %d", class, classes[class], want)
		}
	}
}
