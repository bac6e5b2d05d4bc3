package balance

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// maglev is "hash-type maglev", an extension: a table of prime size in which every member has slots in proportion to its
// weight, filled as the Maglev paper (Eisenbud et al., NSDI 2016, section 3.4) does. A key is a slot.
//
// The table is made for the nominal weights, the largest that each member has had, and stays while members come and go. A key whose
// slot belongs to a member that is out is hashed again, up to a limit: so the keys of a member that leaves
// spread over the others by weight, no other key moves, and all return with it. A member below its nominal
// weight keeps only that part of its slots. Only when less than an eighth of the nominal weight is in,
// the table is made for just those. Which table is used follows from the weights alone, not from the order of
// events, so two balancers agree.
type maglev struct {
	weights
	bound
	// Guarded by change.
	ids     []uint32
	order   []int32 // members by id
	nominal []int32
	sum     int64
	small   bool // the table is for the members that are in only

	table atomic.Pointer[slots]
}

// slots is immutable once published.
type slots struct {
	member []uint16
	weight []int32 // member -> the weight that its slots stand for
}

// sizes are primes just below powers of two.
var sizes = []int{1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071, 262139, 524287, 1048573, 2097143, 4194301}

const (
	slotsPerMember = 100 // at least; the paper's own choice for an imbalance of about one percent
	rehashes       = 96  // with an eighth in, all of them miss in three cases of a million
)

func newMaglev(o Options, members []Member, load Load) *maglev {
	m := &maglev{
		ids:     make([]uint32, len(members)),
		order:   make([]int32, len(members)),
		nominal: make([]int32, len(members)),
	}
	m.weights.init(members, load)
	m.bound.init(o.BalanceFactor, &m.weights)
	for i := range members {
		m.ids[i], m.order[i], m.nominal[i] = members[i].ID, int32(i), m.weight[i].Load()
		m.sum += int64(m.nominal[i])
	}
	m.sort()
	m.build()
	return m
}

func (m *maglev) sort() {
	slices.SortStableFunc(m.order, func(a, b int32) int { return cmp.Compare(m.ids[a], m.ids[b]) })
}

func (m *maglev) Choose(key uint32, avoid int) int {
	if m.usable.Load() == 0 {
		return -1
	}
	table := m.table.Load()
	first := -1
	hash := uint64(key) + 0x632be59bd9b4e019
	for range rehashes {
		if len(table.member) == 0 {
			break // the first member is coming in
		}
		hash = mix(hash + 0x9e3779b97f4a7c15)
		slot := scale(hash, len(table.member))
		i := int(table.member[slot])
		now, full := m.weight[i].Load(), table.weight[i]
		if i == avoid || now == 0 || now < full && int32(scale(mix(uint64(slot)), int(full))) >= now {
			continue
		}
		if m.fits(&m.weights, i) {
			return i
		}
		if first < 0 {
			first = i
		}
	}
	return m.scan(hash, avoid, first)
}

// scale maps a hash to 0..n-1.
func scale(hash uint64, n int) int { return int(hash >> 32 * uint64(n) >> 32) }

// scan goes through all members, from one that the key decides: for the few keys that were never in luck.
func (m *maglev) scan(hash uint64, avoid, first int) int {
	from := scale(mix(hash), len(m.weight))
	for step := range m.weight {
		i := from + step
		if i >= len(m.weight) {
			i -= len(m.weight)
		}
		if i == avoid || !m.alive(i) {
			continue
		}
		if m.fits(&m.weights, i) {
			return i
		}
		if first < 0 {
			first = i
		}
	}
	if first >= 0 {
		return first
	}
	return m.anyAlive(avoid)
}

func (m *maglev) SetWeight(i, weight int) {
	m.change.Lock()
	_, now := m.set(i, weight)
	grown := int32(now) > m.nominal[i]
	if grown {
		m.sum += int64(now) - int64(m.nominal[i])
		m.nominal[i] = int32(now)
	}
	if grown || m.small || m.few() {
		m.build()
	}
	m.change.Unlock()
	m.bound.settle(&m.weights, i)
}

// Assign forgets the slots of the member that had the index, which is gone for good: the table is as if it had never been.
func (m *maglev) Assign(i int, member Member) {
	m.change.Lock()
	defer m.change.Unlock()
	had := m.nominal[i]
	m.sum -= int64(had)
	m.nominal[i], m.ids[i] = 0, member.ID
	m.sort()
	if had > 0 {
		m.build()
	}
}

func (m *maglev) few() bool { return m.total.Load()*8 < m.sum }

// build makes the table that the weights call for. The caller holds change, or is the only one.
func (m *maglev) build() {
	m.small = m.few()
	weight := slices.Clone(m.nominal)
	if m.small {
		for i := range weight {
			weight[i] = m.weight[i].Load()
		}
	}
	var members []int32
	for _, i := range m.order {
		if weight[i] > 0 {
			members = append(members, i)
		}
	}
	m.table.Store(&slots{fill(members, weight, m.ids), weight})
}

// fill lets the members take slots in turns, each in the order of its own permutation of the table (offset + k·skip), and
// as often as its weight says; each has one slot at least.
func fill(members, weight []int32, ids []uint32) []uint16 {
	if len(members) == 0 {
		return nil
	}
	size := sizes[len(sizes)-1]
	for _, s := range sizes {
		if s >= slotsPerMember*len(members) {
			size = s
			break
		}
	}
	table := make([]uint16, size)
	taken := make([]bool, size)
	next, skip, credit := make([]int, len(members)), make([]int, len(members)), make([]int32, len(members))
	top := int32(0)
	for k, i := range members {
		hash := mix(uint64(ids[i]) + 0x9e3779b97f4a7c15)
		next[k], skip[k] = scale(hash, size), 1+scale(mix(hash), size-1)
		top = max(top, weight[i])
	}
	for k, i := range members {
		credit[k] = top - weight[i]
	}
	for left := size; ; {
		for k, i := range members {
			if credit[k] += weight[i]; credit[k] < top {
				continue
			}
			credit[k] -= top
			at := next[k]
			for taken[at] {
				if at += skip[k]; at >= size {
					at -= size
				}
			}
			taken[at], table[at] = true, uint16(i)
			if next[k] = at + skip[k]; next[k] >= size {
				next[k] -= size
			}
			if left--; left == 0 {
				return table
			}
		}
	}
}

// Changed keeps the sum of the loads for the bound; without one it does nothing.
func (m *maglev) Changed(i int) { m.bound.settle(&m.weights, i) }

func (m *maglev) Waits() bool { return true }
