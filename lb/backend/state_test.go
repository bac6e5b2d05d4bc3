package backend

import (
	"testing"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/queue"
	"github.com/sluice-lb/sluice/lb/stats"
)

// A server that goes into maintenance sends those back who wait for it alone; they find another. Those it serves stay.
func TestMaintenanceSendsBack(t *testing.T) {
	f := newFarm(t, proxy(config.SourceHash, server("a", 1), server("b", 3)))
	x := from("192.0.2.0")
	served := f.admit("served", x)
	if served.where() != "a" {
		x = from("192.0.2.1")
		f = newFarm(t, proxy(config.SourceHash, server("a", 1), server("b", 3)))
		served = f.admit("served", x)
	}
	w := f.admitMany(4, x)
	a := f.Servers()[0]
	a.SetMaintenance(true)
	for _, c := range w {
		if c.told != 1 || c.Server != nil {
			t.Errorf("%s: told %d times, holds %s", c.name, c.told, c.where())
		}
		c.told = 0
	}
	if a.Queued() != 0 {
		t.Errorf("%d still wait for it", a.Queued())
	}
	f.counted("its queue", a.QueueCounts(), queue.Counts{LookedAgain: 4, SentBack: 4})
	for i, c := range w {
		if got, want := f.Retry(&c.Request), Granted; i < 3 && got != want || i == 3 && got != Waiting {
			t.Errorf("%d: outcome %d", i, got)
		}
	}
	w[2].holds("b", 0)
	w[3].waits("b")
	f.served(1, 3)
	f.release(served)
	f.served(0, 3)
	f.stat(stats.Queued, 4) // each flow once
	f.release(w[:3]...)
	w[3].holds("b", 1)
	f.release(w[3])
	f.quiet()
}

// A server that comes back, or gets its weight back, takes waiters at once, as many as its limit allows.
func TestComingBackTakesWaiters(t *testing.T) {
	for _, change := range []struct {
		name      string
		out, back func(*Server)
	}{
		{"maintenance", func(s *Server) { s.SetMaintenance(true) }, func(s *Server) { s.SetMaintenance(false) }},
		{"weight", func(s *Server) { s.SetWeight(0) }, func(s *Server) { s.SetWeight(7) }},
	} {
		for _, a := range algorithms {
			if a.bound {
				continue
			}
			t.Run(change.name+" "+a.name, func(t *testing.T) {
				f := newFarm(t, a.proxy(server("a", 3), server("b", 1)))
				change.out(f.Servers()[0])
				callers := f.admitMany(10)
				f.served(0, 1)
				change.back(f.Servers()[0])
				f.served(3, 1)
				for i, c := range callers[1:4] { // the first three of the queue
					if c.where() != "a" {
						t.Errorf("%d of the queue holds %s", i, c.where())
					}
				}
				change.out(f.Servers()[0])
				f.release(callers[1:4]...)
				f.served(0, 1)
				f.release(callers[0])
				f.served(0, 1)
				change.back(f.Servers()[0])
				f.served(3, 1)
				f.release(callers[4:]...)
				f.quiet()
			})
		}
	}
}

// Without a usable server a newcomer is told so. Who waits already stays, until a server is there again or its time is over
// (as with HAProxy).
func TestNoServer(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 1), server("b", 1, outOfService)))
	served, waiting := f.admit("served"), f.admit("waiting")
	if !f.Usable() {
		t.Error("not usable")
	}
	f.Servers()[0].SetMaintenance(true)
	if f.Usable() {
		t.Error("usable")
	}
	refused := f.admit("refused")
	if refused.outcome != NoServer || refused.Server != nil {
		t.Errorf("outcome %d, holds %s", refused.outcome, refused.where())
	}
	f.stat(stats.NoServer, 1)
	f.release(refused, served)
	waiting.waits("")
	f.served(0, 0)
	f.Servers()[1].SetMaintenance(false)
	waiting.holds("b", 1)
	f.release(waiting)
	f.quiet()

	// Bound ones are sent back and then told so.
	f = newFarm(t, proxy(config.SourceHash, server("a", 1)))
	served, waiting = f.admit("served"), f.admit("waiting")
	f.Servers()[0].SetMaintenance(true)
	if waiting.told != 1 || f.Retry(&waiting.Request) != NoServer {
		t.Errorf("told %d times, and then admitted", waiting.told)
	}
	f.release(served, waiting)
	f.quiet()
}

