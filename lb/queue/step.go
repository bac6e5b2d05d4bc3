package queue

// Access is what an atomic step does to its object. Two steps can be told apart by their order only if they have the same
// object and one of them is no Load.
type Access uint8

// The kinds of steps.
const (
	Load Access = iota
	Store
	Acquire // of a lock; possible only while nobody has it
)

// fault is a mistake that tests make on purpose, to see that they find it.
type fault uint8

const (
	_ fault = iota
	// looksFirst: a release looks for waiters before it frees its slot.
	looksFirst
	// otherPredicate: the recheck asks "is nobody served?", admission "is there room?".
	otherPredicate
)
