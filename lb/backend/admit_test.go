package backend

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/queue"
	"github.com/sluice-lb/sluice/lb/stats"
)

// algorithms are all ways to choose, with what tells whether a flow is bound to its server.
var algorithms = []struct {
	name  string
	proxy func(...*config.Server) *config.Proxy
	bound bool
}{
	{"roundrobin", by(config.RoundRobin), false},
	{"static-rr", by(config.StaticRR), false},
	{"leastconn", by(config.LeastConn), false},
	{"first", by(config.First), false},
	{"random", by(config.Random), false},
	{"source", by(config.SourceHash), true},
	{"source consistent", hashed(config.SourceHash, config.Consistent), true},
	{"hash", by(config.Hash), true},
	{"hash consistent", hashed(config.Hash, config.Consistent), true},
	{"hash maglev", hashed(config.Hash, config.Maglev), true},
}

func by(a config.Algorithm) func(...*config.Server) *config.Proxy {
	return func(servers ...*config.Server) *config.Proxy { return proxy(a, servers...) }
}

func hashed(a config.Algorithm, m config.HashMethod) func(...*config.Server) *config.Proxy {
	return func(servers ...*config.Server) *config.Proxy {
		p := proxy(a, servers...)
		p.HashType.Method = m
		return p
	}
}

// With every algorithm, flows fill the servers up to their limits and not above, the rest waits, and each end lets one in.
func TestAdmission(t *testing.T) {
	for _, a := range algorithms {
		t.Run(a.name, func(t *testing.T) {
			f := newFarm(t, a.proxy(server("a", 2), server("b", 3)))
			callers := make([]*caller, 40)
			for i := range callers {
				callers[i] = f.admit(fmt.Sprint(i), from(fmt.Sprintf("192.0.2.%d", i)))
			}
			if a.bound {
				if f.Queued() != 0 || f.Servers()[0].Queued() == 0 || f.Servers()[1].Queued() == 0 {
					t.Errorf("%d wait at the backend, %d and %d at the servers", f.Queued(), f.Servers()[0].Queued(), f.Servers()[1].Queued())
				}
			} else if f.Queued() != 35 {
				t.Errorf("%d wait at the backend, not 35", f.Queued())
			}
			f.served(2, 3)
			f.stat(stats.Sessions, 5)
			f.stat(stats.Queued, 35)
			for range callers {
				// Whoever holds a slot ends; the slot goes to a waiter at once, if that server has one.
				var ends *caller
				for _, c := range callers {
					if c != nil && c.Server != nil {
						ends = c
						break
					}
				}
				if ends == nil {
					t.Fatal("somebody waits while nobody is served")
				}
				s := ends.Server
				waiting := s.Queued() + f.Queued()
				before := s.Served()
				f.release(ends)
				callers[indexOf(callers, ends)] = nil
				if want := before - 1 + min(1, waiting); s.Served() != want {
					t.Fatalf("%s serves %d after an end with %d waiting, not %d", s.Name, s.Served(), waiting, want)
				}
			}
			f.quiet()
			f.stat(stats.Sessions, 40)
			for _, c := range f.order {
				if c.told != 1 {
					t.Errorf("%s was told %d times", c.name, c.told)
				}
			}
			if len(f.order) != 35 {
				t.Errorf("%d were told, not 35", len(f.order))
			}
		})
	}
}

func indexOf(callers []*caller, c *caller) int {
	for i := range callers {
		if callers[i] == c {
			return i
		}
	}
	return -1
}

// A full server is not chosen while another has room; nobody queues for it.
func TestFullServerIsPassedOver(t *testing.T) {
	for _, a := range algorithms {
		if a.bound {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			f := newFarm(t, a.proxy(server("a", 1, weight(200)), server("b", 0, weight(1))))
			for _, c := range f.admitMany(50) {
				if c.outcome != Granted || c.Queued {
					t.Errorf("%s: outcome %d, queued %v", c.name, c.outcome, c.Queued)
				}
			}
			if n := f.Servers()[0].Served(); n > 1 {
				t.Errorf("a serves %d", n)
			}
		})
	}
}

// A request takes its place behind those who wait, even when a slot is free for a moment: a server with room that is not
// theirs does not exist at the backend's level.
func TestNewcomerQueuesBehindWaiters(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 1)))
	first, second := f.admit("first"), f.admit("second")
	third := f.admit("third")
	f.release(first)
	second.holds("a", 1)
	third.waits("")
	f.release(second)
	third.holds("a", 1)
	f.release(third)
	f.quiet()
}

