package balance

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// roundRobin gives each member turns in proportion to its weight, as evenly spaced as whole turns allow.
//
// Every member has the time from which its next turn may begin; the turn should be over one stride (the inverse of
// its weight) later. The clock moves by the inverse of the sum of all weights per choice. Of the members whose
// time has come, the one with the earliest end is taken: at any moment a member is less than one turn away from its exact part.
//
// Members of one weight have one stride, so the order in which they were served is the order in which they are due: a
// plain list per weight suffices, and a choice compares only the heads of the lists, at most two per weight in use. It does
// not depend on the number of members.
//
// A member found full when its turn has come is parked: it leaves its list until Changed, then its turn has come at once.
// The turns that it missed are not made up for.
type roundRobin struct {
	weights
	parked []atomic.Bool // written under mu; read by Changed without

	mu     sync.Mutex // guards all below, and the weights
	clock  int64      // compared by difference only: it may wrap
	step   int64      // how far one choice moves the clock
	inside int64      // sum of the weights of the members in lists
	start  []int64    // member -> when its next turn may begin
	list   []int32    // member -> its list, -1: none
	next   []int32    // member, or len(members)+list for a list's end -> neighbour
	prev   []int32
	used   [(2*MaxWeight + 2 + 63) / 64]uint64 // the lists that are not empty
}

// turn is the stride of weight 1; the 2^40 leave 32 bits below the stride of the largest weight.
const turn = 1 << 40

// Lists: 2·weight holds the members in the order in which they were served; 2·weight+1 those that came (back) in between,
// whose start is the clock of that moment. Both are in order of start, because the clock never goes back.
func newRoundRobin(members []Member, load Load) *roundRobin {
	n := len(members)
	ends := n + 2*MaxWeight + 2
	r := &roundRobin{
		parked: make([]atomic.Bool, n),
		start:  make([]int64, n),
		list:   make([]int32, n),
		next:   make([]int32, ends),
		prev:   make([]int32, ends),
	}
	r.weights.init(members, load)
	for end := n; end < ends; end++ {
		r.next[end], r.prev[end] = int32(end), int32(end)
	}
	for i := range members {
		r.list[i] = -1
		if w := int(r.weight[i].Load()); w > 0 {
			r.append(i, 2*w)
		}
	}
	return r
}

func (r *roundRobin) Choose(_ uint32, avoid int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		i := r.best(avoid)
		if i < 0 {
			i = avoid // all that is left, if it is
			if i < 0 || i >= len(r.list) || r.list[i] < 0 {
				return -1
			}
		}
		if r.load.Full(i) {
			r.park(i)
			continue
		}
		r.serve(i)
		return i
	}
}

// best returns the member to be served next, other than avoid; -1: there is none.
func (r *roundRobin) best(avoid int) int {
	n := int32(len(r.list))
	found, ready := -1, false
	var end int64
	for word, set := range r.used {
		for ; set != 0; set &= set - 1 {
			list := word<<6 + bits.TrailingZeros64(set)
			i := r.next[n+int32(list)]
			if int(i) == avoid {
				if i = r.next[i]; i >= n {
					continue
				}
			}
			its := r.start[i]
			isReady, itsEnd := its-r.clock <= 0, its+turn/int64(list>>1)
			// Ready before not ready, then the earlier end; if none is ready, the choice is made ahead of time.
			if found < 0 || (isReady && !ready) || (isReady == ready && itsEnd-end < 0) {
				found, ready, end = int(i), isReady, itsEnd
			}
		}
	}
	return found
}

// serve moves member i behind its equals and the clock on.
func (r *roundRobin) serve(i int) {
	w := int(r.list[i]) >> 1
	r.remove(i)
	if r.start[i]-r.clock > 0 {
		r.clock = r.start[i]
	}
	r.start[i] += turn / int64(w)
	r.queue(i, w)
	r.clock += r.step
}

// queue puts member i behind its equals, never due before the last of them.
func (r *roundRobin) queue(i, w int) {
	if last := r.prev[len(r.list)+2*w]; int(last) < len(r.list) && r.start[last]-r.start[i] > 0 {
		r.start[i] = r.start[last]
	}
	r.append(i, 2*w)
}

// park takes out member i, which is full, and looks once more: a slot freed before the note was written has been
// reported to a Changed that did not see it.
func (r *roundRobin) park(i int) {
	r.remove(i)
	r.parked[i].Store(true)
	if !r.load.Full(i) {
		r.unpark(i)
	}
}

func (r *roundRobin) unpark(i int) {
	r.parked[i].Store(false)
	r.start[i] = r.clock
	r.append(i, 2*int(r.weight[i].Load())+1)
}

func (r *roundRobin) Changed(i int) {
	if !r.parked[i].Load() || r.load.Full(i) {
		return
	}
	r.mu.Lock()
	if r.parked[i].Load() && !r.load.Full(i) {
		r.unpark(i)
	}
	r.mu.Unlock()
}

func (r *roundRobin) SetWeight(i, weight int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, now := r.set(i, weight)
	switch {
	case before == now, before > 0 && now > 0 && r.parked[i].Load():
		// Nothing to move.
	case before == 0:
		r.start[i] = r.clock
		r.append(i, 2*now+1)
	case now == 0:
		r.parked[i].Store(false)
		if r.list[i] >= 0 {
			r.remove(i)
		}
	default:
		// What is left of its wait is stretched to the new stride.
		r.remove(i)
		r.start[i] = r.clock + max(r.start[i]-r.clock, 0)*int64(before)/int64(now)
		r.queue(i, now)
	}
}

// Assign does nothing: a member that comes in begins anew, whoever had its index before.
func (r *roundRobin) Assign(int, Member) {}

func (r *roundRobin) Waits() bool { return false }

func (r *roundRobin) append(i, list int) {
	end := int32(len(r.list) + list)
	last := r.prev[end]
	r.next[i], r.prev[i] = end, last
	r.next[last], r.prev[end] = int32(i), int32(i)
	r.list[i] = int32(list)
	r.used[list>>6] |= 1 << (list & 63)
	r.count(list >> 1)
}

func (r *roundRobin) remove(i int) {
	list := int(r.list[i])
	r.next[r.prev[i]], r.prev[r.next[i]] = r.next[i], r.prev[i]
	r.list[i] = -1
	if end := len(r.list) + list; int(r.next[end]) == end {
		r.used[list>>6] &^= 1 << (list & 63)
	}
	r.count(-(list >> 1))
}

func (r *roundRobin) count(weight int) {
	if r.inside += int64(weight); r.inside > 0 {
		r.step = turn / r.inside
	}
}
