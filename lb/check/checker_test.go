package check

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
)

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func descriptors() int {
	list, _ := os.ReadDir("/proc/self/fd")
	return len(list)
}

// Stop ends checks that wait for all kinds of things, and leaves nothing: no goroutine, no descriptor, no process.
func TestStopLeavesNothing(t *testing.T) {
	ports := []int{silentPort(t), silent(t), drips2(t), says("220 hi\r\n", "<")(t)}
	lines := []string{"", "option tcp-check\n  tcp-check expect string x", "option httpchk", "option smtpchk"}
	var text strings.Builder
	text.WriteString("global\n  external-check\n  insecure-fork-wanted\n")
	for i, port := range ports {
		fmt.Fprintf(&text, "backend b%d\n  mode tcp\n  timeout connect 60s\n  timeout server 1s\n  %s\n", i, lines[i])
		for n := range 10 {
			fmt.Fprintf(&text, "  server s%d 127.0.0.1:%d check inter 60s agent-check agent-inter 60s agent-port %d\n", n, port, ports[(i+n)%3])
		}
	}
	text.WriteString("backend e\n  mode tcp\n  option external-check\n  external-check path testdata\n  external-check command sleeps\n  timeout connect 1s\n  timeout server 1s\n  server s 127.0.0.1:1 check inter 60s\n")
	before, open := runtime.NumGoroutine(), descriptors()
	bed := newBed(t, text.String(), Options{MaxSpread: 50 * time.Millisecond})
	bed.checker.Start()
	eventually(t, "the checks do not run", func() bool {
		for s := range bed.checker.servers {
			for _, p := range []*probe{s.health, s.agent} {
				if p == nil {
					continue
				}
				p.mu.Lock()
				running := p.current != nil
				p.mu.Unlock()
				if !running {
					return false
				}
			}
		}
		return true
	})
	began := time.Now()
	bed.checker.Stop()
	if took := time.Since(began); took > time.Second {
		t.Errorf("Stop took %v", took)
	}
	bed.checker.Stop()
	for s := range bed.checker.servers {
		if r := s.server.Status().Check; r.Status != backend.CheckInitial && r.Status != backend.CheckUnknown {
			t.Errorf("%s: a result of a check that was stopped: %v", s.name, r)
		}
	}
	// The servers of this test are on goroutines too, and end when their connections have.
	eventually(t, "goroutines are left", func() bool { return runtime.NumGoroutine() <= before })
	eventually(t, "descriptors are left", func() bool { return descriptors() <= open })
	if children, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid())); err == nil && len(strings.TrimSpace(string(children))) > 0 {
		t.Errorf("child processes are left: %s", children)
	}
}

func drips2(t testing.TB) int {
	return serve(t, drips("HTTP/1.0 and so on and so forth", 20*time.Millisecond))
}

func TestStopBeforeStart(t *testing.T) {
	bed := newBed(t, "backend b\n  mode tcp\n  server s 127.0.0.1:1 check\n", Options{})
	bed.checker.Stop()
	bed.checker.Start()
}

// A check never overlaps itself, and comes back an interval after it has ended, however long it took.
func TestChecksDoNotOverlap(t *testing.T) {
	var now, most, count atomic.Int32
	var mu sync.Mutex
	var began []time.Time
	port := serve(t, func(c net.Conn) {
		mu.Lock()
		began = append(began, time.Now())
		mu.Unlock()
		most.Store(max(most.Load(), now.Add(1)))
		count.Add(1)
		rest(c)
		now.Add(-1)
	})
	bed := newBed(t, fmt.Sprintf("backend b\n  mode tcp\n  option tcp-check\n  tcp-check expect string x\n  timeout connect 50ms\n  timeout check 60ms\n  server s 127.0.0.1:%d check inter 40ms\n", port), Options{})
	bed.checker.Start()
	eventually(t, "no five checks", func() bool { return count.Load() >= 5 })
	bed.checker.Stop()
	if most.Load() != 1 {
		t.Errorf("%d checks of one server at once", most.Load())
	}
	mu.Lock()
	defer mu.Unlock()
	for i := 1; i < len(began); i++ {
		if between := began[i].Sub(began[i-1]); between < 100*time.Millisecond || between > 180*time.Millisecond {
			t.Errorf("check %d came %v after the one before; 60ms of it and 40ms interval are 100ms", i, between)
		}
	}
	if s := bed.servers["b"].server.Status(); s.Operation != backend.Stopped || s.Check.Status != backend.CheckL7Timeout {
		t.Errorf("the backend was not told: %+v", s)
	}
}

