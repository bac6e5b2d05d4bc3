package backend

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

// minconn and fullconn: the limit is the share of maxconn that the backend's flows are of fullconn, from minconn up.
func TestDynamicLimit(t *testing.T) {
	for _, test := range []struct {
		minConn, maxConn, flows int
		want                    int64
	}{
		{2, 20, 0, 2}, {2, 20, 1, 2}, {2, 20, 2, 4}, {2, 20, 5, 10}, {2, 20, 9, 18}, {2, 20, 10, 20}, {2, 20, 1000, 20},
		{7, 20, 3, 7}, {7, 20, 4, 8}, {1, 3, 3, 1}, {1, 3, 4, 1}, {1, 3, 7, 2}, {1, 3, 9, 2}, {1, 3, 10, 3},
		{20, 20, 1, 20}, {0, 20, 1, 20}, {5, 0, 1, 5},
	} {
		f := newFarm(t, proxy(config.RoundRobin, server("a", test.maxConn, minConn(test.minConn))))
		f.Flows.Add(int64(test.flows))
		if got := f.Servers()[0].slots.Limit(); got != test.want {
			t.Errorf("minconn %d maxconn %d fullconn %d: limit %d at %d flows, not %d", test.minConn, test.maxConn, fullConn, got, test.flows, test.want)
		}
	}
}

// As flows come, the limit grows, and those who wait are served before those who come.
func TestRisingLoadServesWaiters(t *testing.T) {
	for _, a := range algorithms {
		t.Run(a.name, func(t *testing.T) {
			f := newFarm(t, a.proxy(server("a", 5, minConn(1)))) // at n flows n/2, at 10 all 5
			callers := f.admitMany(10)
			for i, c := range callers {
				switch {
				case i == 0:
					c.holds("a", 0)
				case i < 5:
					c.holds("a", 1)
				case c.Server != nil || !c.Queued:
					t.Errorf("%d: holds %s", i, c.where())
				}
			}
			f.served(5)
			// As they go, the limit falls again: the excess is let finish, nobody is admitted above it.
			f.release(callers[:4]...) // 6 flows: limit 3
			f.served(3)
			f.release(callers[4]) // 5 flows: limit 2
			f.served(2)
			for i := 5; i < 10; i++ {
				f.release(callers[i])
			}
			f.quiet()
		})
	}
}

// A limit that has grown with the load is known to the algorithm: nobody queues who need not.
func TestRisingLimitIsSeenByChoice(t *testing.T) {
	for _, a := range algorithms {
		t.Run(a.name, func(t *testing.T) {
			f := newFarm(t, a.proxy(server("a", 10, minConn(1)))) // the limit is the number of flows
			for i, c := range f.admitMany(10) {
				if c.Queued {
					t.Errorf("flow %d queued, at a limit of %d", i, f.Servers()[0].slots.Limit())
				}
			}
		})
	}
}

func TestSetMaxConn(t *testing.T) {
	for _, a := range algorithms {
		t.Run(a.name, func(t *testing.T) {
			f := newFarm(t, a.proxy(server("a", 2)))
			callers := f.admitMany(10)
			f.served(2)
			f.Servers()[0].SetMaxConn(5)
			f.served(5)
			if n := f.Servers()[0].MaxConn(); n != 5 {
				t.Errorf("limit %d", n)
			}
			f.Servers()[0].SetMaxConn(1)
			f.served(5) // they are let finish
			f.release(callers[:4]...)
			f.served(1)
			f.release(callers[4])
			f.served(1)
			callers[5].holds("a", 1)
			callers[6].told = 0
			f.Servers()[0].SetMaxConn(0)
			f.served(5)
			if f.Servers()[0].MaxConn() != 0 {
				t.Error("there is a limit")
			}
			if c := f.admit("after"); c.outcome != Granted || c.Queued {
				t.Error("a flow waits at a server without a limit")
			} else {
				f.release(c)
			}
			f.release(callers[5:]...)
			f.quiet()
		})
	}
}

// A flow that is bound to one server raises the other's limit as well: who waits there is served.
func TestRisingLoadServesWaitersElsewhere(t *testing.T) {
	f := newFarm(t, proxy(config.SourceHash, server("a", 10, minConn(1)), server("b", 0)))
	x, y := from("192.0.2.0"), from("192.0.2.1")
	if c := f.admit("probe", x); c.where() != "a" {
		x, y = y, x
		f.release(c)
	} else {
		f.release(c)
	}
	f.Servers()[0].SetMaxConn(5) // at n flows n/2
	first, second := f.admit("first", x), f.admit("second", x)
	first.holds("a", 0)
	second.waits("a")
	f.admit("third", y).holds("b", 0)
	second.waits("a")
	f.admit("fourth", y).holds("b", 0)
	second.holds("a", 1)
}

// A raised limit is known to the algorithm at once.
func TestSetMaxConnIsSeenByChoice(t *testing.T) {
	for _, a := range algorithms {
		f := newFarm(t, a.proxy(server("a", 1)))
		f.admit("x")
		f.Servers()[0].SetMaxConn(2)
		if c := f.admit("y"); c.Queued {
			t.Errorf("%s: it queued", a.name)
		}
	}
}

