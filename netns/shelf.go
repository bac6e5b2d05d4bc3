package netns

import (
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// familyOf are the address families that sockets are kept for.
var familyOf = [families]int{unix.AF_INET, unix.AF_INET6, unix.AF_UNIX}

const (
	families   = 3
	mostShelf  = 64 // sockets of a family that wait at most, a power of two
	firstShelf = 8  // that a pool begins with
	leastShelf = 2  // that it gets if Options.Pooled leaves it no more
)

// shelf is the pool of one family: a ring that the namespace's thread fills and any goroutine takes from. Numbers only grow; a
// socket's place is its number modulo the size. A taker reads the place and then moves taken on by compare-and-swap; the
// thread writes to a place only once taken has passed it, so that who read what it wrote later fails in the swap.
type shelf struct {
	in     *inside
	family int
	ring   [mostShelf]atomic.Int32
	taken  atomic.Uint64
	made   atomic.Uint64 // only the thread changes it
	low    atomic.Uint64 // fewer than these left: the thread is to be woken; 0: the pool is not in use

	missed atomic.Bool // it was empty when it was needed

	// The thread's own.
	goal  int    // sockets that are to wait here
	extra int    // of these, what was reserved of Options.Pooled
	seen  uint64 // taken, when the thread rested last

	mu      sync.Mutex // guards what follows
	waiting []func(syscall.Errno)
	closed  bool
}

func (s *shelf) init(in *inside, family int) { s.in, s.family = in, family }

// take gives a socket, or 0.
func (s *shelf) take() int {
	for {
		taken := s.taken.Load()
		left := s.made.Load() - taken
		if left == 0 || left > mostShelf { // another has taken in between, and the thread has made more
			if left == 0 {
				return 0
			}
			continue
		}
		fd := s.ring[taken%mostShelf].Load()
		if !s.taken.CompareAndSwap(taken, taken+1) {
			continue
		}
		if left-1 < s.low.Load() {
			s.in.ask()
		}
		return int(fd)
	}
}

// await has tell called when there are sockets, or when there will be none; false: there will be none. It is published before
// the thread is asked, so the thread sees it.
func (s *shelf) await(tell func(syscall.Errno)) bool {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return false
	}
	s.waiting = append(s.waiting, tell)
	s.mu.Unlock()
	s.missed.Store(true)
	s.in.ask()
	return true
}

// fill makes as many sockets as there should be. Those who wait are told as soon as there are some. The thread calls it.
func (s *shelf) fill() {
	if s.missed.Swap(false) {
		s.grow()
	}
	var failed syscall.Errno
	made := 0
	for int(s.made.Load()-s.taken.Load()) < s.goal {
		fd, errno := newSocket(s.family)
		if errno != 0 {
			failed = errno
			break
		}
		number := s.made.Load()
		s.ring[number%mostShelf].Store(int32(fd))
		s.made.Store(number + 1)
		if made++; made == firstShelf {
			s.tell(0)
		}
	}
	s.in.space.counters.made.Add(uint64(made))
	if failed != 0 {
		s.in.space.counters.failed.Add(1)
	}
	if made > 0 {
		failed = 0
	}
	s.tell(failed)
}

// tell tells those who wait.
func (s *shelf) tell(errno syscall.Errno) {
	s.mu.Lock()
	waiting := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	for _, tell := range waiting {
		tell(errno)
	}
}

// grow doubles the pool, as far as there is room.
func (s *shelf) grow() {
	goal := min(max(2*s.goal, firstShelf), mostShelf)
	if more := goal - s.goal; more > 0 {
		switch {
		case s.in.space.set.reserve(int64(more)):
			s.goal, s.extra = goal, s.extra+more
		case s.goal == 0:
			s.goal = leastShelf
		}
	}
	s.low.Store(uint64(s.goal+1) / 2)
}

// rest empties the pool if nobody has taken from it since the last rest.
func (s *shelf) rest() {
	if s.goal == 0 {
		return
	}
	if taken := s.taken.Load(); taken != s.seen {
		s.seen = taken
		return
	}
	s.empty()
}

func (s *shelf) empty() {
	s.low.Store(0)
	s.in.space.set.reserve(-int64(s.extra))
	s.goal, s.extra = 0, 0
	for fd := s.take(); fd != 0; fd = s.take() {
		unix.Close(fd)
	}
	s.seen = s.taken.Load()
}

// close empties the pool for good. Those who wait are told that there is nothing: who comes later is told by await.
func (s *shelf) close() {
	s.mu.Lock()
	waiting := s.waiting
	s.waiting, s.closed = nil, true
	s.mu.Unlock()
	s.empty()
	for _, tell := range waiting {
		tell(unix.ENONET)
	}
}
