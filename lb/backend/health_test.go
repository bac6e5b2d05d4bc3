package backend

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
)

func TestCheckStatuses(t *testing.T) {
	names := map[string]bool{}
	for s := range checkStatuses {
		if s.Name() == "" || s.Text() == "" || names[s.Name()] {
			t.Errorf("%d: %q, %q", s, s.Name(), s.Text())
		}
		names[s.Name()] = true
		if got, ok := ParseCheckStatus(s.Name()); !ok || got != s {
			t.Errorf("%s: parsed as %d, %v", s.Name(), got, ok)
		}
	}
	if _, ok := ParseCheckStatus("L8OK"); ok {
		t.Error("L8OK is a status")
	}
}

// Tracking back to itself is refused, at any length, and so is tracking two.
func TestFollowLoops(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 0), server("b", 0), server("c", 0), server("d", 0)))
	a, b, c, d := f.Servers()[0], f.Servers()[1], f.Servers()[2], f.Servers()[3]
	for _, step := range []struct {
		s, t *Server
		ok   bool
	}{{a, a, false}, {a, b, true}, {b, a, false}, {b, c, true}, {c, a, false}, {a, c, false}, {d, a, true}} {
		if err := step.s.Follow(step.t); (err == nil) != step.ok {
			t.Errorf("%s follows %s: %v", step.s.Name, step.t.Name, err)
		}
	}
	c.SetAdmin(Maint)
	if d.Usable() || d.Status().Text != "MAINT (via b/a)" {
		t.Errorf("the end of the chain is %s", d.Status())
	}
}

func withChecks(s *config.Server) { s.Check = config.Check{Enabled: true, Rise: 2, Fall: 3} }

// ended notes which servers' flows are to end.
type ended []string

func (e *ended) ShutServer(s *Server, why byte) {
	*e = append(*e, fmt.Sprintf("%s %c", s.Name, why))
}

func downFlows(s *config.Server) { s.OnMarkedDown = "shutdown-sessions" }
func upFlows(s *config.Server)   { s.OnMarkedUp = "shutdown-backup-sessions" }

// on-marked-down ends the flows of a server that goes down or into maintenance; on-marked-up ends those of the backups. Drain
// and weight end none.
func TestMarked(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 0, withChecks, downFlows, upFlows), server("x", 0, withChecks, downFlows, asBackup), server("y", 0, asBackup)))
	var e ended
	f.Sessions = &e
	a, x := f.Servers()[0], f.Servers()[1]
	var held []*caller
	step := func(what string, do func(), want ...string) {
		t.Helper()
		e = nil
		do()
		if !slices.Equal(e, want) {
			t.Errorf("%s: %q, want %q", what, e, want)
		}
	}
	step("down without a flow", func() { a.SetHealth(HealthDown) })
	step("up without a flow", func() { a.SetHealth(HealthUp) })
	held = append(held, f.admit("on a"))
	step("drain", func() { a.SetAdmin(Drain) })
	step("ready", func() { a.SetAdmin(Ready) })
	step("weight 0", func() { a.SetWeight(0) })
	step("weight 1", func() { a.SetWeight(1) })
	step("stopping", func() { a.SetHealth(HealthStopping) })
	step("down", func() { a.SetHealth(HealthDown) }, "a D")
	held = append(held, f.admit("on x"))
	held[1].holds("x", 0)
	step("up", func() { a.SetHealth(HealthUp) }, "x U")
	step("maintenance", func() { a.SetAdmin(Maint) }, "a D")
	step("ready", func() { a.SetAdmin(Ready) }, "x U")
	step("down by a check", func() { a.Checked(CheckResult{Status: CheckL4Failed}) }, "a D") // one failure from it after maintenance
	step("backup down", func() { x.SetHealth(HealthDown) }, "x D")
	step("backup up", func() { x.SetHealth(HealthUp) })
	f.release(held...)
	f.quiet()
}

// The line of a server that goes down tells how many it serves and how many are sent back; that of one that comes up, how
// many waiters it was given.
func TestMovedWaiters(t *testing.T) {
	f := newFarm(t, proxy(config.SourceHash, server("a", 1, withChecks), server("x", 2, asBackup)))
	var lines []string
	f.OnEvent = func(e Event) { lines = append(lines, e.Text) }
	f.Start()
	served := f.admit("served")
	w := f.admitMany(3)
	a := f.Servers()[0]
	a.SetHealth(HealthDown)
	for _, c := range w {
		c.told = 0
		f.Retry(&c.Request)
	}
	w[2].waits("x")
	f.release(served)
	x := f.Servers()[1]
	x.SetAdmin(Maint)
	last := f.admit("refused")
	if last.outcome != NoServer {
		t.Errorf("outcome %d", last.outcome)
	}
	want := []string{
		"Server b/a is DOWN, changed from CLI. 0 active and 1 backup servers left. Running on backup. 1 sessions active, 3 requeued, 0 remaining in queue.",
		"Backup Server b/x is going DOWN for maintenance. 0 active and 0 backup servers left. 2 sessions active, 1 requeued, 0 remaining in queue.",
		"backend b has no server available!",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%s", strings.Join(lines, "\n"))
	}
	f.release(w[:2]...)
	f.release(w[2], last)
	f.quiet()

	f = newFarm(t, proxy(config.RoundRobin, server("a", 2, withChecks), server("b", 1)))
	f.OnEvent = func(e Event) { lines = append(lines, e.Text) }
	f.Start()
	f.Servers()[0].SetHealth(HealthDown)
	w = f.admitMany(4)
	lines = nil
	f.Servers()[0].SetHealth(HealthUp)
	if want := "Server b/a is UP, changed from CLI. 2 active and 0 backup servers online. 2 sessions requeued, 0 total in queue."; len(lines) != 1 || lines[0] != want {
		t.Errorf("%q", lines)
	}
	f.served(2, 1)
	f.release(w...)
	f.quiet()
}