// A new target counts from the next check on; a hastened check comes before its time.
func TestTargetAndHasten(t *testing.T) {
	bed := newBed(t, fmt.Sprintf("backend b\n  mode tcp\n  server s 127.0.0.1:%d check inter 60s rise 1 fall 1\n", closedPort(t)), Options{})
	s := bed.servers["b"]
	bed.checker.Start()
	eventually(t, "the server does not go down", func() bool { return s.server.Status().Operation == backend.Stopped })
	next := *s.Target()
	next.Addr = newTarget(load(t, fmt.Sprintf("backend b\n  server s 127.0.0.1:%d\n", silent(t))).Proxies[0].Servers[0]).Addr
	s.SetTarget(&next)
	eventually(t, "the check does not end", func() bool { s.Hasten(time.Millisecond); return s.server.Status().Operation != backend.Stopped })
}

// Servers in maintenance are not asked, and are again when they are back.
func TestMaintenance(t *testing.T) {
	var asked atomic.Int32
	port := serve(t, func(c net.Conn) { asked.Add(1); io.WriteString(c, "x"); rest(c) })
	bed := newBed(t, fmt.Sprintf("backend b\n  mode tcp\n  option tcp-check\n  tcp-check expect string x\n  server s 127.0.0.1:%d check inter 5ms\n", port), Options{})
	s := bed.servers["b"].server
	s.SetAdmin(backend.Maint)
	bed.checker.Start()
	time.Sleep(30 * time.Millisecond)
	if n := asked.Load(); n != 0 {
		t.Errorf("asked %d times in maintenance", n)
	}
	s.SetAdmin(backend.Ready)
	eventually(t, "not asked after maintenance", func() bool { return asked.Load() > 0 })
}

// cpu is the time that the process has taken.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// 4,000 servers at an interval of 2 seconds, over loopback, against one listener: the share of one core that this process
// takes, the kernel's work for both ends of the connections included.
//
//	go test -run '^$' -bench 4000 ./lb/check
func BenchmarkChecks4000(b *testing.B) {
	for _, kind := range []struct{ name, lines string }{{"connect", ""}, {"httpchk", "option httpchk"}} {
		b.Run(kind.name, func(b *testing.B) {
			port := serve(b, plays("<", okay))
			var text strings.Builder
			fmt.Fprintf(&text, "backend b\n  mode tcp\n  timeout connect 1s\n  timeout server 1s\n  %s\n", kind.lines)
			for i := range 4000 {
				fmt.Fprintf(&text, "  server s%d 127.0.0.1:%d check inter 2s\n", i, port)
			}
			bed := newBed(b, text.String(), Options{})
			bed.checker.Start()
			defer bed.checker.Stop()
			time.Sleep(2 * time.Second)
			began, before := time.Now(), cpu()
			time.Sleep(6 * time.Second)
			used, took := cpu()-before, time.Since(began)
			up := 0
			for s := range bed.checker.servers {
				if s.server.Status().Check.Status.Outcome() == backend.CheckPassed {
					up++
				}
			}
			if up != 4000 {
				b.Errorf("%d of 4000 passed", up)
			}
			b.ReportMetric(100*used.Seconds()/took.Seconds(), "%core")
			b.ReportMetric(float64(used.Microseconds())/(2000*took.Seconds()), "µs/check")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// One bare check, one after the other: what the schedule and the state add to a connect and a close.
func BenchmarkCheck(b *testing.B) {
	bed := newBed(b, fmt.Sprintf("backend b\n  mode tcp\n  server s 127.0.0.1:%d check\n", silent(b)), Options{})
	s := bed.servers["b"]
	b.ReportAllocs()
	for b.Loop() {
		s.health.run(s.health)
	}
}

// A server that is added while checks run is checked too; one that is removed is not any more, and leaves nothing behind.
func TestServersComeAndGo(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	bed := newBed(t, "backend b\n  mode tcp\n  server s 127.0.0.1:1 check inter 10ms\n", Options{})
	bed.checker.Start()
	defer bed.checker.Stop()
	cfg := load(t, fmt.Sprintf("backend b\n  mode tcp\n  server late %s check inter 10ms agent-check agent-port 1 agent-inter 10ms\n", ln.Addr()))
	c := cfg.Proxies[0].Servers[0]
	c.ID = 2
	be := bed.servers["b"].backend
	for range 20 {
		var late *Server
		s, err := be.Add(c, true, func(s *backend.Server) (err error) {
			late, err = bed.checker.Add(be, s, cfg.Proxies[0], c, newTarget(c), newTarget(c))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		s.SetChecksEnabled(true)
		s.SetAgentEnabled(true)
		for end := time.Now().Add(20 * time.Second); s.Status().Check.Status != backend.CheckL4OK; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("it is not checked: %+v", s.Status())
			}
		}
		s.SetAdmin(backend.Maint)
		bed.checker.Remove(late)
		if err := be.Remove(s); err != nil {
			t.Fatal(err)
		}
	}
	bed.checker.schedule.mu.Lock()
	defer bed.checker.schedule.mu.Unlock()
	if n, m, w := len(bed.checker.servers), len(bed.checker.schedule.all), len(bed.checker.schedule.waiting); n != 1 || m != 1 || w > 1 {
		t.Errorf("%d servers, %d checks, %d of them waiting are left", n, m, w)
	}
}
