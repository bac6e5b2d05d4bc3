package main

import (
	"fmt"
	"time"
)

// settings are what checks go by.
type settings struct {
	inter, fast, down time.Duration // between the end of a check and the beginning of the next
	rise, fall        int
	connect           time.Duration // a check's connect fails after that
	check             time.Duration // and its answer must come within that
}

// span is what the arithmetic allows.
type span struct{ least, most time.Duration }

// untilDown is how long a fault is there before the server is marked down, if a check takes so long to fail. The last good
// check has ended up to inter ago; the first bad one begins inter after it; the others follow a fastinter after the end of
// the one before. At least: a check begins just then.
func (s settings) untilDown(fails time.Duration) span {
	n := time.Duration(s.fall)
	least := n*fails + (n-1)*s.fast
	return span{least, s.inter + least}
}

// untilUp is the same for a server that is well again. At the worst a check has begun just before and fails, and a downinter
// after its end comes the first good one.
func (s settings) untilUp(fails time.Duration) span {
	least := time.Duration(s.rise-1) * s.fast
	return span{least, fails + s.down + least}
}

// holds tells whether a measured time is within the span. What a fault takes to be done may come before or after the moment
// that counts; and processes, their scheduling and the log take time on a busy machine: that is grace.
func (s span) holds(d, grace time.Duration) bool {
	return d >= s.least-100*time.Millisecond && d <= s.most+grace
}

func (s span) String() string { return seconds(s.least) + "–" + seconds(s.most) }

// seconds writes a time to a hundredth of a second.
func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }

// measured writes the smallest and the largest of some times.
func measured(times []time.Duration) string {
	if len(times) == 0 {
		return "never"
	}
	s := span{times[0], times[0]}
	for _, d := range times {
		s.least, s.most = min(s.least, d), max(s.most, d)
	}
	return s.String()
}
