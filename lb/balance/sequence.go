package balance

import (
	"math/bits"
)

// sequence lays members out in proportion to their weights: one round of static-rr, and the map of "hash-type map-based".
//
// The order is the one that HAProxy 2.6 shows from outside, so that a source finds the same server behind both. In each
// place every member earns its weight, and the one that takes the place pays the sum of all weights. The place goes to the
// first member that has earned a whole place; if there is none, to the first that is not in debt. With equal weights
// this is the order of the members.
//
// A member's times are known when it has been placed, so they wait in a calendar instead of being counted at every place:
// with W places and n members this takes W·(n/64) steps at worst, not W·n.
func sequence(weights []int32) []uint16 {
	var members []uint16
	divisor := 0
	for i, w := range weights {
		if w > 0 {
			members = append(members, uint16(i))
			divisor = gcd(divisor, int(w))
		}
	}
	if len(members) == 0 {
		return nil
	}
	total := 0
	for _, i := range members {
		total += int(weights[i]) / divisor
	}
	if total == len(members) {
		return members // equal weights
	}

	c := newCalendar(len(members), total)
	placed := make([]int, len(members))
	for m := range members {
		c.clear.put(m) // nobody is in debt yet
		c.due.at(earned(1, total, int(weights[members[m]])/divisor), m)
	}
	out := make([]uint16, total)
	for place := range out {
		c.due.open(place)
		c.clear.open(place)
		m := c.due.first()
		if m < 0 {
			m = c.clear.first()
		}
		out[place] = members[m]
		c.due.take(m)
		c.clear.take(m)
		placed[m]++
		w := int(weights[members[m]]) / divisor
		c.clear.at(max(earned(placed[m], total, w), place+1), m)
		c.due.at(max(earned(placed[m]+1, total, w), place+1), m)
	}
	return out
}

// earned returns the first place at which a member of weight w has earned n whole places of total.
func earned(n, total, w int) int { return (n*total+w-1)/w - 1 }

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// calendar holds for each member when it will be out of debt and when it will be due.
type calendar struct{ clear, due days }

func newCalendar(members, places int) *calendar {
	return &calendar{newDays(members, places), newDays(members, places)}
}

// days is a set of members, to which others are added when their day comes. A member waits for one day at most, but may
// be taken before it: when its day comes it is then ignored, because day[m] names another.
type days struct {
	set  []uint64
	head []int32 // place -> first entry, -1: none
	next []int32 // entry -> next entry
	who  []int32 // entry -> member
	day  []int32 // member -> the place it waits for
}

func newDays(members, places int) days {
	d := days{
		set:  make([]uint64, (members+63)/64),
		head: make([]int32, places),
		day:  make([]int32, members),
		next: make([]int32, 0, places+members),
		who:  make([]int32, 0, places+members),
	}
	for i := range d.head {
		d.head[i] = -1
	}
	return d
}

func (d *days) put(m int) { d.set[m>>6] |= 1 << (m & 63) }

func (d *days) take(m int) {
	d.set[m>>6] &^= 1 << (m & 63)
	d.day[m] = -1
}

func (d *days) at(place, m int) {
	d.day[m] = int32(place)
	if place >= len(d.head) {
		return
	}
	d.next = append(d.next, d.head[place])
	d.who = append(d.who, int32(m))
	d.head[place] = int32(len(d.who) - 1)
}

func (d *days) open(place int) {
	for e := d.head[place]; e >= 0; e = d.next[e] {
		if m := int(d.who[e]); d.day[m] == int32(place) {
			d.put(m)
		}
	}
}

func (d *days) first() int {
	for at, word := range d.set {
		if word != 0 {
			return at<<6 + bits.TrailingZeros64(word)
		}
	}
	return -1
}
