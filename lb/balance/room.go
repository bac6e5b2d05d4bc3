package balance

import (
	"math/bits"
	"sync/atomic"
)

// room is the set of members that have a weight and are not full, one bit each. Reading takes no lock, writing neither:
// settle writes the bit and looks again until what it wrote is still so, and whoever changes what the bit stands for
// settles afterwards, so the last writer leaves the truth.
type room struct {
	*weights
	bits []atomic.Uint64
	rank []int32 // place of a member in the set's order; nil: its index
}

func (r *room) init(members []Member, load Load, rank []int32) {
	w := &weights{}
	w.init(members, load)
	r.over(w, rank)
	for i := range members {
		r.settle(i)
	}
}

// over makes an empty room of members that are known.
func (r *room) over(w *weights, rank []int32) {
	r.weights, r.rank = w, rank
	r.bits = make([]atomic.Uint64, (len(w.weight)+63)/64)
}

func (r *room) place(i int) (word *atomic.Uint64, mask uint64) {
	if r.rank != nil {
		i = int(r.rank[i])
	}
	return &r.bits[i>>6], 1 << (i & 63)
}

// settle makes the bit of member i say whether it can take a flow.
func (r *room) settle(i int) {
	word, mask := r.place(i)
	for {
		want := r.alive(i) && !r.load.Full(i)
		if want == (word.Load()&mask != 0) {
			return
		}
		if want {
			word.Or(mask)
		} else {
			word.And(^mask)
		}
	}
}

// Changed notes that member i became full, or is so no more.
func (r *room) Changed(i int) { r.settle(i) }

// next returns the first place of the set at or after from, going round once; -1: the set is empty.
func (r *room) next(from int) int {
	if len(r.bits) == 0 {
		return -1
	}
	first := from >> 6
	if word := r.bits[first].Load() >> (from & 63); word != 0 {
		return from + bits.TrailingZeros64(word)
	}
	for step := 1; step <= len(r.bits); step++ {
		at := first + step
		if at >= len(r.bits) {
			at -= len(r.bits)
		}
		if word := r.bits[at].Load(); word != 0 {
			return at<<6 + bits.TrailingZeros64(word)
		}
	}
	return -1
}
