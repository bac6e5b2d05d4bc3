package flow

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/poller"
)

// A bandwidth is sold to the loops in chunks, each of which is a few ms of it. A loop spends what it has bought on its own
// flows, with nobody else's help: what all loops share is touched once for a chunk, not for a packet.
//
// A side of a flow whose loop can buy nothing is parked: it is not read, and TCP tells its peer to wait. Parked sides are
// read in the order in which they came, each for its part of what was bought, so that many flows share a bandwidth evenly.

// Bandwidth bounds bytes per second over all loops. It is what is sold: the time until which it is sold stands in one
// word, so selling is one compare-and-swap.
type Bandwidth struct {
	perSecond int64        // bytes
	chunk     int          // bytes that a loop buys at once
	cost      int64        // of a chunk, in ns of the bandwidth
	sold      atomic.Int64 // until when, in ns on the loops' clock
}

const (
	chunkTime  = 2 * time.Millisecond  // of the bandwidth, is what a loop buys at once
	saved      = 20 * time.Millisecond // of the bandwidth, is what can be bought at once after a pause
	leastChunk = 4 << 10               // bytes
	leastRead  = 1 << 10               // bytes that a read must be allowed to bring to be worth its system call
	leastTurn  = 16 << 10              // bytes that a parked side may read in its turn
)

// NewBandwidth bounds to so many bytes per second. What loops have bought and not spent comes on top, once: 2 ms of it,
// or 4 KiB, for each loop.
func NewBandwidth(perSecond int64) *Bandwidth {
	b := &Bandwidth{perSecond: perSecond, chunk: int(max(perSecond*int64(chunkTime)/int64(time.Second), leastChunk))}
	b.cost = int64(float64(b.chunk) / float64(perSecond) * float64(time.Second))
	return b
}

// PerSecond is the bound, in bytes.
func (b *Bandwidth) PerSecond() int64 { return b.perSecond }

// buy sells a chunk, or says how long it will be until there is one.
func (b *Bandwidth) buy(now time.Duration) (n int, wait time.Duration) {
	for {
		before := b.sold.Load()
		until := max(before, int64(now)-max(int64(saved), b.cost)) + b.cost
		if until > int64(now) {
			return 0, time.Duration(until) - now
		}
		if b.sold.CompareAndSwap(before, until) {
			return b.chunk, 0
		}
	}
}

// metering says how a side is read.
type metering uint8

const (
	unmetered metering = iota
	metered            // as far as its tenant's bandwidth goes
	parked             // not now: it is among the meter's parked
)

// meter is one loop's share of one bandwidth. Only the loop's thread touches it.
type meter struct {
	loop      *Loop
	tenant    *Tenant
	bandwidth *Bandwidth
	credit    int // bytes that were bought and are not spent
	timer     poller.Timer

	// parked are the sides that wait, from first on; nil where one has left. places are where they stand, counted from the
	// first one that there ever was; gone is how many are not in the list any more.
	parked  []*side
	first   int
	places  map[*side]int
	gone    int
	serving *side // has its turn
	turn    int   // bytes that are left of it
}

// meterOf gives the meter of what comes from s, if its bandwidth is limited.
func (f *Flow) meterOf(s *side) *meter {
	share := f.loop.shareOf(f.bind.Tenant)
	if s.isServer {
		return &share.out
	}
	return &share.in
}

// grants tells whether s may be read now. If not, it is parked, and read once it may. One that is broken is read at once: it
// has at most what the kernel holds, which is paid for afterwards, and its flow is to end.
func (m *meter) grants(s *side) bool {
	switch {
	case s.failed:
		return true
	case s.metering == parked:
		return false
	}
	if m.serving == s && m.turn >= leastRead || m.serving != s && m.waiting() == 0 {
		if m.credit >= leastRead || m.buy() {
			return true
		}
	}
	s.metering = parked
	m.places[s] = m.gone + len(m.parked)
	m.parked = append(m.parked, s)
	m.tenant.Stats.Add(m.loop.ID, stats.Throttled, 1)
	m.wake(0)
	return false
}

func (m *meter) waiting() int { return len(m.parked) - m.first }

// most is how many of n bytes a read may bring that was granted.
func (m *meter) most(s *side, n int) int {
	if s.failed {
		return n
	}
	if m.serving == s {
		n = min(n, m.turn)
	}
	return min(n, m.credit)
}

// spend takes off what a read has brought.
func (m *meter) spend(s *side, n int) {
	m.credit -= n
	if m.serving == s {
		m.turn -= n
	}
}

// buy buys a chunk; if there is none, the timer fires when there is.
func (m *meter) buy() bool {
	n, wait := m.bandwidth.buy(m.loop.Now())
	if n == 0 {
		m.wake(wait)
		return false
	}
	m.credit += n
	return true
}

// wake arms the timer, which counts in ms.
func (m *meter) wake(wait time.Duration) {
	if !m.timer.Armed() {
		m.loop.Arm(&m.timer, m.loop.Milliseconds()+uint64(wait/time.Millisecond)+1)
	}
}

// Expired gives each parked side a turn, as far as what can be bought goes. Those that are parked again by then have the
// next one.
func (m *meter) Expired(*poller.Timer) {
	for left := m.waiting(); left > 0; left-- {
		if m.credit < leastRead && !m.buy() {
			break
		}
		s := m.parked[m.first]
		m.first++
		if s == nil {
			continue
		}
		m.leave(s)
		f := s.flow
		m.serving, m.turn = s, max(leastTurn, m.credit/left)
		f.forward(s, f.other(s))
		f.settle()
		m.serving = nil
	}
	if m.first > len(m.parked)/2 {
		m.parked = slices.Delete(m.parked, 0, m.first)
		m.gone += m.first
		m.first = 0
	}
	if m.waiting() > 0 {
		m.wake(0)
	}
}

// leave takes a parked side out.
func (m *meter) leave(s *side) {
	m.parked[m.places[s]-m.gone] = nil
	delete(m.places, s)
	s.metering = metered
}

// unpark takes a flow that ends from among those that wait.
func (f *Flow) unpark() {
	for _, s := range [...]*side{&f.client, &f.server} {
		if s.metering == parked {
			f.meterOf(s).leave(s)
		}
	}
}
