package balance

import (
	"cmp"
	"slices"
)

// first takes the member with the lowest id that has room, whatever the weights. Choose reads one bit per member, 64 at a
// time, and takes no lock.
type first struct {
	room
	byRank []int32 // place in the order of ids -> member
}

func newFirst(members []Member, load Load) *first {
	f := &first{byRank: make([]int32, len(members))}
	for i := range members {
		f.byRank[i] = int32(i)
	}
	slices.SortStableFunc(f.byRank, func(a, b int32) int {
		return cmp.Compare(members[a].ID, members[b].ID)
	})
	rank := make([]int32, len(members))
	for at, i := range f.byRank {
		rank[i] = int32(at)
	}
	f.room.init(members, load, rank)
	return f
}

func (f *first) Choose(_ uint32, avoid int) int {
	found := -1
	for at := f.next(0); at >= 0; {
		i := int(f.byRank[at])
		// The bit may be older than the member's state: look.
		if f.alive(i) && !f.load.Full(i) {
			if i != avoid {
				return i
			}
			found = i
		}
		if at+1 == len(f.byRank) {
			break
		}
		after := f.next(at + 1)
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
	f.settle(i)
}

func (f *first) Waits() bool { return false }
