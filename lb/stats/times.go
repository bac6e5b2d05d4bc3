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

// TimeClasses is the number of classes that flows are counted in by each of their times; the last one has no bound.
const TimeClasses = 13

// TimeBounds are the highest times of the classes, but for the last one. They are chosen for what the times tell: a connect of
// more than a second has lost its SYN, which is sent again after one, three and seven (RFC 6298, 2.1); most flows do not queue, and
// those that do are given up after some seconds or minutes; a flow may be one request or a working day.
var TimeBounds = [Times][TimeClasses - 1]time.Duration{
	QueueTime: {
		time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond,
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute,
	},
	ConnectTime: {
		100 * time.Microsecond, 200 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond,
		10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, time.Second, 5 * time.Second,
	},
	TotalTime: {
		time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, time.Second, 5 * time.Second,
		10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, time.Hour, 24 * time.Hour,
	},
}

// times is one kind of time of one loop. Only the loop adds; Clear may come between, and then one flow is not seen.
type times struct {
	sum     atomic.Uint64 // microseconds: of all flows while they are fewer than window, then of about the last window
	count   atomic.Uint64
	most    atomic.Uint64 // microseconds
	total   atomic.Uint64 // microseconds, of all flows
	classes [TimeClasses]atomic.Uint64
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
	t.total.Add(v)
	t.classes[timeClass(kind, d)].Add(1)
}

// timeClass is the class of a time: a few comparisons, fewest for the shortest, which are the most frequent.
func timeClass(kind Time, d time.Duration) int {
	for i := range TimeBounds[kind] {
		if d <= TimeBounds[kind][i] {
			return i
		}
	}
	return TimeClasses - 1
}

// ClassesOf counts the flows since Clear by one of their times, and adds the times up.
func (c *Counters) ClassesOf(kind Time) (classes [TimeClasses]uint64, sum time.Duration) {
	var total uint64
	for i := range c.shards {
		t := &c.shards[i].times[kind]
		for j := range t.classes {
			classes[j] += t.classes[j].Load()
		}
		total += t.total.Load()
	}
	return classes, time.Duration(total) * time.Microsecond
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
				t.total.Store(0)
				for j := range t.classes {
					t.classes[j].Store(0)
				}
			}
		}
	}
}
