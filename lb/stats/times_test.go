package stats

import (
	"sync"
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	c := New(2)
	expect := func(what string, average, longest time.Duration) {
		t.Helper()
		if a, l := c.AverageTime(ConnectTime), c.LongestTime(ConnectTime); a != average || l != longest {
			t.Errorf("%s: %v, at most %v; want %v, %v", what, a, l, average, longest)
		}
	}
	expect("at first", 0, 0)
	c.AddTime(0, ConnectTime, 10*time.Millisecond)
	c.AddTime(1, ConnectTime, 30*time.Millisecond)
	c.AddTime(1, ConnectTime, -time.Second) // a clock that is not: counts as nothing
	c.AddTime(1, TotalTime, time.Hour)      // another one
	expect("three", 40*time.Millisecond/3/time.Microsecond*time.Microsecond, 30*time.Millisecond)
	c.ClearLongest()
	expect("the longest is cleared", 40*time.Millisecond/3/time.Microsecond*time.Microsecond, 0)
	c.Clear()
	expect("all is cleared", 0, 0)
	for range 3 * window {
		c.AddTime(0, ConnectTime, 10*time.Millisecond)
	}
	expect("always the same", 10*time.Millisecond, 10*time.Millisecond)
	for range 20 * window {
		c.AddTime(0, ConnectTime, 20*time.Millisecond)
	}
	if a := c.AverageTime(ConnectTime); a < 19990*time.Microsecond || a > 20*time.Millisecond {
		t.Errorf("after many windows of another time: %v", a)
	}
}

// Clearing while others count and read: nothing is counted twice or below zero.
func TestClear(t *testing.T) {
	const each = 20_000
	c := New(2)
	var all sync.WaitGroup
	for loop := range 2 {
		all.Go(func() {
			for range each {
				c.Add(loop, Sessions, 1)
				c.AddTime(loop, TotalTime, time.Millisecond)
			}
		})
	}
	all.Go(func() {
		for range 200 {
			c.Clear()
			if n := c.Sum(Sessions); n > 2*each {
				t.Errorf("%d were counted", n)
			}
		}
	})
	all.Wait()
	c.Clear()
	if n := c.Sum(Sessions); n != 0 {
		t.Errorf("%d after all is cleared", n)
	}
	c.Add(0, Sessions, 3)
	if n := c.Sum(Sessions); n != 3 {
		t.Errorf("%d, want 3", n)
	}
	if n := c.Of(0, Sessions) + c.Of(1, Sessions); n != 2*each+3 {
		t.Errorf("the loops have counted %d", n)
	}
	var g Gauge
	g.Add(5)
	g.Add(-3)
	if g.ClearHighest(); g.Highest() != 2 {
		t.Errorf("highest %d", g.Highest())
	}
}
