package stats

import (
	"math/bits"
	"sync/atomic"
)

// Histogram counts values in classes that double: class n holds values of n bits, that is, from 2^(n-1) to 2^n-1. It is
// sharded like Counters.
type Histogram struct {
	shards []histogramShard
}

// Classes is the number of a histogram's classes; the last one holds everything above.
const Classes = 40

type histogramShard struct {
	classes [Classes]atomic.Uint64
	sum     atomic.Uint64
	_       [64]byte
}

// NewHistogram makes a histogram for loops 0 to loops-1.
func NewHistogram(loops int) *Histogram { return &Histogram{shards: make([]histogramShard, loops)} }

// Add counts one value.
func (h *Histogram) Add(loop int, value uint64) {
	s := &h.shards[loop]
	s.classes[min(bits.Len64(value), Classes-1)].Add(1)
	s.sum.Add(value)
}

// Sum gives the counts of all classes over all loops, how many values there were, and their sum.
func (h *Histogram) Sum() (classes [Classes]uint64, count, sum uint64) {
	for i := range h.shards {
		s := &h.shards[i]
		for c := range classes {
			n := s.classes[c].Load()
			classes[c] += n
			count += n
		}
		sum += s.sum.Load()
	}
	return classes, count, sum
}
