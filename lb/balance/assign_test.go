package balance

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// Members come and go; whoever is there is chosen as if all others had never been. The algorithms that go by a rotation are
// compared by how often each member is chosen, the others choice by choice.
func TestAssignedMembersAreLikeNewOnes(t *testing.T) {
	for _, c := range every {
		rng := rand.New(rand.NewPCG(3, 9))
		const room = 12
		here := make([]*Member, room) // by index
		a := must(t, c.o, make([]Member, room), newFarm(room, 0))
		order, id := uint32(0), uint32(0)
		for step := range 60 {
			i := rng.IntN(room)
			if here[i] != nil {
				a.SetWeight(i, 0)
				a.Assign(i, Member{})
				here[i] = nil
			} else {
				order++
				if id++; rng.IntN(2) == 0 { // ids are given anew, in no order
					id = uint32(100 + rng.IntN(1000))
				}
				for slices.ContainsFunc(here, func(m *Member) bool { return m != nil && m.ID == id }) {
					id++
				}
				here[i] = &Member{ID: id, Order: order, Weight: 1 + rng.IntN(3)}
				a.Assign(i, *here[i])
				a.SetWeight(i, here[i].Weight)
			}
			var members []Member
			var indexes []int
			for at, m := range here {
				if m != nil {
					members, indexes = append(members, *m), append(indexes, at)
				}
			}
			fresh := must(t, c.o, append(slices.Clone(members), make([]Member, room-len(members))...), newFarm(room, 0))
			if a.Usable() != len(members) {
				t.Fatalf("%s, step %d: %d usable of %d", c.name, step, a.Usable(), len(members))
			}
			exact := a.Waits() || c.o.Kind == First
			times, want := make([]int, room), make([]int, room)
			for range 300 {
				key := rng.Uint32()
				got, wanted := a.Choose(key, -1), fresh.Choose(key, -1)
				if len(members) == 0 {
					if got != -1 {
						t.Fatalf("%s, step %d: chose %d of nobody", c.name, step, got)
					}
					continue
				}
				if here[got] == nil {
					t.Fatalf("%s, step %d: chose %d, which is gone", c.name, step, got)
				}
				if exact && got != indexes[wanted] {
					t.Fatalf("%s, step %d: key %d is for id %d, want id %d", c.name, step, key, here[got].ID, members[wanted].ID)
				}
				times[got]++
				want[indexes[wanted]]++
			}
			for at := range times {
				if d := times[at] - want[at]; c.o.Kind != Random && (d < -6 || d > 6) {
					t.Errorf("%s, step %d: chosen %v times, want about %v", c.name, step, times, want)
					break
				}
			}
		}
	}
}

// While members come and go, loops choose, take and release; in the end every slot can still be had.
func TestAssignLosesNothing(t *testing.T) {
	for _, c := range every {
		const room, stay = 8, 4
		f := newFarm(room, 3)
		members := equal(room, 0)
		for i := range stay {
			members[i].Weight = 2
		}
		a := must(t, c.o, members, f)
		var all sync.WaitGroup
		var end atomic.Bool
		for g := range 3 {
			all.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(g), 1))
				for !end.Load() {
					if i := a.Choose(rng.Uint32(), -1); i >= 0 && f.take(a, i) {
						f.release(a, i)
					}
				}
			})
		}
		for n := range 400 {
			i := stay + n%(room-stay)
			a.Assign(i, Member{ID: uint32(n + 50), Order: uint32(n)})
			a.SetWeight(i, 1+n%3)
			a.SetWeight(i, 0)
		}
		end.Store(true)
		all.Wait()
		if a.Waits() {
			continue
		}
		for n := range stay * 3 {
			if i := a.Choose(0, -1); i < 0 || !f.take(a, i) {
				t.Errorf("%s: only %d of %d slots were found", c.name, n, stay*3)
				break
			}
		}
	}
}
