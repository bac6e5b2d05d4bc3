package poller

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Load is how busy a loop has been since it began. It is kept with Options.Measure.
type Load struct {
	Turns      uint64
	Events     uint64
	Busy       time.Duration // in handlers
	Waiting    time.Duration // for events
	LongestGap time.Duration // the longest that an event may have waited because the loop was busy: between two waits
	// Gaps counts the turns by the µs between two waits: class n holds times of n bits, the last one all above. Nothing clears it.
	Gaps [GapClasses]uint64

	Pipes     int // that are in use; counted always
	IdlePipes int // that are kept for the next
	Thread    int // the system's id of the loop's thread; 0: it does not run
}

// GapClasses is the number of classes of Load.Gaps.
const GapClasses = 24

// load is written by the loop's thread and read by any.
type load struct {
	turns, events          atomic.Uint64
	busy, waiting, longest atomic.Int64
	gaps                   [GapClasses]atomic.Uint64
	pipes                  atomic.Int64 // in use from bit 32 on, and idle
	thread                 atomic.Int64
	began                  time.Duration // the loop's own: when the last wait was over; 0: there was none yet
}

// publishedWait is measuredWait, and lets the reader of BusySince know.
func (l *Loop) publishedWait() int {
	since := l.options.BusySince
	if since == nil {
		return l.measuredWait()
	}
	since.Store(0)
	n := l.measuredWait()
	since.Store(int64(monotonicEpoch() + l.now))
	return n
}

// monotonicEpoch is the process's epoch on CLOCK_MONOTONIC, which is the clock that package time goes by.
var monotonicEpoch = sync.OnceValue(func() time.Duration {
	var now unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // cannot fail
	return time.Duration(now.Nano()) - time.Since(epoch)
})

// measuredWait is wait, and then the tick of the clock that begins a turn.
func (l *Loop) measuredWait() int {
	if !l.options.Measure {
		n := l.wait()
		l.tick()
		return n
	}
	before := time.Since(epoch)
	n := l.wait()
	l.tick()
	m := &l.load
	if m.began != 0 {
		gap := int64(before - m.began)
		m.busy.Store(m.busy.Load() + gap)
		if gap > m.longest.Load() {
			m.longest.Store(gap)
		}
		class := &m.gaps[min(bits.Len64(uint64(gap)/uint64(time.Microsecond)), GapClasses-1)]
		class.Store(class.Load() + 1)
	}
	after := time.Since(epoch)
	if l.options.Now == nil {
		after = l.now
	}
	m.began = after
	m.waiting.Store(m.waiting.Load() + int64(after-before))
	m.turns.Store(m.turns.Load() + 1)
	m.events.Store(m.events.Load() + uint64(max(n, 0)))
	return n
}

// Load tells how busy the loop has been. Any goroutine may call it.
func (l *Loop) Load() Load {
	m := &l.load
	all := Load{
		Turns: m.turns.Load(), Events: m.events.Load(), Busy: time.Duration(m.busy.Load()), Waiting: time.Duration(m.waiting.Load()),
		LongestGap: time.Duration(m.longest.Load()), Thread: int(m.thread.Load()),
	}
	pipes := m.pipes.Load()
	all.Pipes, all.IdlePipes = int(pipes>>32), int(int32(pipes))
	for i := range m.gaps {
		all.Gaps[i] = m.gaps[i].Load()
	}
	return all
}

// ClearLongestGap makes the longest gap begin anew. Any goroutine may call it; a gap of the same moment may be lost.
func (l *Loop) ClearLongestGap() { l.load.longest.Store(0) }
