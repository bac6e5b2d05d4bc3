package balance

import (
	"cmp"
	"math/bits"
	"slices"
	"sync/atomic"
)

// ring is "hash-type consistent": members have points on a circle of 2^32 places, as many as their weight says, and a key
// belongs to the next point. A member's points depend on its id alone, so a change moves only the keys of that member.
//
// The circle is cut into arcs, each with a small sorted and immutable list of points that a change replaces. Choose takes no
// lock and looks into one or two arcs; a change costs in proportion to the points that come or go, whatever the number
// of members. While a change is under way a Choose may see a part of its points. Writers hold change.
type ring struct {
	weights
	bound
	ids    []uint32 // read and written under change
	points int      // per unit of weight
	shift  uint
	arcs   []atomic.Pointer[[]point]
	used   []atomic.Uint64 // arcs that have points
}

type point struct {
	place  uint32
	member int32
}

// HAProxy gives 16 points per unit of weight. Here it is as many while the ring stays within maxPoints at the weights it
// starts with, and fewer above: 4,000 members of weight 256 have one point per unit, 8 MB instead of 128.
const (
	pointsPerWeight = 16
	maxPoints       = 1 << 20
	pointsPerArc    = 8
)

func newRing(o Options, members []Member, load Load) *ring {
	r := &ring{ids: make([]uint32, len(members))}
	r.weights.init(members, load)
	r.bound.init(o.BalanceFactor, &r.weights)
	all := max(int(r.total.Load()), len(members))
	r.points = min(max(maxPoints/max(all, 1), 1), pointsPerWeight)
	arcs := bits.Len(uint(max(all*r.points/pointsPerArc, 64) - 1))
	r.shift = uint(32 - arcs)
	r.arcs = make([]atomic.Pointer[[]point], 1<<arcs)
	r.used = make([]atomic.Uint64, len(r.arcs)/64)

	build := make([][]point, len(r.arcs))
	for i, m := range members {
		r.ids[i] = m.ID
		for k := range r.points * int(r.weight[i].Load()) {
			p := r.point(i, k)
			build[p.place>>r.shift] = append(build[p.place>>r.shift], p)
		}
	}
	for arc, list := range build {
		slices.SortFunc(list, point.compare)
		r.publish(arc, list)
	}
	return r
}

func (p point) compare(o point) int {
	return cmp.Or(cmp.Compare(p.place, o.place), cmp.Compare(p.member, o.member))
}

// point is the k-th point of member i.
func (r *ring) point(i, k int) point {
	return point{uint32(mix(mix(uint64(r.ids[i])+0x9e3779b97f4a7c15)+uint64(k)*0x9e3779b97f4a7c15) >> 32), int32(i)}
}

func (r *ring) publish(arc int, list []point) {
	r.arcs[arc].Store(&list)
	if len(list) > 0 {
		r.used[arc>>6].Or(1 << (arc & 63))
	} else {
		r.used[arc>>6].And(^(uint64(1) << (arc & 63)))
	}
}

func (r *ring) Choose(key uint32, avoid int) int {
	if r.usable.Load() == 0 {
		return -1
	}
	// Keys are spread whatever the hash function was: neighbours in a subnet shall not be neighbours here.
	place := uint32(mix(uint64(key)+0x632be59bd9b4e019) >> 32)
	first, last := -1, -1
	arc := int(place >> r.shift)
	list := *r.arcs[arc].Load()
	at := 0
	for at < len(list) && list[at].place < place { // an arc has about eight
		at++
	}
	for turned := 0; ; {
		for ; at < len(list); at++ {
			i := int(list[at].member)
			if i == last || !r.alive(i) {
				continue
			}
			last = i
			if i == avoid {
				continue
			}
			if r.fits(&r.weights, i) {
				return i
			}
			if first < 0 {
				first = i
			}
		}
		after := r.after(arc)
		if after <= arc {
			if turned++; turned == 2 {
				break
			}
		}
		arc, at = after, 0
		list = *r.arcs[arc].Load()
	}
	if first >= 0 {
		return first // nobody fits: the loads changed on the way round
	}
	return r.anyAlive(avoid)
}

// after returns the next arc that has points, going round; arc itself if there is no other.
func (r *ring) after(arc int) int {
	at := (arc + 1) & (len(r.arcs) - 1)
	word := r.used[at>>6].Load() &^ (1<<(at&63) - 1)
	for step := 0; step <= len(r.used); step++ {
		if word != 0 {
			return at&^63 + bits.TrailingZeros64(word)
		}
		at = (at&^63 + 64) & (len(r.arcs) - 1)
		word = r.used[at>>6].Load()
	}
	return arc
}

func (r *ring) SetWeight(i, weight int) {
	r.change.Lock()
	before, now := r.set(i, weight)
	for k := before * r.points; k < now*r.points; k++ {
		p := r.point(i, k)
		arc := int(p.place >> r.shift)
		list := *r.arcs[arc].Load()
		at, _ := slices.BinarySearchFunc(list, p, point.compare)
		grown := make([]point, 0, len(list)+1)
		grown = append(append(append(grown, list[:at]...), p), list[at:]...)
		r.publish(arc, grown)
	}
	for k := now * r.points; k < before*r.points; k++ {
		p := r.point(i, k)
		arc := int(p.place >> r.shift)
		list := *r.arcs[arc].Load()
		if at, ok := slices.BinarySearchFunc(list, p, point.compare); ok {
			shrunk := make([]point, 0, len(list)-1)
			r.publish(arc, append(append(shrunk, list[:at]...), list[at+1:]...))
		}
	}
	r.change.Unlock()
	r.bound.settle(&r.weights, i)
}

// Assign gives the index an id to make points from. It has none now.
func (r *ring) Assign(i int, m Member) {
	r.change.Lock()
	r.ids[i] = m.ID
	r.change.Unlock()
}

// Changed keeps the sum of the loads for the bound; without one it does nothing.
func (r *ring) Changed(i int) { r.bound.settle(&r.weights, i) }

func (r *ring) Waits() bool { return true }
