//go:build queuestep

package queue

import "sync"

// Step is called between any two atomic steps, in builds with the tag queuestep.
var Step = func(blocked bool) {}

func step() { Step(false) }

// lock is a mutex that asks for its turn instead of sleeping.
type lock struct{ mu sync.Mutex }

func (l *lock) Lock() {
	Step(false)
	for !l.mu.TryLock() {
		Step(true)
	}
}

func (l *lock) Unlock() {
	l.mu.Unlock()
	Step(false)
}
