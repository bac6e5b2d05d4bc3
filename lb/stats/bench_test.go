package stats

import (
	"testing"
	"time"
)

func BenchmarkAddTimes(b *testing.B) {
	sets := [2]*Counters{New(2), New(2)}
	for i := 0; b.Loop(); i++ {
		d := time.Duration(i&1023) * 300 * time.Microsecond
		for _, c := range sets {
			c.AddTime(1, QueueTime, 0)
			c.AddTime(1, ConnectTime, d/16)
			c.AddTime(1, TotalTime, d)
		}
	}
}
