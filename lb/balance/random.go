package balance

import (
	"math/bits"
	"sync/atomic"
)

// random draws members by weight and takes the least loaded of the draws.
//
// The weights of the members that have room stand in a tree of partial sums (Fenwick's), so that a draw is one descent and
// a change of one member a dozen additions: O(log n). Choose reads the tree's atomics without a lock. A descent that races
// with a change may end at a member that has just left, or a little beside its part; then it draws again. Writers hold
// change, write, and look again until what they wrote is still so.
type random struct {
	weights
	bound
	draws  int
	seed   uint64
	drawn  atomic.Uint64  // draws made; mixed with the seed it gives the next random number
	inside []atomic.Int32 // member -> the weight it stands in the tree with; written under change
	sums   []atomic.Int64 // from 1: sums[k] is the sum of the k&-k members up to k; written under change
	full   atomic.Int64   // the sum of all; written under change
	top    int            // the largest power of two within the tree
}

func newRandom(o Options, members []Member, load Load) *random {
	r := &random{
		draws:  o.Draws,
		seed:   mix(o.Seed + 1),
		inside: make([]atomic.Int32, len(members)),
		sums:   make([]atomic.Int64, len(members)+1),
	}
	if r.draws == 0 {
		r.draws = 2
	}
	if len(members) > 0 {
		r.top = 1 << (bits.Len(uint(len(members))) - 1)
	}
	r.weights.init(members, load)
	r.bound.init(o.BalanceFactor, &r.weights)
	for i := range members {
		r.stand(i)
	}
	return r
}

func (r *random) Choose(_ uint32, avoid int) int {
	best, spare := -1, -1
	// Draws that hit nobody, the one to avoid or one at its bound are repeated, within reason.
	for good, tries := 0, 0; good < r.draws && tries < r.draws+32; tries++ {
		i := r.draw()
		if i < 0 {
			break
		}
		if !r.alive(i) || r.load.Full(i) {
			continue
		}
		if i == avoid || !r.fits(&r.weights, i) {
			if spare < 0 || spare == avoid {
				spare = i
			}
			continue
		}
		good++
		if best < 0 || r.lighter(i, best) {
			best = i
		}
	}
	if best < 0 && r.full.Load() > 0 {
		return r.search(max(spare, 0), spare, avoid)
	}
	return best
}

// search goes through the members from one on: for what the draws missed, a member within its bound, or other than
// avoid. It is what makes -1 an answer and not bad luck.
func (r *random) search(from, spare, avoid int) int {
	for step := 1; step <= len(r.inside); step++ {
		i := from + step
		if i >= len(r.inside) {
			i -= len(r.inside)
		}
		if i == avoid || !r.alive(i) || r.load.Full(i) {
			continue
		}
		if r.fits(&r.weights, i) {
			return i
		}
		if spare < 0 || spare == avoid {
			spare = i
		}
	}
	if spare < 0 && avoid >= 0 && avoid < len(r.inside) && r.alive(avoid) && !r.load.Full(avoid) {
		return avoid
	}
	return spare
}

func (r *random) lighter(a, b int) bool {
	return int64(r.load.Served(a))*int64(r.weight[b].Load()) < int64(r.load.Served(b))*int64(r.weight[a].Load())
}

// draw returns a member by weight; -1: all are full or out.
func (r *random) draw() int {
	sum := r.full.Load()
	if sum <= 0 {
		return -1
	}
	number := mix(r.seed + r.drawn.Add(1)*0x9e3779b97f4a7c15)
	left, _ := bits.Mul64(number, uint64(sum))
	at := 0
	for size := r.top; size > 0; size >>= 1 {
		if k := at + size; k < len(r.sums) {
			if s := uint64(r.sums[k].Load()); s <= left {
				at, left = k, left-s
			}
		}
	}
	return min(at, len(r.inside)-1)
}

// stand makes the tree hold what member i may be drawn with. The caller holds change, or is the only one.
func (r *random) stand(i int) {
	for {
		want := r.wants(i)
		was := r.inside[i].Load()
		if want == was {
			return
		}
		for k := i + 1; k < len(r.sums); k += k & -k {
			r.sums[k].Add(int64(want - was))
		}
		r.full.Add(int64(want - was))
		r.inside[i].Store(want)
	}
}

func (r *random) wants(i int) int32 {
	if r.load.Full(i) {
		return 0
	}
	return r.weight[i].Load()
}

func (r *random) Changed(i int) {
	r.bound.settle(&r.weights, i)
	if r.wants(i) == r.inside[i].Load() {
		return
	}
	r.change.Lock()
	r.stand(i)
	r.change.Unlock()
}

func (r *random) SetWeight(i, weight int) {
	r.change.Lock()
	r.set(i, weight)
	r.stand(i)
	r.change.Unlock()
	r.bound.settle(&r.weights, i)
}

// Assign does nothing: only weights and loads count.
func (r *random) Assign(int, Member) {}

func (r *random) Waits() bool { return false }
