package balance

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// first takes the member with the lowest id that has room, whatever the weights. Choose reads one bit per member, 64 at a
// time, and takes no lock.
//
// The members' order is immutable and comes with the bits; Assign replaces both. Whoever changes what a bit stands for settles it
// afterwards in the order that it finds then, and Assign settles all once the new one can be found: one of the two is the later.
type first struct {
	weights
	ids []uint32 // read and written under change
	at  atomic.Pointer[ranked]
}

// ranked is a room with its order.
type ranked struct {
	room
	byRank []int32 // place in the order of ids -> member
}

func newFirst(members []Member, load Load) *first {
	f := &first{ids: make([]uint32, len(members))}
	for i, m := range members {
		f.ids[i] = m.ID
	}
	f.weights.init(members, load)
	f.order()
	return f
}

// order makes the order anew. The caller holds change, or is the only one.
func (f *first) order() {
	r := &ranked{byRank: make([]int32, len(f.ids))}
	for i := range f.ids {
		r.byRank[i] = int32(i)
	}
	slices.SortStableFunc(r.byRank, func(a, b int32) int { return cmp.Compare(f.ids[a], f.ids[b]) })
	rank := make([]int32, len(f.ids))
	for at, i := range r.byRank {
		rank[i] = int32(at)
	}
	r.room.over(&f.weights, rank)
	f.at.Store(r)
	for i := range f.ids {
		r.settle(i)
	}
}

func (f *first) Choose(_ uint32, avoid int) int {
	found, r := -1, f.at.Load()
	for at := r.next(0); at >= 0; {
		i := int(r.byRank[at])
		// The bit may be older than the member's state: look.
		if f.alive(i) && !f.load.Full(i) {
			if i != avoid {
				return i
			}
			found = i
		}
		if at+1 == len(r.byRank) {
			break
		}
		after := r.next(at + 1)
		if after <= at { // went round
			break
		}
		at = after
	}
	return found
}

func (f *first) SetWeight(i, weight int) {
	f.change.Lock()
	f.set(i, weight)
	f.change.Unlock()
	f.Changed(i)
}

// Assign gives the index another place in the order.
func (f *first) Assign(i int, m Member) {
	f.change.Lock()
	defer f.change.Unlock()
	f.ids[i] = m.ID
	f.order()
}

// Changed notes that member i became full, or is so no more.
func (f *first) Changed(i int) { f.at.Load().settle(i) }

func (f *first) Waits() bool { return false }
