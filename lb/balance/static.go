package balance

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// static is what "static-rr" and the map-based hash share: a sequence of the members that are in, laid out again when one
// comes or goes. Readers load the pointer and then own an immutable slice. A positive weight for a member that is
// already in changes nothing, as HAProxy's manual has it for static algorithms: the weight a member came in with stays.
type static struct {
	room
	table  atomic.Pointer[[]uint16] // written under change
	order  []uint32                 // member -> Member.Order; read and written under change
	sorted []uint16                 // members in their order, as order
}

func (s *static) init(members []Member, load Load) {
	s.room.init(members, load, nil)
	s.order, s.sorted = make([]uint32, len(members)), make([]uint16, len(members))
	for i, m := range members {
		s.order[i], s.sorted[i] = m.Order, uint16(i)
	}
	s.sort()
	s.build()
}

func (s *static) sort() {
	slices.SortFunc(s.sorted, func(a, b uint16) int { return cmp.Or(cmp.Compare(s.order[a], s.order[b]), cmp.Compare(a, b)) })
}

// build lays the sequence out. The caller holds change, or is the only one.
func (s *static) build() {
	now := make([]int32, len(s.weight))
	for at, i := range s.sorted {
		now[at] = s.weight[i].Load()
	}
	table := sequence(now)
	for place, at := range table {
		table[place] = s.sorted[at]
	}
	s.table.Store(&table)
}

// Assign gives the index another place in the order.
func (s *static) Assign(i int, m Member) {
	s.change.Lock()
	defer s.change.Unlock()
	s.order[i] = m.Order
	s.sort()
}

func (s *static) SetWeight(i, weight int) {
	s.change.Lock()
	defer s.change.Unlock()
	if s.alive(i) == (weight > 0) {
		return
	}
	s.set(i, weight)
	s.settle(i)
	s.build()
}

// staticRR is "static-rr": each loop takes the next place of the sequence from a shared counter.
type staticRR struct {
	static
	place atomic.Uint64
}

// probes is how many places of a sequence are tried before the search goes over to the set of members with room.
const probes = 16

func newStatic(members []Member, load Load) *staticRR {
	s := &staticRR{}
	s.init(members, load)
	return s
}

func (s *staticRR) Choose(_ uint32, avoid int) int {
	table := *s.table.Load()
	if len(table) == 0 {
		return -1
	}
	i := 0
	for range min(probes, len(table)) {
		i = int(table[(s.place.Add(1)-1)%uint64(len(table))])
		if i != avoid && s.alive(i) && !s.load.Full(i) {
			return i
		}
	}
	// Most are full: go from the last one tried to the next that has room.
	found := -1
	for range len(s.weight) {
		at := s.next(i)
		if at < 0 {
			break
		}
		if s.alive(at) && !s.load.Full(at) {
			if at != avoid {
				return at
			}
			if found >= 0 {
				break // went round: there is no other
			}
			found = at
		}
		if i = at + 1; i == len(s.weight) {
			i = 0
		}
	}
	return found
}

func (s *staticRR) Waits() bool { return false }

// mapped is "hash-type map-based": the key's remainder is a place in the sequence.
type mapped struct{ static }

func newMapped(members []Member, load Load) *mapped {
	m := &mapped{}
	m.init(members, load)
	return m
}

func (m *mapped) Choose(key uint32, avoid int) int {
	table := *m.table.Load()
	if len(table) == 0 {
		return -1
	}
	place := int(key % uint32(len(table)))
	for range table {
		if i := int(table[place]); i != avoid && m.alive(i) {
			return i
		}
		if place++; place == len(table) {
			place = 0
		}
	}
	return m.anyAlive(avoid)
}

// Changed does nothing: neither load nor room counts, the flow waits at its member.
func (m *mapped) Changed(int) {}

func (m *mapped) Waits() bool { return true }
