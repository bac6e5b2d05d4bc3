package poller

import (
	"math/rand/v2"
	"testing"
)

// record notes when each timer fired, and may re-arm or disarm others as a flow does.
type record struct {
	wheel *wheel
	now   uint64
	fired map[*Timer]uint64
	then  func(*Timer)
}

func (r *record) Expired(t *Timer) {
	if t.Armed() {
		panic("fired while armed")
	}
	r.fired[t] = r.now
	if r.then != nil {
		r.then(t)
	}
}

// The wheel against the obvious slow version: every timer fires in the first advance at or after its deadline, no other.
func TestWheelAgainstMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		start := rng.Uint64N(1 << 40)
		var w wheel
		w.init(start)
		r := &record{wheel: &w, now: start, fired: map[*Timer]uint64{}}
		timers := make([]*Timer, 200)
		deadline := map[*Timer]uint64{}
		for i := range timers {
			timers[i] = &Timer{Owner: r}
		}
		span := uint64(1) << (1 + rng.IntN(38))
		for range 2000 {
			switch x := timers[rng.IntN(len(timers))]; rng.IntN(4) {
			case 0, 1:
				when := r.now + 1 + rng.Uint64N(span)
				w.arm(x, when)
				deadline[x] = when
			case 2:
				w.disarm(x)
				delete(deadline, x)
			case 3:
				clear(r.fired)
				if when, _, _ := w.next(); when != neverExpire {
					for _, d := range deadline {
						if d < when {
							t.Fatalf("round %d: next says %d, a timer is due at %d", round, when, d)
						}
					}
				}
				r.now += rng.Uint64N(span/4 + 2)
				w.advance(r.now)
				for x, d := range deadline {
					_, fired := r.fired[x]
					if due := d <= r.now; due != fired {
						t.Fatalf("round %d: deadline %d, now %d, fired %v", round, d, r.now, fired)
					}
				}
				for x := range r.fired {
					if _, armed := deadline[x]; !armed {
						t.Fatalf("round %d: a disarmed timer fired", round)
					}
					delete(deadline, x)
				}
			}
		}
	}
}

func TestWheelExpirerDisarmsAnother(t *testing.T) {
	var w wheel
	w.init(100)
	r := &record{wheel: &w, fired: map[*Timer]uint64{}}
	a, b := &Timer{Owner: r}, &Timer{Owner: r}
	r.then = func(x *Timer) {
		if x == a {
			w.disarm(b)
			w.arm(a, 5000)
		}
	}
	w.arm(a, 200)
	w.arm(b, 200)
	w.advance(200)
	if _, fired := r.fired[b]; fired || b.Armed() || !a.Armed() || a.When() != 5000 {
		t.Fatal("b was disarmed by a's expiry and must not fire; a was armed again")
	}
	w.disarm(a)
	if when, _, _ := w.next(); when != neverExpire {
		t.Fatalf("an empty wheel waits for %d", when)
	}
}

func BenchmarkTimerArmDisarm(b *testing.B) {
	var w wheel
	w.init(1)
	r := &record{}
	timers := make([]Timer, 10000)
	for i := range timers {
		timers[i].Owner = r
		w.arm(&timers[i], uint64(1000+i*7))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		x := &timers[i%len(timers)]
		w.disarm(x)
		w.arm(x, uint64(1000+i%100000))
	}
}
