package check

import (
	"container/heap"
	"testing"
	"time"
)

// scripted is a schedule that is driven by hand.
func scripted(percent int, intervals ...time.Duration) *schedule {
	s := newSchedule(1, percent, nil)
	for _, interval := range intervals {
		s.add(&probe{interval: func() time.Duration { return interval }})
	}
	return s
}

var start = time.Unix(1_000_000, 0)

func dues(s *schedule) (all []time.Duration) {
	for _, p := range s.all {
		all = append(all, p.due.Sub(start))
	}
	return all
}

func equal(t *testing.T, what string, got []time.Duration, want ...time.Duration) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
}

func TestFirstChecksAreSpread(t *testing.T) {
	s := scripted(0, 2*time.Second, 2*time.Second, 2*time.Second, 2*time.Second)
	s.spread(start, 0)
	equal(t, "four of 2s", dues(s), 0, 500*time.Millisecond, time.Second, 1500*time.Millisecond)

	s = scripted(0, 2*time.Second, 10*time.Second, 4*time.Second, 2*time.Second)
	s.spread(start, 0)
	equal(t, "longer intervals have their own", dues(s), 0, 2500*time.Millisecond, 2*time.Second, 1500*time.Millisecond)

	s = scripted(0, 20*time.Second, 20*time.Second)
	s.spread(start, time.Second)
	equal(t, "max-spread-checks", dues(s), 0, 500*time.Millisecond)
}

// What is taken is due, in its order, never more than a burst, and comes once until it is put back.
func TestTake(t *testing.T) {
	s := scripted(0, time.Second, time.Second, time.Second)
	s.spread(start, 0)
	due, wait := s.take(start, nil)
	if len(due) != 1 || due[0] != s.all[0] || wait < 333*time.Millisecond || wait > 334*time.Millisecond {
		t.Fatalf("at the start: %d due, then wait %v", len(due), wait)
	}
	if due, _ := s.take(start, nil); len(due) != 0 {
		t.Fatal("a check that runs was due again")
	}
	if s.hasten(s.all[0], start); s.all[0].place != -1 {
		t.Fatal("a check that runs was put into the heap")
	}
	due, wait = s.take(start.Add(time.Minute), nil)
	if len(due) != 2 || due[0] != s.all[1] || due[1] != s.all[2] || wait != time.Hour {
		t.Fatalf("later: %d due, then wait %v", len(due), wait)
	}
	s.again(s.all[2], start)
	s.again(s.all[0], start.Add(100*time.Millisecond))
	if due, wait := s.take(start.Add(time.Second), nil); len(due) != 1 || due[0] != s.all[2] || wait != 100*time.Millisecond {
		t.Fatalf("an interval later: %d due, then wait %v", len(due), wait)
	}

	many := make([]time.Duration, 3*burst)
	for i := range many {
		many[i] = time.Second
	}
	s = scripted(0, many...)
	s.spread(start, 0)
	due, wait = s.take(start.Add(time.Minute), nil)
	if len(due) != burst || wait != s.grain {
		t.Errorf("after a standstill: %d at once, then wait %v", len(due), wait)
	}
}

func TestHasten(t *testing.T) {
	s := scripted(0, 10*time.Second, 10*time.Second)
	s.spread(start, 0)
	s.hasten(s.all[1], start.Add(time.Minute))
	equal(t, "later is nothing", dues(s), 0, 5*time.Second)
	s.hasten(s.all[1], start.Add(time.Second))
	equal(t, "sooner", dues(s), 0, time.Second)
	s.take(start, nil)
	if due, _ := s.take(start.Add(time.Second), nil); len(due) != 1 || due[0] != s.all[1] {
		t.Error("a hastened check was not due in its time")
	}
}

// spread-checks varies an interval by so many percent, both ways.
func TestSpreadPercent(t *testing.T) {
	s := scripted(50, time.Second)
	s.add(s.all[0])
	p := s.all[0]
	var shortest, longest time.Duration
	for range 1000 {
		s.again(p, start)
		d := p.due.Sub(start)
		if shortest == 0 || d < shortest {
			shortest = d
		}
		longest = max(longest, d)
		heap.Pop(&s.waiting)
	}
	if shortest < 500*time.Millisecond || shortest > 510*time.Millisecond || longest > 1500*time.Millisecond || longest < 1490*time.Millisecond {
		t.Errorf("1s, 50%%: from %v to %v", shortest, longest)
	}
}
