package queue

import (
	"math"
	"sync/atomic"
)

// Unlimited is a limit that is never reached.
const Unlimited = math.MaxInt64

// Slots counts the flows of one server against its limit. The word that counts may lie anywhere that lives as long; the
// low 63 bits are the number served, and the highest says that the server is retired. All methods may be called at any time from
// anywhere.
type Slots struct {
	word  *atomic.Uint64
	limit atomic.Int64
	// dynamic, if it is set, gives a lower limit for the moment (minconn, slow start). It must be quick and must not block.
	dynamic func() int64
	// Changed, if it is set, is called whenever the number served has changed, before anybody looks for a waiter: so that an
	// algorithm that passes over full servers knows. Set it before the server is opened. It must not block.
	Changed func()
}

// retired is the word of a server of which no slot can be claimed any more. It is above every limit.
const retired = 1 << 63

// Served is the number of slots that are claimed.
func (s *Slots) Served() int64 { return int64(s.word.Load() &^ retired) }

// Retire ends claiming for good, if no slot is claimed; false: some are. Since the word that counts says so too, no claim that is
// under way can succeed afterwards.
func (s *Slots) Retire() bool {
	step(Store, s.word)
	return s.word.CompareAndSwap(0, retired)
}

// Limit is the number of slots that may be claimed now.
func (s *Slots) Limit() int64 {
	limit := s.limit.Load()
	if s.dynamic != nil {
		limit = min(limit, s.dynamic())
	}
	return limit
}

// Full tells whether no slot is free at this moment.
func (s *Slots) Full() bool { return s.word.Load() >= uint64(max(s.Limit(), 0)) }

// claim takes a slot if one is free: served never passes the limit that was read before the swap.
func (s *Slots) claim() bool {
	for {
		step(Load, s.word)
		served := s.word.Load()
		step(Load, &s.limit)
		if served >= uint64(max(s.Limit(), 0)) {
			return false
		}
		step(Store, s.word)
		if s.word.CompareAndSwap(served, served+1) {
			s.changed()
			return true
		}
	}
}

// free gives a slot back. Whoever calls it must look for a waiter afterwards.
func (s *Slots) free() {
	step(Store, s.word)
	s.word.Add(^uint64(0))
	s.changed()
}

func (s *Slots) changed() {
	if s.Changed != nil {
		s.Changed()
	}
}
