package balance

import (
	"sync"
	"sync/atomic"
)

// weights is what every algorithm knows of its members.
type weights struct {
	load   Load
	weight []atomic.Int32 // read by anyone; written under change
	usable atomic.Int32   // members with weight > 0; written under change
	total  atomic.Int64   // sum of the weights; written under change

	change sync.Mutex // serialises SetWeight, and whatever an implementation says
}

func (w *weights) init(members []Member, load Load) {
	w.load = load
	w.weight = make([]atomic.Int32, len(members))
	for i, m := range members {
		w.set(i, m.Weight)
	}
}

// set stores a weight and returns the one before. The caller holds change, or is the only one.
func (w *weights) set(i, weight int) (before, now int) {
	now = min(max(weight, 0), MaxWeight)
	before = int(w.weight[i].Swap(int32(now)))
	w.total.Add(int64(now - before))
	switch {
	case before == 0 && now > 0:
		w.usable.Add(1)
	case before > 0 && now == 0:
		w.usable.Add(-1)
	}
	return before, now
}

// Usable returns the number of members with weight > 0.
func (w *weights) Usable() int { return int(w.usable.Load()) }

func (w *weights) alive(i int) bool { return w.weight[i].Load() > 0 }

// anyAlive looks through all members for one that may be chosen: the way out where a table lags behind a change.
func (w *weights) anyAlive(avoid int) int {
	for i := range w.weight {
		if i != avoid && w.alive(i) {
			return i
		}
	}
	if avoid >= 0 && avoid < len(w.weight) && w.alive(avoid) {
		return avoid
	}
	return -1
}
