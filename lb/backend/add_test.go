package backend

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/sluice-lb/sluice/lb/config"
)

// added makes a server's configuration with the next id.
func added(b *Backend, name string, change ...func(*config.Server)) *config.Server {
	c := server(name, 0, change...)
	for _, s := range b.Servers() {
		c.ID = max(c.ID, s.ID)
	}
	c.ID++
	return c
}

func (f *farm) add(c *config.Server, up bool) *Server {
	f.t.Helper()
	s, err := f.Add(c, up, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func TestAddAndRemove(t *testing.T) {
	for _, a := range algorithms {
		t.Run(a.name, func(t *testing.T) {
			f := newFarm(t, a.proxy())
			if x := f.admit("nobody"); x.outcome != NoServer {
				t.Fatalf("outcome %d of an empty backend", x.outcome)
			} else {
				f.release(x)
			}
			s := f.add(added(f.Backend, "s", func(c *config.Server) { c.MaxConn = 1 }), false)
			if st := s.Status(); st.Text != "MAINT" || st.Admin != ForcedMaint || f.Usable() {
				t.Errorf("a new server is %s, by %d", st, st.Admin)
			}
			if _, err := f.Add(added(f.Backend, "s"), true, nil); !errors.Is(err, ErrTaken) {
				t.Errorf("a second one of the name: %v", err)
			}
			s.SetAdmin(Ready)
			x := f.admit("x")
			x.holds("s", 0)
			y := f.admit("y")
			if !y.Queued || y.Server != nil {
				t.Error("the limit does not count")
			}
			if err := f.Remove(s); !errors.Is(err, ErrNotInMaintenance) {
				t.Errorf("removed while it serves: %v", err)
			}
			s.SetAdmin(Maint)
			if err := f.Remove(s); !errors.Is(err, ErrInUse) {
				t.Errorf("removed with a flow: %v", err)
			}
			f.release(x)
			if err := f.Remove(s); err != nil {
				t.Error(err)
			}
			if err := f.Remove(s); !errors.Is(err, ErrRemoved) {
				t.Errorf("removed twice: %v", err)
			}
			// Nothing that is said of it touches who has its place.
			next := f.add(added(f.Backend, "t", weight(3)), true)
			s.SetAdmin(Ready)
			s.SetWeight(200)
			s.SetHealth(HealthDown)
			s.Checked(CheckResult{Status: CheckL4Failed})
			s.SetMaxConn(7)
			consistent(t, f.Backend)
			if y.told != 0 && y.Server == nil { // it was bound to the one that went
				y.outcome = f.Retry(&y.Request)
			}
			if y.Server != next {
				t.Errorf("who waited has %v", y.Server)
			}
			if len(f.Servers()) != 1 || f.Servers()[0] != next || s.Served() != 0 {
				t.Errorf("servers %v", f.Servers())
			}
			f.release(y)
			f.quiet()
		})
	}
}

func TestFollowedServersStay(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 0, withChecks)))
	a := f.Servers()[0]
	var follower *Server
	follower, err := f.Add(added(f.Backend, "f"), true, func(s *Server) error { return s.Follow(a) })
	if err != nil {
		t.Fatal(err)
	}
	a.SetHealth(HealthDown)
	if follower.operationNow() != Stopped {
		t.Error("it does not follow")
	}
	a.SetAdmin(Maint)
	if err := f.Remove(a); !errors.Is(err, ErrFollowed) {
		t.Errorf("removed: %v", err)
	}
	if err := f.Remove(follower); err != nil { // by the maintenance that it has from the other
		t.Error(err)
	}
	if err := f.Remove(a); err != nil {
		t.Error(err)
	}
	if _, err := f.Add(added(f.Backend, "late"), true, func(s *Server) error { return s.Follow(a) }); err == nil || len(f.Servers()) != 0 {
		t.Errorf("follows one that is gone: %v, %d servers", err, len(f.Servers()))
	}
}

// Backups, minconn and slow start are those of a server that has been there from the start.
func TestAddedServersAreLikeOthers(t *testing.T) {
	f := newFarm(t, proxy(config.LeastConn, server("a", 0)))
	f.Start()
	backup := f.add(added(f.Backend, "x", asBackup), true)
	if f.admit("1").holds("a", 0); backup.Served() != 0 {
		t.Error("a backup serves beside others")
	}
	f.Servers()[0].SetAdmin(Maint)
	f.admit("2").holds("x", 0)
	limited := f.add(added(f.Backend, "m", minConn(1), func(c *config.Server) { c.MaxConn = 10 }), true)
	if got := limited.slots.Limit(); got != 2 { // two flows of the ten of fullconn
		t.Errorf("limit %d", got)
	}
	rises := f.add(added(f.Backend, "r", weight(100), rising(10*fullConn)), false)
	rises.SetAdmin(Ready)
	if rises.operationNow() != Starting || rises.given != 1 {
		t.Errorf("operation %d, weight %d", rises.operationNow(), rises.given)
	}
}

// Servers come, serve and go while loops admit and release. Nobody is stranded, nobody is left on a server that went, and in the
// end everything agrees.
func TestServersComeAndGo(t *testing.T) {
	for _, a := range algorithms {
		t.Run(a.name, func(t *testing.T) {
			p := a.proxy(server("a", 2, withChecks), server("x", 2, asBackup))
			p.PanicThreshold = 30
			b, err := New(p, 10, 3)
			if err != nil {
				t.Fatal(err)
			}
			b.Start()
			var all sync.WaitGroup
			ask(&all, b, 3, 500)
			var gone sync.Map
			for n := range 2 {
				all.Go(func() {
					for i := range 60 {
						c := server(fmt.Sprint("s", n, "-", i), 1+i%3, func(c *config.Server) { c.Backup = i%7 == 0 })
						c.ID = 100 + 2*i + n
						s, err := b.Add(c, i%2 == 0, nil)
						if err != nil {
							t.Error(err)
							return
						}
						s.SetAdmin(Ready)
						s.SetWeight(1 + i%4)
						runtime.Gosched()
						s.SetAdmin(Maint)
						for err = b.Remove(s); errors.Is(err, ErrInUse); err = b.Remove(s) {
							runtime.Gosched()
						}
						if err != nil {
							t.Error(err)
						}
						gone.Store(s, nil)
					}
				})
			}
			all.Wait()
			consistent(t, b)
			(&farm{Backend: b, t: t}).quiet()
			gone.Range(func(s, _ any) bool {
				if s := s.(*Server); s.Served() != 0 || s.Queued() != 0 || s.Flows.Value() != 0 {
					t.Errorf("%s has gone and has %d flows", s.Name, s.Served())
				}
				return true
			})
			if len(b.Servers()) != 2 {
				t.Errorf("%d servers are left", len(b.Servers()))
			}
		})
	}
}

// What a server was is collected once it has gone.
func TestRemovedServersAreCollected(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for _, a := range algorithms {
		f := newFarm(t, a.proxy(server("a", 0, withChecks)))
		round := func(n int) {
			for range n {
				s := f.add(added(f.Backend, "s"), true)
				s.SetAdmin(Maint)
				if err := f.Remove(s); err != nil {
					t.Fatal(err)
				}
			}
		}
		round(10)
		before := heap()
		round(500)
		if after := heap(); after > before+100<<10 {
			t.Errorf("%s: the heap grew from %d to %d bytes", a.name, before, after)
		}
	}
}
