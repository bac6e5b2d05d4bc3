package balance

import "sync/atomic"

// bound is the accounting of "hash-balance-factor": how many flows all usable members carry, and whether one more on a
// member keeps it within its part. All atomics, no lock: settle swaps in what it read and looks again until
// that is still so, and whoever changes a load settles afterwards.
type bound struct {
	factor int64          // percent; 0: no bound, and nothing is counted
	known  []atomic.Int64 // what the member counts for in sum
	sum    atomic.Int64
}

func (b *bound) init(factor int, w *weights) {
	if b.factor = int64(factor); factor == 0 {
		return
	}
	b.known = make([]atomic.Int64, len(w.weight))
	for i := range b.known {
		b.settle(w, i)
	}
}

// settle makes the sum include what member i carries now: nothing, where it has no weight.
func (b *bound) settle(w *weights, i int) {
	if b.factor == 0 {
		return
	}
	for {
		now := int64(0)
		if w.alive(i) {
			now = int64(w.load.Served(i))
		}
		if now == b.known[i].Load() {
			return
		}
		b.sum.Add(now - b.known[i].Swap(now))
	}
}

// fits tells whether member i may take one more: with it, the member carries no more than factor percent, rounded up, of
// its part by weight of all flows. Some member always fits, as the parts add up to at least what there is to carry.
func (b *bound) fits(w *weights, i int) bool {
	if b.factor == 0 {
		return true
	}
	weight, total := int64(w.weight[i].Load()), w.total.Load()
	after := int64(w.load.Served(i)) + 1
	// after <= ceil(factor·(sum+1)·weight / (100·total))
	return (after-1)*100*total < b.factor*(b.sum.Load()+1)*weight
}