// Backups are used only while no active server is left: the first usable one, or all with "option allbackups".
func TestBackups(t *testing.T) {
	for _, a := range algorithms {
		for _, all := range []bool{false, true} {
			name := a.name
			if all {
				name += " allbackups"
			}
			t.Run(name, func(t *testing.T) {
				p := a.proxy(server("a", 2), server("b", 2), server("x", 2, asBackup), server("y", 2, asBackup), server("z", 2, asBackup))
				p.Options.AllBackups = all
				f := newFarm(t, p)
				set := func(out bool, servers ...int) {
					for _, i := range servers {
						f.Servers()[i].SetMaintenance(out)
					}
				}
				// tell lets those who were sent back ask again.
				told := func() {
					for i := 0; i < len(f.order); i++ {
						if c := f.order[i]; c.Server == nil {
							c.told = 0
							f.Retry(&c.Request)
						}
					}
					f.order = nil
				}
				callers := make([]*caller, 60)
				for i := range callers {
					callers[i] = f.admit("w", from("192.0.2."+string(rune('0'+i%10))))
				}
				f.served(2, 2, 0, 0, 0)
				set(true, 0)
				told()
				f.served(2, 2, 0, 0, 0)
				set(true, 1)
				told()
				if !all {
					f.served(2, 2, 2, 0, 0)
					set(true, 2)
					told()
					f.served(2, 2, 2, 2, 0)
					set(false, 2) // the first is back: the second is let finish
					told()
					var ends []*caller
					for _, c := range callers {
						if c.Server == f.Servers()[3] {
							ends = append(ends, c)
						}
					}
					f.release(ends...)
					told()
					f.served(2, 2, 2, 0, 0)
				} else if !a.bound {
					f.served(2, 2, 2, 2, 2)
				}
				set(false, 0, 1)
				told()
				for _, c := range callers { // whom backups serve is let finish, and nobody follows
					if c.Server != nil && c.Server.ID > 2 {
						f.release(c)
					}
				}
				for _, s := range f.Servers()[2:] {
					if s.Served() != 0 || s.Queued() != 0 {
						t.Errorf("%s serves %d and has a queue of %d while an active server is there", s.Name, s.Served(), s.Queued())
					}
				}
				f.served(2, 2, 0, 0, 0)
			})
		}
	}
}

// A backend of nothing but backups works, and its flows wait where its algorithm has them wait.
func TestOnlyBackups(t *testing.T) {
	for _, a := range algorithms {
		t.Run(a.name, func(t *testing.T) {
			p := a.proxy(server("x", 1, asBackup), server("y", 1, asBackup))
			p.Options.AllBackups = true
			f := newFarm(t, p)
			callers := f.admitMany(4)
			if a.bound {
				if c := callers[0]; f.Queued() != 0 || c.Server.Queued() != 3 {
					t.Errorf("%d wait at the backend, %d at the server", f.Queued(), c.Server.Queued())
				}
			} else {
				f.served(1, 1)
			}
			f.release(callers...)
			f.quiet()
		})
	}
}

// With no weight left the actives count as gone, and the backup steps in.
func TestWeightZeroUsesBackup(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 1), server("x", 1, asBackup)))
	served, waiting := f.admit("served"), f.admit("waiting")
	f.Servers()[0].SetWeight(0)
	waiting.holds("x", 1)
	f.admit("next").waits("x") // the one backup stands for all: one waits for it alone
	if f.Movable() {
		t.Error("there is nowhere to move to")
	}
	f.Servers()[0].SetWeight(1)
	if w := f.order[len(f.order)-1]; w.name != "next" || w.Server != nil {
		t.Error("it was not sent back when the active server came")
	}
	f.served(1, 1)
	f.release(served)
	f.served(0, 1)
}

func TestMovable(t *testing.T) {
	for _, a := range algorithms {
		f := newFarm(t, a.proxy(server("a", 0), server("b", 0), server("x", 0, asBackup)))
		if f.Movable() == a.bound {
			t.Errorf("%s: movable %v", a.name, f.Movable())
		}
		f.Servers()[1].SetMaintenance(true)
		if f.Movable() {
			t.Errorf("%s: movable with one server", a.name)
		}
	}
}

// Weights set at run time count for the next flow.
func TestSetWeight(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 0), server("b", 0)))
	f.Servers()[0].SetWeight(3)
	if f.Servers()[0].Weight() != 3 {
		t.Errorf("weight %d", f.Servers()[0].Weight())
	}
	f.admitMany(40)
	f.served(30, 10)
	f.Servers()[0].SetWeight(0)
	f.admitMany(10)
	f.served(30, 20)
}
