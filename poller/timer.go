package poller

import "math/bits"

// Expirer is told that a timer has fired, on its loop's thread.
type Expirer interface{ Expired(t *Timer) }

// Timer is a deadline on one loop. It is embedded in what it serves, armed and disarmed any number of times, and costs
// nothing while it waits. Only the loop's thread may touch it. The zero Timer is disarmed.
type Timer struct {
	Owner      Expirer
	next, prev *Timer // nil while disarmed
	when       uint64 // ms on the loop's clock; in the head of a list, the number of its slot
}

// Armed reports whether t will fire.
func (t *Timer) Armed() bool { return t.next != nil }

// When is the deadline in milliseconds on the loop's clock; meaningful while t is armed.
func (t *Timer) When() uint64 { return t.when }

// wheel is a hierarchical timing wheel of six levels with 64 slots each: level n has slots of 64^n ms. Arming and
// disarming are O(1); a far timer moves down at most five times before it fires. It fires exactly, never early.
// Varghese and Lauck, "Hashed and hierarchical timing wheels" (1987), scheme 7.
type wheel struct {
	elapsed  uint64 // ms up to which everything has fired
	occupied [levels]uint64
	slots    [levels][64]Timer // heads of circular lists; the one of level l, slot s has the number 64*l+s
}

const (
	levels      = 6
	wheelSpan   = uint64(63) << (6 * (levels - 1)) // two years, short of a whole turn; later deadlines are put back when it is over
	neverExpire = ^uint64(0)
)

func (w *wheel) init(now uint64) {
	w.elapsed = now
	for l := range w.slots {
		for s := range w.slots[l] {
			head := &w.slots[l][s]
			head.next, head.prev, head.when = head, head, uint64(64*l+s)
		}
	}
}

func (w *wheel) arm(t *Timer, when uint64) {
	if t.Armed() {
		if t.when == when {
			return
		}
		w.disarm(t)
	}
	t.when = when
	w.insert(t)
}

func (w *wheel) insert(t *Timer) {
	when := max(t.when, w.elapsed+1)
	if when-w.elapsed >= wheelSpan {
		when = w.elapsed + wheelSpan - 1
	}
	differing := (w.elapsed ^ when) | 63
	level := min((63-bits.LeadingZeros64(differing))/6, levels-1)
	slot := (when >> (6 * level)) & 63
	head := &w.slots[level][slot]
	t.prev, t.next = head.prev, head
	head.prev.next, head.prev = t, t
	w.occupied[level] |= 1 << slot
}

func (w *wheel) disarm(t *Timer) {
	if !t.Armed() {
		return
	}
	rest := t.next
	t.prev.next, rest.prev = rest, t.prev
	t.next, t.prev = nil, nil
	if rest.next != rest {
		return
	}
	// Only the head is left, or that of advance's list, which has the number of the slot that it came from.
	level, slot := rest.when/64, rest.when%64
	if head := &w.slots[level][slot]; head.next == head {
		w.occupied[level] &^= 1 << slot
	}
}

// next gives the time at which the first occupied slot begins, a lower bound for the first deadline, with its place.
func (w *wheel) next() (when uint64, level, slot int) {
	for level = range w.occupied {
		occupied := w.occupied[level]
		if occupied == 0 {
			continue
		}
		shift := 6 * level
		current := int(w.elapsed>>shift) & 63
		slot = (bits.TrailingZeros64(bits.RotateLeft64(occupied, -current)) + current) & 63
		span := uint64(64) << shift
		when = w.elapsed&^(span-1) + uint64(slot)<<shift
		if when <= w.elapsed {
			when += span
		}
		return when, level, slot
	}
	return neverExpire, 0, 0
}

// advance moves to now and fires what is due. An expirer may arm and disarm any timer, its own included.
func (w *wheel) advance(now uint64) {
	for {
		when, level, slot := w.next()
		if when > now {
			w.elapsed = max(w.elapsed, now)
			return
		}
		w.elapsed = when
		head := &w.slots[level][slot]
		// Take the list off its slot first: what is armed meanwhile goes to later slots.
		due := Timer{when: head.when}
		due.next, due.prev = head.next, head.prev
		due.next.prev, due.prev.next = &due, &due
		head.next, head.prev = head, head
		w.occupied[level] &^= 1 << slot
		for due.next != &due {
			t := due.next
			t.prev.next, t.next.prev = t.next, t.prev
			t.next, t.prev = nil, nil
			if t.when > now {
				w.insert(t)
				continue
			}
			t.Owner.Expired(t)
		}
	}
}
