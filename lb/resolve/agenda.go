package resolve

import (
	"container/heap"
	"time"
)

// agenda is a heap of questions by the time at which something is to be done with them. A question stands in one at most.
type agenda []*question

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].due.Before(a[j].due) }
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i, j
}

func (a *agenda) Push(x any) {
	q := x.(*question)
	q.place, q.on = len(*a), a
	*a = append(*a, q)
}

func (a *agenda) Pop() any {
	last := len(*a) - 1
	q := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	q.on = nil
	return q
}

// put moves q to this agenda.
func (a *agenda) put(q *question, due time.Time) {
	q.leave()
	q.due = due
	heap.Push(a, q)
}

// next is the first question if it is due.
func (a agenda) next(now time.Time) *question {
	if len(a) > 0 && !a[0].due.After(now) {
		return a[0]
	}
	return nil
}

func (q *question) leave() {
	if q.on != nil {
		heap.Remove(q.on, q.place)
	}
}

// pace spreads beginnings: a few at once, then evenly, a quarter faster than they come due, so that it always keeps up.
type pace struct {
	allowance float64
	at        time.Time
}

const (
	// burst is how many questions may begin at once.
	burst = 64
	// grain is the least pause: what begins within it costs one wake-up of the goroutines and the kernel.
	grain = 10 * time.Millisecond
)

// take tells whether one of n questions that come due once per period may begin now, and else when.
func (p *pace) take(now time.Time, n int, period time.Duration) (bool, time.Time) {
	rate := 1.25 * float64(max(n, 1)) / max(period, time.Millisecond).Seconds() // per second
	if p.at.IsZero() {
		p.allowance = burst
	} else {
		p.allowance = min(max(burst, 2*rate*grain.Seconds()), p.allowance+rate*now.Sub(p.at).Seconds())
	}
	p.at = now
	if p.allowance < 1 {
		wait := time.Duration((1 - p.allowance) / rate * float64(time.Second))
		return false, now.Add(max(wait, grain))
	}
	p.allowance--
	return true, now
}
