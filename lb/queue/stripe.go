package queue

import "sync/atomic"

// stripe is one loop's part of a queue: a binary heap under a lock, with the key of its head in an atomic, so that who
// looks for the best waiter need not lock. It fills two cache lines of its own.
type stripe struct {
	head atomic.Uint64 // Key of heap[0], or none; written under lock
	lock lock
	heap []*Waiter // guarded by lock
	next uint64    // sequence of the next waiter; guarded by lock
	_    [80]byte
}

func (s *stripe) init() { s.head.Store(uint64(none)) }

func (s *stripe) key() Key {
	step(Load, &s.head)
	return Key(s.head.Load())
}

// push publishes w and returns how many stood before it. Called without the lock.
func (s *stripe) push(w *Waiter) int {
	s.lock.Lock()
	ahead := len(s.heap)
	w.sequence = s.next
	s.next++
	w.stripe, w.index = s, len(s.heap)
	s.heap = append(s.heap, w)
	s.up(w.index)
	s.publish()
	s.lock.Unlock()
	return ahead
}

// popBest takes the head off if its key is not above limit; nil if it is, or if the stripe is empty.
func (s *stripe) popBest(limit Key) *Waiter {
	s.lock.Lock()
	defer s.lock.Unlock()
	if len(s.heap) == 0 || s.heap[0].Key > limit {
		return nil
	}
	w := s.heap[0]
	s.remove(0)
	return w
}

// take takes w out if it is still here.
func (s *stripe) take(w *Waiter) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	if w.stripe != s || w.index < 0 {
		return false
	}
	s.remove(w.index)
	return true
}

// remove takes the waiter at i out. Called with the lock.
func (s *stripe) remove(i int) {
	last := len(s.heap) - 1
	w := s.heap[i]
	s.swap(i, last)
	s.heap[last] = nil
	s.heap = s.heap[:last]
	if i < last {
		s.down(i)
		s.up(i)
	}
	w.index = -1
	s.publish()
}

// publish shows the head to those who look without the lock. Called with it.
func (s *stripe) publish() {
	key := none
	if len(s.heap) > 0 {
		key = s.heap[0].Key
	}
	if Key(s.head.Load()) != key {
		step(Store, &s.head)
		s.head.Store(uint64(key))
	}
}

func (s *stripe) less(i, j int) bool {
	a, b := s.heap[i], s.heap[j]
	return a.Key < b.Key || a.Key == b.Key && a.sequence < b.sequence
}

func (s *stripe) swap(i, j int) {
	h := s.heap
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (s *stripe) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !s.less(i, parent) {
			return
		}
		s.swap(i, parent)
		i = parent
	}
}

func (s *stripe) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(s.heap) {
			return
		}
		if right := child + 1; right < len(s.heap) && s.less(right, child) {
			child = right
		}
		if !s.less(child, i) {
			return
		}
		s.swap(i, child)
		i = child
	}
}