// A limit that is raised at run time does not begin to follow the load: minconn was not given.
func TestSetMaxConnStaysFixed(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 2, rising(time.Second))))
	f.Servers()[0].SetMaxConn(6)
	for _, c := range f.admitMany(6) {
		c.holds("a", 0)
	}
	f.served(6)
}

// A lowered maxconn bounds the limit even below minconn.
func TestSetMaxConnBelowMinConn(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 20, minConn(5))))
	f.Servers()[0].SetMaxConn(3)
	f.admitMany(10)
	f.served(3)
	f.Servers()[0].SetMaxConn(20)
	f.served(10)
}

// After maintenance, weight and limit grow from 1 percent's worth to all in the given time, and those who wait get what the
// limit gains without any flow's help.
func TestSlowStart(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 10, weight(100), rising(10*time.Second)), server("b", 1, weight(100))))
	a := f.Servers()[0]
	if a.effectiveWeight() != 100 || a.slots.Limit() != 10 {
		t.Error("slow start at the process's start")
	}
	a.SetMaintenance(true)
	callers := f.admitMany(20)
	f.served(0, 1)
	a.SetMaintenance(false)
	f.served(1, 1) // 1, whatever the share is
	for percent := 5; percent <= 100; percent += 5 {
		f.time.move(500 * time.Millisecond)
		if got := a.effectiveWeight(); got != percent {
			t.Errorf("after %d%%: weight %d", percent, got)
		}
		f.served(max(1, percent/10), 1)
	}
	f.time.move(time.Minute)
	if len(f.time.due) != 0 {
		t.Error("slow start goes on after its end")
	}
	f.served(10, 1)
	f.release(callers...)
}

// The weight ramp reaches the algorithm: a rising server gets its share of the flows only.
func TestSlowStartShares(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 0, weight(100), rising(10*time.Second)), server("b", 0, weight(100))))
	a := f.Servers()[0]
	a.SetMaintenance(true)
	a.SetMaintenance(false)
	for _, step := range []struct{ percent, want int }{{10, 9}, {25, 20}, {50, 33}, {100, 50}} {
		f.time.move(time.Duration(step.percent)*100*time.Millisecond - (f.time.at - time.Second))
		before := a.Served()
		f.admitMany(100)
		if got := a.Served() - before; got < step.want-2 || got > step.want+2 {
			t.Errorf("at %d%%: %d of 100 flows, not %d", step.percent, got, step.want)
		}
	}
}

// Static algorithms keep the weight that a server came in with, so it must be the whole one (the manual: the weight ramps
// with dynamic algorithms).
func TestSlowStartStaticWeight(t *testing.T) {
	for _, p := range []func(...*config.Server) *config.Proxy{by(config.StaticRR), by(config.SourceHash)} {
		f := newFarm(t, p(server("a", 8, weight(10), rising(8*time.Second)), server("b", 0, weight(10))))
		a := f.Servers()[0]
		a.SetMaintenance(true)
		a.SetMaintenance(false)
		if a.effectiveWeight() != 10 {
			t.Errorf("weight %d during slow start", a.effectiveWeight())
		}
		if a.slots.Limit() != 1 {
			t.Errorf("limit %d at its beginning", a.slots.Limit())
		}
		f.time.move(4 * time.Second)
		if a.slots.Limit() != 4 {
			t.Errorf("limit %d halfway", a.slots.Limit())
		}
		f.time.move(8 * time.Second)
		a.SetMaxConn(0)
		for i := range 200 {
			f.admit("x", from(fmt.Sprintf("192.0.2.%d", i)))
		}
		if n := a.Served(); n < 70 || n > 130 {
			t.Errorf("a got %d of 200 flows after slow start", n)
		}
	}
}

// Slow start cuts what minconn and fullconn allow.
func TestSlowStartOfDynamicLimit(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 40, minConn(10), rising(10*time.Second))))
	a := f.Servers()[0]
	a.SetMaintenance(true)
	a.SetMaintenance(false)
	f.time.move(5 * time.Second)
	f.Flows.Add(5) // 20 without slow start
	if n := a.slots.Limit(); n != 10 {
		t.Errorf("limit %d", n)
	}
}

// A server that goes away while it rises and comes back begins anew, with one chain of steps.
func TestSlowStartAgain(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 10, weight(100), rising(10*time.Second))))
	a := f.Servers()[0]
	for range 5 {
		a.SetMaintenance(true)
		a.SetMaintenance(false)
		f.time.move(100 * time.Millisecond)
	}
	if n := len(f.time.due); n != 1 {
		t.Errorf("%d steps are due", n)
	}
	f.time.move(4900 * time.Millisecond)
	if w := a.effectiveWeight(); w != 50 {
		t.Errorf("weight %d after half the time", w)
	}
	a.SetMaintenance(true)
	f.time.move(500 * time.Millisecond)
	if a.rising.Load() != 0 || len(f.time.due) != 0 {
		t.Error("it rises in maintenance")
	}
	a.SetMaintenance(false)
	if w := a.effectiveWeight(); w != 1 {
		t.Errorf("weight %d at the second beginning", w)
	}
	f.time.move(10 * time.Second)
	if w := a.effectiveWeight(); w != 100 {
		t.Errorf("weight %d at its end", w)
	}
	f.stat(stats.NoServer, 0)
}
