package queue

// Key orders waiters: the lowest is served first. It packs the priority class above the time of arrival.
type Key uint64

const (
	timeBits = 52 // of microseconds: 142 years
	timeMask = 1<<timeBits - 1

	// MinClass and MaxClass bound a priority class; lower ones are served first (HAProxy's set-priority-class).
	MinClass, MaxClass = -2047, 2047

	// none is the key of an empty stripe, behind every waiter's.
	none Key = 1<<64 - 1
)

// MakeKey gives the key of a waiter of the given class that arrived at the given time, in microseconds from any fixed
// moment, shifted by offset, in milliseconds: a positive offset lets later ones pass, a negative one passes earlier ones.
// Classes and times out of range are cut to it.
func MakeKey(class int, microseconds, offset int64) Key {
	class = max(MinClass, min(class, MaxClass))
	at := max(0, min(microseconds+offset*1000, timeMask))
	return Key(uint64(class-MinClass)<<timeBits | uint64(at))
}

// Class is the priority class in the key.
func (k Key) Class() int { return int(k>>timeBits) + MinClass }

// Microseconds is the shifted time of arrival in the key.
func (k Key) Microseconds() int64 { return int64(k & timeMask) }
