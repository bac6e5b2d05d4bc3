package queue

import "sync/atomic"

// event is something that the queue counts.
type event int

const (
	lookedAgain event = iota
	atRisk
	requeued
	direct
	sentBack
	events
)

// counts is one loop's shard.
type counts struct {
	values [events]atomic.Uint64
	_      [64]byte
}

func (l *level) count(loop int, e event) { l.counts[loop].values[e].Add(1) }

func (l *level) sum(e event) uint64 {
	var n uint64
	for i := range l.counts {
		n += l.counts[i].values[e].Load()
	}
	return n
}

// Counts is what a level has counted so far.
type Counts struct {
	LookedAgain uint64 // waiters that looked for a slot after they were published
	AtRisk      uint64 // of these, found a free slot: without the look somebody might have been stranded
	Requeued    uint64 // of these, got it themselves: taken out and tried again
	Direct      uint64 // waiters that were handed a slot
	SentBack    uint64 // waiters whose server was closed
}

// Counts sums the loops' shards.
func (l *level) Counts() Counts {
	return Counts{l.sum(lookedAgain), l.sum(atRisk), l.sum(requeued), l.sum(direct), l.sum(sentBack)}
}
