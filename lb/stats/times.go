package stats

import (
	"sync/atomic"
	"time"
)

// Time names one of the times that a flow took.
type Time uint8

// The times.
const (
	QueueTime   Time = iota // it waited for a slot
	ConnectTime             // from the slot to the connection
	TotalTime               // from accept to the end
	Times                   // how many there are
)

// window is over how many of a loop's last flows an average goes.
const window = 1024

// times is one kind of time of one loop. Only the loop adds; Clear may come between, and then one flow is not seen.
type times struct {
	sum   atomic.Uint64 // microseconds: of all flows while they are fewer than window, then of about the last window
	count atomic.Uint64
	most  atomic.Uint64 // microseconds
}

// AddTime notes how long one flow took. Only the loop itself may use its number.
func (c *Counters) AddTime(loop int, kind Time, d time.Duration) {
	t := &c.shards[loop].times[kind]
	v := uint64(max(d, 0) / time.Microsecond)
	sum, n := t.sum.Load(), t.count.Load()
	next := sum + v
	if n >= window {
		next -= sum / window
	}
	if t.sum.CompareAndSwap(sum, next) {
		t.count.CompareAndSwap(n, n+1)
	}
	if v > t.most.Load() {
		t.most.Store(v)
	}
}

// AverageTime is the mean of about the last 1024 flows of each loop; 0: there was none.
func (c *Counters) AverageTime(kind Time) time.Duration {
	var sum, n uint64
	for i := range c.shards {
		t := &c.shards[i].times[kind]
		sum, n = sum+t.sum.Load(), n+min(t.count.Load(), window)
	}
	if n == 0 {
		return 0
	}
	return time.Duration(sum/n) * time.Microsecond
}

// LongestTime is the longest of all flows since Clear or ClearLongest.
func (c *Counters) LongestTime(kind Time) time.Duration {
	var most uint64
	for i := range c.shards {
		most = max(most, c.shards[i].times[kind].most.Load())
	}
	return time.Duration(most) * time.Microsecond
}

// ClearLongest makes the longest times begin anew.
func (c *Counters) ClearLongest() { c.clearTimes(false) }

func (c *Counters) clearTimes(averages bool) {
	for i := range c.shards {
		for kind := range c.shards[i].times {
			t := &c.shards[i].times[kind]
			t.most.Store(0)
			if averages {
				t.count.Store(0)
				t.sum.Store(0)
			}
		}
	}
}
