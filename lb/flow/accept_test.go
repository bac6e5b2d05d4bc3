package flow

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/poller"
)

// begun is how many flows have been accepted.
func (s *script) begun(want int) {
	s.t.Helper()
	s.settle()
	if got := s.frontend.Stats.Sum(stats.Connections); got != uint64(want) {
		s.t.Errorf("%d connections were accepted, not %d", got, want)
	}
}

// At each limit accepting pauses, and each flow that ends lets one more in.
func TestMaxConn(t *testing.T) {
	for _, limit := range []struct {
		name string
		set  func(*script)
	}{
		{"bind", func(s *script) { s.bind.MaxConn = 2 }},
		{"frontend", func(s *script) { s.frontend.MaxConn = 2 }},
		{"process", func(s *script) { s.process.MaxConn = 2 }},
	} {
		t.Run(limit.name, func(t *testing.T) {
			s := newScript(t, scriptProxy(&config.Server{}), limit.set)
			var clients []*peer
			for range 6 {
				clients = append(clients, s.dial())
			}
			s.begun(2)
			turns := 0
			for range 50 { // it does not spin on what it does not accept
				s.loop.Turn()
				turns++
			}
			if n := s.frontend.Stats.Sum(stats.LimitReached); n != 1 {
				t.Errorf("the limit was reached %d times in %d turns", n, turns)
			}
			for i := range 4 {
				clients[i].reset()
				s.begun(3 + i)
				if n := s.frontend.Flows.Value(); n != 2 || s.process.Flows.Value() != 2 || s.bind.Flows.Value() != 2 {
					t.Errorf("%d flows", n)
				}
			}
			// What is claimed for a connection that is not there counts for no maximum.
			for name, gauge := range map[string]*stats.Gauge{"process": &s.process.Flows, "frontend": &s.frontend.Flows, "bind": &s.bind.Flows} {
				if n := gauge.Highest(); n != 2 {
					t.Errorf("the %s had %d flows at the most", name, n)
				}
			}
		})
	}
}

// A place that is not to be had is not taken for a moment either in what is wider: another loop would see it full.
func TestClaimBeginsWithTheNarrowest(t *testing.T) {
	bind := &Bind{MaxConn: 1}
	bind.Flows.Add(1)
	frontend := &Frontend{MaxConn: 1}
	frontend.Flows.Add(1)
	for name, b := range map[string]*Bind{"bind": bind, "frontend": {Frontend: frontend}} {
		a := &Acceptor{loop: &Loop{}, bind: b} // has no process: to touch it would be fatal
		before := b.Flows.Value()
		if a.claim() || b.Flows.Value() != before {
			t.Errorf("a full %s was passed, or kept a place", name)
		}
	}
}

// The look that finds nobody waiting leaves no trace in the maximum.
func TestHighestOfOneAtATime(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}))
	for i := range 4 {
		c := s.dial()
		s.begun(i + 1)
		c.reset()
		s.settle()
	}
	if n := s.frontend.Flows.Highest(); n != 1 {
		t.Errorf("%d flows at the most, of one at a time", n)
	}
}

// The process's limit is given to whichever frontend has somebody waiting.
func TestProcessLimitWakesOtherFrontends(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}), func(s *script) { s.process.MaxConn = 1 })
	other := NewFrontend(s.process, "g", 1)
	other.Backend, other.MaxConn = s.backend, 100
	ln, err := poller.Listen(loopback, poller.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ln.Close)
	if err := NewAcceptor(s.loop, &Bind{Frontend: other, Stats: stats.New(1)}, ln).Start(); err != nil {
		t.Fatal(err)
	}
	first := s.client()
	s.addr = ln.Addr()
	second := s.dial()
	s.settle()
	if other.Stats.Sum(stats.Connections) != 0 || other.Stats.Sum(stats.LimitReached) != 1 {
		t.Error("accepted above the process's limit")
	}
	first.reset()
	s.settle()
	if other.Stats.Sum(stats.Connections) != 1 {
		t.Error("the other frontend was not woken")
	}
	second.reset()
	s.over()
}

func TestRateLimit(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}), func(s *script) { s.frontend.Rate = &Rate{PerSecond: 3} })
	var clients []*peer
	for range 8 {
		clients = append(clients, s.dial())
	}
	s.begun(3)
	if n := s.frontend.Stats.Sum(stats.RateReached); n != 1 {
		t.Errorf("the rate was reached %d times", n)
	}
	if n := s.frontend.Flows.Value(); n != 3 {
		t.Errorf("%d places are taken", n)
	}
	for range 20 {
		s.pass(100 * time.Millisecond)
	}
	s.begun(6)
	for range 10 {
		s.pass(100 * time.Millisecond)
	}
	s.begun(8)
	for _, c := range clients {
		c.reset()
	}
	s.over()
}

// An accept that finds nobody does not use up the rate.
func TestRateOfWhatWasAccepted(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}), func(s *script) { s.frontend.Rate = &Rate{PerSecond: 4} })
	for i := range 4 {
		s.dial()
		s.begun(i + 1)
	}
	s.counts(s.frontend.Stats, stats.RateReached, 0)
	s.dial()
	s.begun(4)
}

