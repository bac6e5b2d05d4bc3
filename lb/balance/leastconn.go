package balance

import (
	"sync"
	"sync/atomic"
)

// leastConn takes the member with the fewest flows for its weight; among equals, round robin by weight.
//
// The members that are in stand in a heap by (load, turn). Load is exact: served/weight in units of 2^-17, and two different
// fractions with denominators up to 256 differ by at least 2^-16. Turn moves on when a member is chosen, by the inverse
// of its weight. Choose looks at the root, Changed moves one member: O(log n), under a mutex.
//
// A load that fell must be seen at once, or a better member would be overlooked. One that rose is noted if the mutex is free
// and otherwise found by Choose when the member gets to the root.
//
// A member found full at the root is parked: it leaves the heap until Changed.
type leastConn struct {
	weights
	state []atomic.Uint32 // out, in, parked; written under mu
	noted []atomic.Uint64 // member -> the load it stands in the heap with; written under mu

	mu   sync.Mutex // guards all below, and the weights
	heap []standing
	at   []int32 // member -> its place in the heap, -1: none
	turn []int64 // member -> its turn, kept while it is out
	now  int64   // the latest turn served
}

type standing struct {
	load   uint64
	turn   int64
	member int32
}

// The states of a member.
const (
	out uint32 = iota
	in
	parked
)

// aTurn is what a choice of a member with weight 1 moves its turn by.
const aTurn = 1 << 20

func newLeastConn(members []Member, load Load) *leastConn {
	l := &leastConn{
		state: make([]atomic.Uint32, len(members)),
		noted: make([]atomic.Uint64, len(members)),
		at:    make([]int32, len(members)),
		turn:  make([]int64, len(members)),
		heap:  make([]standing, 0, len(members)),
	}
	l.weights.init(members, load)
	for i := range members {
		l.at[i] = -1
		if l.alive(i) {
			l.enter(i)
		}
	}
	return l
}

// loadOf returns flows per weight. The caller may race with a change of either; who changes one calls settle afterwards.
func (l *leastConn) loadOf(i int) uint64 {
	return uint64(max(l.load.Served(i), 0)) << 17 / uint64(max(l.weight[i].Load(), 1))
}

func (l *leastConn) Choose(_ uint32, avoid int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.best()
	if i < 0 || i != avoid {
		l.serve(i)
		return i
	}
	// Set the unwanted one aside and look again.
	l.remove(i)
	other := l.best()
	l.push(i, l.noted[i].Load())
	l.settle(i)
	if other < 0 {
		other = i
	}
	l.serve(other)
	return other
}

// best returns the root once it is true: not full, and with the load that it stands there with.
func (l *leastConn) best() int {
	for len(l.heap) > 0 {
		i := int(l.heap[0].member)
		switch {
		case l.load.Full(i):
			l.park(i)
		case l.loadOf(i) > l.heap[0].load:
			l.settle(i)
		default:
			return i
		}
	}
	return -1
}

// serve moves the turn of member i on, so that its equals come before it.
func (l *leastConn) serve(i int) {
	if i < 0 {
		return
	}
	l.now = max(l.now, l.turn[i])
	l.turn[i] = l.now + aTurn/int64(max(l.weight[i].Load(), 1))
	if at := l.at[i]; at >= 0 {
		l.heap[at].turn = l.turn[i]
		l.down(int(at))
	}
}

// settle moves member i, which is in the heap, to where its load belongs, and looks again until that is still so.
func (l *leastConn) settle(i int) {
	for now := l.loadOf(i); now != l.noted[i].Load(); now = l.loadOf(i) {
		l.noted[i].Store(now)
		at := int(l.at[i])
		before := l.heap[at].load
		l.heap[at].load = now
		if now < before {
			l.up(at)
		} else {
			l.down(at)
		}
	}
}

// park takes the full member i out, and looks once more: see the package's documentation.
func (l *leastConn) park(i int) {
	l.remove(i)
	l.state[i].Store(parked)
	if !l.load.Full(i) {
		l.enter(i)
	}
}

// enter puts member i in. Its load is looked at after everyone can see that it is in.
func (l *leastConn) enter(i int) {
	l.push(i, l.loadOf(i))
	l.state[i].Store(in)
	l.settle(i)
}

func (l *leastConn) Changed(i int) {
	switch l.state[i].Load() {
	case out:
	case parked:
		if l.load.Full(i) {
			return
		}
		l.mu.Lock()
		if l.state[i].Load() == parked && !l.load.Full(i) {
			l.enter(i)
		}
		l.mu.Unlock()
	default:
		now, noted := l.loadOf(i), l.noted[i].Load()
		if now == noted {
			return
		}
		if now < noted {
			l.mu.Lock()
		} else if !l.mu.TryLock() {
			return
		}
		if l.at[i] >= 0 {
			l.settle(i)
		}
		l.mu.Unlock()
	}
}

func (l *leastConn) SetWeight(i, weight int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, now := l.set(i, weight)
	switch {
	case before == now:
	case now == 0:
		if l.at[i] >= 0 {
			l.remove(i)
		}
		l.state[i].Store(out)
	case before == 0:
		l.enter(i)
	case l.at[i] >= 0:
		l.settle(i)
	}
}

// Assign has a new member begin behind those that were served last.
func (l *leastConn) Assign(i int, _ Member) {
	l.mu.Lock()
	l.turn[i] = l.now
	l.mu.Unlock()
}

func (l *leastConn) Waits() bool { return false }

// before orders the heap.
func (s *standing) before(o *standing) bool {
	return s.load < o.load || s.load == o.load && (s.turn < o.turn || s.turn == o.turn && s.member < o.member)
}

func (l *leastConn) push(i int, load uint64) {
	l.noted[i].Store(load)
	l.heap = append(l.heap, standing{load, l.turn[i], int32(i)})
	l.up(len(l.heap) - 1)
}

func (l *leastConn) remove(i int) {
	at, last := int(l.at[i]), len(l.heap)-1
	l.at[i] = -1
	moved := l.heap[last]
	l.heap = l.heap[:last]
	if at == last {
		return
	}
	l.heap[at] = moved
	l.at[moved.member] = int32(at)
	l.down(at)
	l.up(int(l.at[moved.member]))
}

// The heap has four children per node: half the levels of a binary one, and siblings share cache lines.
func (l *leastConn) up(at int) {
	mover := l.heap[at]
	for at > 0 {
		parent := (at - 1) / 4
		if !mover.before(&l.heap[parent]) {
			break
		}
		l.heap[at] = l.heap[parent]
		l.at[l.heap[at].member] = int32(at)
		at = parent
	}
	l.heap[at] = mover
	l.at[mover.member] = int32(at)
}

func (l *leastConn) down(at int) {
	mover, n := l.heap[at], len(l.heap)
	for {
		child := 4*at + 1
		if child >= n {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, n); c++ {
			if l.heap[c].before(&l.heap[least]) {
				least = c
			}
		}
		if !l.heap[least].before(&mover) {
			break
		}
		l.heap[at] = l.heap[least]
		l.at[l.heap[at].member] = int32(at)
		at = least
	}
	l.heap[at] = mover
	l.at[mover.member] = int32(at)
}
