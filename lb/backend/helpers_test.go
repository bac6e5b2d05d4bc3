package backend

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/queue"
	"github.com/sluice-lb/sluice/lb/stats"
)

// fakeClock stands still until a test moves it, and calls what is due then, in order.
type fakeClock struct {
	at  time.Duration
	due []fakeTimer
}

type fakeTimer struct {
	at   time.Duration
	then func()
}

func (c *fakeClock) clock() clock {
	return clock{
		now:   func() time.Duration { return c.at },
		after: func(d time.Duration, then func()) { c.due = append(c.due, fakeTimer{c.at + d, then}) },
	}
}

// move moves the clock on by d, stopping at every timer on the way.
func (c *fakeClock) move(d time.Duration) {
	end := c.at + d
	for {
		first := -1
		for i, timer := range c.due {
			if timer.at <= end && (first < 0 || timer.at < c.due[first].at) {
				first = i
			}
		}
		if first < 0 {
			c.at = end
			return
		}
		timer := c.due[first]
		c.due = append(c.due[:first], c.due[first+1:]...)
		c.at = timer.at
		timer.then()
	}
}

// farm is a backend under test with its clock.
type farm struct {
	*Backend
	t     testing.TB
	time  fakeClock
	order []*caller // of grants and of being sent back
	now   time.Duration
}

// caller stands for a flow.
type caller struct {
	Request
	farm    *farm
	name    string
	told    int // calls of Granted
	outcome Outcome
}

func (c *caller) Granted() {
	c.told++
	c.farm.order = append(c.farm.order, c)
}

// server makes a server's configuration as lb/config's validation leaves it.
func server(name string, maxConn int, change ...func(*config.Server)) *config.Server {
	s := &config.Server{Name: name, Weight: 1, MaxConn: maxConn, TOS: -1}
	for _, c := range change {
		c(s)
	}
	if s.MinConn > s.MaxConn {
		s.MaxConn = s.MinConn
	} else if s.MinConn == 0 {
		s.MinConn = s.MaxConn
	}
	return s
}

func weight(n int) func(*config.Server)           { return func(s *config.Server) { s.Weight = n } }
func minConn(n int) func(*config.Server)          { return func(s *config.Server) { s.MinConn = n } }
func maxQueue(n int) func(*config.Server)         { return func(s *config.Server) { s.MaxQueue = n } }
func asBackup(s *config.Server)                   { s.Backup = true }
func outOfService(s *config.Server)               { s.Disabled = true }
func rising(d time.Duration) func(*config.Server) { return func(s *config.Server) { s.SlowStart = d } }

func proxy(algorithm config.Algorithm, servers ...*config.Server) *config.Proxy {
	p := &config.Proxy{Name: "b", Kind: config.Backend, Servers: servers}
	p.Balance.Algorithm = algorithm
	for i, s := range servers {
		s.ID = i + 1
	}
	return p
}

const fullConn = 10

func newFarm(t testing.TB, p *config.Proxy) *farm {
	t.Helper()
	f := &farm{t: t, time: fakeClock{at: time.Second}}
	var err error
	if f.Backend, err = build(p, fullConn, 2, f.time.clock()); err != nil {
		t.Fatal(err)
	}
	return f
}

// admit asks for a server for a new caller. Each comes a millisecond after the one before.
func (f *farm) admit(name string, change ...func(*caller)) *caller {
	f.now += time.Millisecond
	c := &caller{farm: f, name: name}
	c.Waiter, c.Now, c.Source = c, f.now, netip.MustParseAddr("192.0.2.1")
	for _, x := range change {
		x(c)
	}
	c.outcome = f.Admit(&c.Request)
	return c
}

func (f *farm) admitMany(n int, change ...func(*caller)) []*caller {
	callers := make([]*caller, n)
	for i := range callers {
		callers[i] = f.admit(fmt.Sprint(i), change...)
	}
	return callers
}

func from(address string) func(*caller) {
	return func(c *caller) { c.Source = netip.MustParseAddr(address) }
}

func (f *farm) release(callers ...*caller) {
	for _, c := range callers {
		f.Release(&c.Request)
	}
}

func (c *caller) where() string {
	if c.Server == nil {
		return "-"
	}
	return c.Server.Name
}

// holds fails the test unless c was granted the named server in the call, or later if told is 1.
func (c *caller) holds(name string, told int) {
	c.farm.t.Helper()
	if c.where() != name || c.told != told {
		c.farm.t.Errorf("%s: holds %s, was told %d times; want %s, %d", c.name, c.where(), c.told, name, told)
	}
}

// waits fails the test unless c waits at the named server, or at the backend for "".
func (c *caller) waits(name string) {
	c.farm.t.Helper()
	at := ""
	if c.bound != nil {
		at = c.bound.Name
	}
	if c.Server != nil || c.told != 0 || !c.Queued || at != name {
		c.farm.t.Errorf("%s: holds %s, was told %d times, queued %v at %q; want it to wait at %q", c.name, c.where(), c.told, c.Queued, at, name)
	}
}

// served fails the test unless the servers have that many flows, in order.
func (f *farm) served(want ...int) {
	f.t.Helper()
	for i, s := range f.Servers() {
		if s.Served() != want[i] || int(s.Flows.Value()) != want[i] {
			f.t.Errorf("%s serves %d (gauge %d), not %d", s.Name, s.Served(), s.Flows.Value(), want[i])
		}
	}
}

// quiet fails the test unless nothing is left.
func (f *farm) quiet() {
	f.t.Helper()
	if n := f.Flows.Value(); n != 0 {
		f.t.Errorf("the backend has %d flows", n)
	}
	if n := f.Queued(); n != 0 {
		f.t.Errorf("%d wait at the backend", n)
	}
	for _, s := range f.Servers() {
		if s.Served() != 0 || s.Flows.Value() != 0 || s.Queued() != 0 {
			f.t.Errorf("%s serves %d, gauge %d, queue %d", s.Name, s.Served(), s.Flows.Value(), s.Queued())
		}
	}
}

func (f *farm) counted(what string, got, want queue.Counts) {
	f.t.Helper()
	if got != want {
		f.t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func (f *farm) stat(id stats.ID, want uint64) {
	f.t.Helper()
	if got := f.Stats.Sum(id); got != want {
		f.t.Errorf("%s: %d, want %d", stats.Names[id], got, want)
	}
}