// Nothing is told before the start, and an event has what it needs for mail.
func TestEvents(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 0, withChecks)))
	var events []Event
	f.OnEvent = func(e Event) { events = append(events, e) }
	f.Servers()[0].SetAdmin(Maint)
	f.Servers()[0].SetAdmin(Ready)
	if len(events) > 0 {
		t.Errorf("told before the start: %v", events[0].Text)
	}
	f.Start()
	f.Servers()[0].Checked(CheckResult{Status: CheckL4Timeout, Duration: 2500 * time.Millisecond})
	if len(events) != 2 {
		t.Fatalf("%d events", len(events))
	}
	e := events[0]
	if e.Kind != EventState || e.Backend != f.Backend || e.Server != f.Servers()[0] || e.Severity != 1 || e.MailSeverity() != 1 ||
		e.Check.Status != CheckL4Timeout || e.From.Text != "UP" || e.To.Text != "DOWN" ||
		!strings.HasPrefix(e.Text, "Server b/a is DOWN, reason: Layer4 timeout, check duration: 2500ms. 0 active") {
		t.Errorf("%+v", e)
	}
	if e = events[1]; e.Kind != EventBackendDown || e.Severity != 0 || e.MailSeverity() != -1 || e.Server != nil {
		t.Errorf("%+v", e)
	}
	if e = (Event{Kind: EventCheck, Severity: 5}); e.MailSeverity() != 6 {
		t.Errorf("a check's result is mailed with severity %d", e.MailSeverity())
	}
}

// States change from all sides while loops admit and release. In the end everything agrees with everything: who is open, what
// the algorithm was told, the sums, the followers; and nobody is stranded.
func TestStatesUnderLoad(t *testing.T) {
	for _, a := range algorithms {
		t.Run(a.name, func(t *testing.T) {
			p := a.proxy(server("a", 2, withChecks, downFlows), server("b", 2, withChecks, rising(3*time.Millisecond)), server("c", 2, withChecks), server("x", 2, withChecks, asBackup))
			p.PanicThreshold = 40
			b, err := New(p, 0, 2)
			if err != nil {
				t.Fatal(err)
			}
			q := proxy(config.RoundRobin, server("t", 0), server("u", 0))
			q.Name = "followers"
			followers, err := New(q, 0, 2)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range followers.Servers() {
				if err := s.Follow(b.Servers()[i]); err != nil {
					t.Fatal(err)
				}
			}
			// Events come one at a time and in order, so none is lost and no lock is needed here.
			last := map[*Server]string{}
			b.OnEvent = func(e Event) {
				if e.Server != nil && e.Kind != EventNotice {
					if before, known := last[e.Server]; known && e.Kind == EventState && before != fmt.Sprint(e.From.Operation, e.From.Admin) && e.From.Operation != Running {
						t.Errorf("%s: from %s, but it was %s", e.Text, e.From, before)
					}
					last[e.Server] = fmt.Sprint(e.To.Operation, e.To.Admin)
				}
			}
			b.Sessions = new(ended)
			b.Start()
			followers.Start()
			var all sync.WaitGroup
			for n := range 3 {
				all.Add(1)
				go func() {
					defer all.Done()
					for i := range 400 {
						s := b.Servers()[(i*7+n)%4]
						switch (i*5 + n*3) % 11 {
						case 0, 1, 2, 3:
							s.Checked(CheckResult{Status: CheckL4Failed})
						case 4, 5, 6, 7:
							s.Checked(CheckResult{Status: CheckL7OK, Code: 200})
						case 8:
							s.SetAdmin(Admin(i % 3))
						case 9:
							s.SetWeight(i % 4)
						default:
							s.Status()
							b.Status()
							followers.Servers()[n%2].Status()
						}
					}
				}()
			}
			ask(&all, b, 2, 400)
			all.Wait()
			for _, s := range b.Servers() {
				s.SetAdmin(Ready)
				s.SetWeight(1)
				s.SetHealth(HealthUp)
			}
			consistent(t, b)
			for i, s := range followers.Servers() {
				if s.operationNow() != Running || s.adminNow() != b.Servers()[i].adminNow() {
					t.Errorf("%s: %d %d", s.Name, s.operationNow(), s.adminNow())
				}
			}
			if n := b.Flows.Value(); n != 0 || b.Queued() != 0 {
				t.Errorf("%d flows, %d queued are left", n, b.Queued())
			}
		})
	}
}