// Requests of one client wait at its server in the order of their coming, whatever ends elsewhere.
func TestBoundWaitersAreFIFO(t *testing.T) {
	f := newFarm(t, proxy(config.SourceHash, server("a", 1), server("b", 1)))
	x := from("192.0.2.0") // the two lead to different servers
	y := from("192.0.2.1")
	callers := map[string][]*caller{}
	for i := range 20 {
		for _, who := range []func(*caller){x, y} {
			c := f.admit(fmt.Sprint(i), who, func(c *caller) { c.Loop = i % 2 }) // over both stripes
			name := c.where()
			if c.Server == nil {
				name = c.bound.Name
				c.waits(name)
			}
			callers[name] = append(callers[name], c)
		}
	}
	if len(callers["a"]) != 20 || len(callers["b"]) != 20 {
		t.Fatalf("a has %d, b %d", len(callers["a"]), len(callers["b"]))
	}
	// All of b's first: a's queue does not move.
	for _, name := range []string{"b", "a"} {
		for i, c := range callers[name] {
			c.holds(name, min(i, 1))
			for _, later := range callers[name][i+1:] {
				later.waits(name)
			}
			if i > 0 && int(c.ServerAhead) != i {
				t.Errorf("%s %d: place %d in the server's queue", name, i, c.ServerAhead)
			}
			if c.QueueAhead != 0 {
				t.Errorf("%s %d: place %d in the backend's queue", name, i, c.QueueAhead)
			}
			f.release(c)
		}
	}
	f.quiet()
}

// The priority class goes before the time of arrival, and the offset shifts that.
func TestPriority(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 1)))
	served := f.admit("served")
	priority := func(class int, offset int64) func(*caller) {
		return func(c *caller) { c.Class, c.Offset = int16(class), int32(offset); c.Loop = int(offset) & 1 }
	}
	f.admit("late class", priority(5, 0))
	f.admit("plain 1", priority(0, 0))
	f.admit("plain 2", priority(0, 0))
	f.admit("shifted before all plain", priority(0, -100))
	f.admit("shifted behind one", priority(0, 2))
	f.admit("plain 3", priority(0, 0))
	f.admit("plain 4", priority(0, 0))
	f.admit("early class", priority(-3, 1000))
	f.release(served)
	for i := 0; i < len(f.order); i++ {
		f.release(f.order[i])
	}
	want := []string{"early class", "shifted before all plain", "plain 1", "plain 2", "plain 3", "shifted behind one", "plain 4", "late class"}
	// "shifted behind one" came at 6 and goes as if it had come at 8, as did "plain 4": their order is any.
	for i := range want {
		got := "nobody"
		if i < len(f.order) {
			got = f.order[i].name
		}
		if got != want[i] && !(i == 5 && got == want[6] || i == 6 && got == want[5]) {
			t.Errorf("place %d: %s, not %s", i, got, want[i])
		}
	}
	f.quiet()
}

// A negative offset does not cost those their order who come soon after the clock's zero.
func TestNegativeOffsetEarly(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 1)))
	served := f.admit("served")
	for i, offset := range []int32{-5000, -5000, -6000, -524287, 0, -5000} {
		f.admit(fmt.Sprint(i, " by ", offset), func(c *caller) { c.Offset = offset; c.Loop = int(f.now) & 1 })
	}
	f.release(served)
	var got []int32
	var at []time.Duration
	for i := 0; i < len(f.order); i++ {
		got, at = append(got, f.order[i].Offset), append(at, f.order[i].Now)
		f.release(f.order[i])
	}
	if want := []int32{-524287, -6000, -5000, -5000, -5000, 0}; !slices.Equal(got, want) || at[2] > at[3] || at[3] > at[4] {
		t.Errorf("offsets %d of arrivals at %v, not %d in the order of arrival", got, at, want)
	}
	f.quiet()
}

// A server whose own queue is full leaves its requests to the others.
func TestMaxQueue(t *testing.T) {
	f := newFarm(t, proxy(config.SourceHash, server("a", 1, maxQueue(2)), server("b", 3, maxQueue(2))))
	a := from("192.0.2.0")
	if f.admit("served", a).where() != "a" {
		a = from("192.0.2.1")
		f = newFarm(t, proxy(config.SourceHash, server("a", 1, maxQueue(2)), server("b", 3, maxQueue(2))))
		f.admit("served", a).holds("a", 0)
	}
	f.admit("w1", a).waits("a")
	f.admit("w2", a).waits("a")
	for i := range 3 {
		f.admit(fmt.Sprint("to b ", i), a).holds("b", 0)
	}
	last := f.admit("for any", a) // b is full as well
	last.waits("")
	f.served(1, 3)
	if n := f.Servers()[0].Queued(); n != 2 {
		t.Errorf("%d wait at a", n)
	}
}

// What one server's failure leads to another does not come back to it, unless there is no other.
func TestRedispatch(t *testing.T) {
	for _, a := range algorithms {
		t.Run(a.name, func(t *testing.T) {
			f := newFarm(t, a.proxy(server("a", 0), server("b", 0), server("c", 0)))
			for range 20 {
				c := f.admit("x")
				for range 5 {
					failed := c.Server
					if f.Redispatch(&c.Request) != Granted || c.Server == failed {
						t.Fatalf("from %s to %s", failed.Name, c.where())
					}
				}
				if n := f.Servers()[0].Served() + f.Servers()[1].Served() + f.Servers()[2].Served(); n != 1 {
					t.Fatalf("%d slots are held for one flow", n)
				}
				f.release(c)
			}
			f.Servers()[0].SetMaintenance(true)
			f.Servers()[2].SetWeight(0)
			c := f.admit("alone")
			c.holds("b", 0)
			if f.Redispatch(&c.Request) != Granted {
				t.Error("the only server is not taken again")
			}
			c.holds("b", 0)
			f.release(c)
			f.quiet()
		})
	}
}