// What was accepted at most in any whole second is the rate, and it is used up; what did not happen is given back.
func TestRate(t *testing.T) {
	r := &Rate{PerSecond: 10}
	at := func(d time.Duration) (n int) {
		for r.Allow(d) {
			n++
		}
		return n
	}
	for _, step := range []struct {
		at   time.Duration
		want int
	}{{0, 10}, {500 * time.Millisecond, 0}, {time.Second, 0}, {1500 * time.Millisecond, 5}, {2 * time.Second, 5}, {10 * time.Second, 10}} {
		if got := at(step.at); got != step.want {
			t.Errorf("at %v: %d, not %d", step.at, got, step.want)
		}
	}
	r.Return()
	if got := at(10 * time.Second); got != 1 {
		t.Errorf("%d after one was given back", got)
	}
}

// Who waits as long as Wait says is let in by the next Allow, or told to wait again at the second's end; and what comes at a rate is
// spread over the second.
func TestRateWait(t *testing.T) {
	r := &Rate{PerSecond: 100}
	now := time.Hour
	var times []time.Duration
	for now < time.Hour+5*time.Second {
		if r.Allow(now) {
			times = append(times, now)
			continue
		}
		now += r.Wait(now)
	}
	if n := len(times); n < 450 || n > 510 {
		t.Errorf("%d in five seconds", n)
	}
	most, atOnce := 0, 0
	for i := 1; i < len(times); i++ {
		if times[i] != times[i-1] {
			atOnce = 0
		}
		if atOnce++; times[i] > time.Hour+time.Second {
			most = max(most, atOnce)
		}
	}
	if most > 2 {
		t.Errorf("%d were let in at once", most)
	}
}

// Without a descriptor accepting pauses, says so once, and goes on when there is one.
func TestDescriptorExhaustion(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}))
	first := s.client()
	server := s.servers[0].accept()
	clients := []*peer{s.dial(), s.dial()}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	lowest, err := syscall.Dup(s.acceptor.listener.FD())
	if err != nil {
		t.Fatal(err)
	}
	syscall.Close(lowest)
	few := limit
	few.Cur = uint64(lowest)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	restore := func() { syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) }
	t.Cleanup(restore)
	s.begun(1)
	for range 9 {
		s.pass(100 * time.Millisecond)
	}
	if n := s.frontend.Stats.Sum(stats.AcceptExhausted); n != 10 {
		t.Errorf("accept failed %d times in 900 ms: once in 100 is enough", n)
	}
	if len(s.alerts) != 1 || !strings.Contains(s.alerts[0], "too many open files") || !strings.Contains(s.alerts[0], "f:") {
		t.Errorf("alerts: %q", s.alerts)
	}
	if s.frontend.Flows.Value() != 1 {
		t.Errorf("%d places are taken", s.frontend.Flows.Value())
	}
	first.send("x") // flows that are there go on
	server.got("x", "")
	restore()
	s.pass(100 * time.Millisecond)
	s.begun(3)
	for _, c := range append(clients, first) {
		c.reset()
	}
	s.over()
}

// With one descriptor left the client is accepted, and the connect fails: a local failure, by its own letter and counter.
func TestNoDescriptorForServer(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}))
	client := s.dial()
	var limit syscall.Rlimit
	syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	lowest, err := syscall.Dup(s.acceptor.listener.FD())
	if err != nil {
		t.Fatal(err)
	}
	syscall.Close(lowest)
	few := limit
	few.Cur = uint64(lowest) + 1
	syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few)
	restore := func() { syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) }
	t.Cleanup(restore)
	s.settle()
	restore()
	client.got("", "EOF")
	s.line(`f b/s1 0/-1/0 0 RC 1/1/0/0/0 0/0`)
	s.counts(s.backend.Stats, stats.ConnectLocal, 1, stats.ConnectFailed, 1, stats.ConnectRefused, 0, stats.ConnectReset, 0)
	if len(s.alerts) != 1 {
		t.Errorf("alerts: %q", s.alerts)
	}
	s.over()
}

// A flow without a backend is closed, and counted.
func TestNoBackend(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}))
	s.frontend.Backend = nil
	client := s.dial()
	client.send("x")
	client.got("", "EOF")
	s.line(`f f/<NOSRV> -1/-1/0 0 SC 1/1/0/0/0 0/0`)
	s.counts(s.frontend.Stats, stats.NoServer, 1)
	s.over()
}

// The same for a backend without a usable server.
func TestNoServer(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{Disabled: true}))
	client := s.dial()
	client.send("x")
	client.got("", "EOF")
	s.line(`f b/<NOSRV> -1/-1/0 0 SC 1/1/0/0/0 0/0`)
	s.counts(s.backend.Stats, stats.NoServer, 1)
	s.over()
}

// Stop takes what the kernel has accepted already, and then no more.
func TestStop(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}))
	clients := []*peer{s.dial(), s.dial(), s.dial()}
	s.acceptor.Stop()
	s.begun(3)
	s.dial()
	s.begun(3)
	s.acceptor.Deliver(nil) // a flow's end, or a pause's, that was under way
	s.acceptor.Expired(nil)
	s.begun(3)
	if len(s.alerts) != 0 {
		t.Errorf("alerts: %q", s.alerts)
	}
	for _, c := range clients {
		c.reset()
	}
	s.over()
}