// patient is a flow that waits as long as it takes.
type patient struct {
	Request
	told chan struct{}
}

func (p *patient) Granted() { p.told <- struct{}{} }

// ask admits and releases n requests on each of some loops; those that wait for too long give up.
func ask(all *sync.WaitGroup, b *Backend, loops, n int) {
	for loop := range loops {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := range n {
				p := &patient{told: make(chan struct{}, 1)}
				p.Waiter, p.Loop, p.Now = p, loop, time.Duration(i)
				outcome := b.Admit(&p.Request)
				for outcome == Waiting {
					select {
					case <-p.told:
					case <-time.After(5 * time.Millisecond):
						if b.Cancel(&p.Request) {
							outcome = NoServer
							continue
						}
						<-p.told
					}
					if outcome = Granted; p.Server == nil {
						outcome = b.Retry(&p.Request)
					}
				}
				b.Release(&p.Request)
			}
		}()
	}
}

// consistent compares what is kept with what it is kept of.
func consistent(t *testing.T, b *Backend) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range []*group{&b.active, &b.backup} {
		usable, weight, wanted := 0, 0, 0
		if g.standing.Load() == nil {
			continue
		}
		for _, s := range g.servers {
			if s.effectiveWeight() > 0 {
				usable++
				weight += s.Weight()
			}
			if s.panicWeight() > 0 {
				wanted++
			}
			if s.given != s.effectiveWeight() && s.rising.Load() == 0 {
				t.Errorf("%s: the algorithm was told %d, not %d", s.Name, s.given, s.effectiveWeight())
			}
		}
		if g.usable != usable || g.weight != weight || g.wanted != wanted || g.standing.Load().algorithm.Usable() != usable {
			t.Errorf("%d (%d) of %[4]d usable with %[3]d; counted %[5]d of %[7]d with %[6]d", g.usable, g.standing.Load().algorithm.Usable(), g.weight, g.wanted, usable, weight, wanted)
		}
	}
	c := b.serving.Load()
	if !c.equal(b.decide()) {
		t.Errorf("%+v serves, and should %+v", c, b.decide())
	}
	for _, s := range b.Servers() {
		if s.slots.IsOpen() != c.chosen(b, s) {
			t.Errorf("%s is open: %v", s.Name, s.slots.IsOpen())
		}
	}
}

// With "option persist", or "force-persist", who waits for a server alone goes on waiting while it is out of service.
func TestPersist(t *testing.T) {
	for _, set := range []func(*config.Proxy){
		func(p *config.Proxy) { p.Options.Persist = true },
		func(p *config.Proxy) { p.ForcePersist = true },
	} {
		p := proxy(config.SourceHash, server("a", 1, withChecks), server("x", 0, asBackup))
		set(p)
		f := newFarm(t, p)
		served, waiting := f.admit("served"), f.admit("waiting")
		f.Servers()[0].SetHealth(HealthDown)
		waiting.waits("a")
		f.release(served)
		waiting.waits("a")
		next := f.admit("next")
		next.holds("x", 0)
		f.Servers()[0].SetHealth(HealthUp)
		waiting.holds("a", 1)
		f.release(waiting, next)
		f.quiet()
	}
}

// In panic flows go to servers that are down, and go on there when the panic is over.
func TestPanicServes(t *testing.T) {
	for _, a := range algorithms {
		p := a.proxy(server("a", 0, withChecks), server("b", 0, withChecks), server("c", 0, withChecks), server("x", 0, asBackup))
		p.PanicThreshold = 60
		f := newFarm(t, p)
		f.Servers()[0].SetHealth(HealthDown)
		f.Servers()[1].SetHealth(HealthDown)
		var callers []*caller
		for i := range 90 {
			callers = append(callers, f.admit("in panic", from(fmt.Sprint("192.0.2.", i))))
		}
		for _, s := range f.Servers()[:3] {
			if s.Served() == 0 && a.name != "first" {
				t.Errorf("%s: %s serves none", a.name, s.Name)
			}
		}
		if f.Servers()[3].Served() > 0 {
			t.Errorf("%s: the backup serves", a.name)
		}
		f.Servers()[1].SetHealth(HealthUp)
		before := f.Servers()[0].Served()
		for i := range 90 {
			callers = append(callers, f.admit("after it", from(fmt.Sprint("192.0.2.", i))))
		}
		if f.Servers()[0].Served() != before {
			t.Errorf("%s: the server that is down is still used", a.name)
		}
		f.release(callers...)
		f.quiet()
		consistent(t, f.Backend)
	}
}