// A redispatched request that finds the others full waits, and its slot has gone to the next.
func TestRedispatchWaits(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 1), server("b", 1)))
	x, y := f.admit("x"), f.admit("y")
	z := f.admit("z")
	z.waits("")
	if x.where() != "a" {
		x, y = y, x
	}
	if f.Redispatch(&x.Request) != Waiting {
		t.Error("it does not wait")
	}
	x.waits("")
	z.holds("a", 1)
	f.release(y)
	x.holds("b", 1)
	f.release(x, z)
	f.quiet()
}

// A cancellation takes the waiter out; one that comes after the grant says so, and the slot is the caller's to release.
func TestCancel(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 1)))
	served, gone, late := f.admit("served"), f.admit("gone"), f.admit("late")
	if !f.Cancel(&gone.Request) {
		t.Fatal("not cancelled")
	}
	f.release(gone)
	if gone.QueueAhead != 1 {
		t.Errorf("it left from place %d", gone.QueueAhead)
	}
	f.release(served)
	if gone.told != 0 {
		t.Error("the cancelled was told")
	}
	late.holds("a", 1)
	if f.Cancel(&late.Request) {
		t.Error("a granted request was cancelled")
	}
	next := f.admit("next")
	next.waits("")
	f.release(late)
	next.holds("a", 1)
	f.release(next)
	f.quiet()
	f.counted("backend's queue", f.QueueCounts(), queue.Counts{LookedAgain: 3, Direct: 2})
}

// What the queues count: places, the highest length, and how long was waited.
func TestCounts(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 1)))
	served := f.admit("served")
	w := f.admitMany(3)
	f.release(served)
	w[0].CountWait(3000 * 1000)
	f.release(w[0])
	w[1].CountWait(5000 * 1000)
	f.release(w[1], w[2])
	for i, c := range w {
		if int(c.QueueAhead) != i+1 || c.ServerAhead != 0 {
			t.Errorf("%d: places %d and %d", i, c.QueueAhead, c.ServerAhead)
		}
	}
	if served.QueueAhead != 0 || served.Queued {
		t.Error("who did not wait has a place")
	}
	if f.HighestQueue() != 3 || f.Servers()[0].HighestQueue() != 0 || f.Flows.Highest() != 4 {
		t.Errorf("highest queue %d, at the server %d, flows %d", f.HighestQueue(), f.Servers()[0].HighestQueue(), f.Flows.Highest())
	}
	for _, h := range []*stats.Histogram{f.Waited, f.Servers()[0].Waited} {
		classes, count, sum := h.Sum()
		if count != 2 || sum != 8000 || classes[12] != 1 || classes[13] != 1 {
			t.Errorf("waited: %d times, %d µs, %v", count, sum, classes)
		}
	}
	again := w[2]
	f.Admit(&again.Request)
	if again.Queued || again.QueueAhead != 0 || again.where() != "a" {
		t.Errorf("used again: %+v", again.Request)
	}
	f.release(again)
	f.counted("backend's queue", f.QueueCounts(), queue.Counts{LookedAgain: 3, Direct: 3})
	f.counted("server's queue", f.Servers()[0].QueueCounts(), queue.Counts{})
	f.stat(stats.Queued, 3)
	f.stat(stats.Sessions, 5)
	f.stat(stats.NoServer, 0)
	f.quiet()
}

// The parts of an address and a port that a hash reads decide, and no others.
func TestHashKey(t *testing.T) {
	servers := make([]*config.Server, 50)
	for i := range servers {
		servers[i] = server(fmt.Sprint("s", i), 0)
	}
	p := proxy(config.Hash, servers...)
	p.Balance.Mask4, p.Balance.Mask6 = 20, 50
	f := newFarm(t, p)
	at := func(address string, port uint16) string {
		return f.admit(address, from(address), func(c *caller) { c.Port = port }).where()
	}
	for _, same := range [][2]string{
		{"10.1.16.1", "10.1.31.255"}, {"2001:db8::1", "2001:db8:0:3fff:ffff::"}, {"10.1.16.1", "::ffff:10.1.16.1"},
	} {
		if at(same[0], 1) != at(same[1], 2) {
			t.Errorf("%s and %s lead to different servers", same[0], same[1])
		}
	}
	differ := 0
	for i := range 20 {
		if at(fmt.Sprintf("10.1.%d.1", i*16%256), 1) != at(fmt.Sprintf("10.2.%d.1", i*16%256), 1) {
			differ++
		}
	}
	if differ < 15 {
		t.Errorf("only %d of 20 pairs of networks lead to different servers", differ)
	}
	p = proxy(config.Hash, servers...)
	p.Balance.WithPort = true
	f = newFarm(t, p)
	seen := map[string]bool{}
	for port := range uint16(100) {
		seen[at("10.1.16.1", port)] = true
	}
	if len(seen) < 20 {
		t.Errorf("100 ports lead to %d servers", len(seen))
	}
}
