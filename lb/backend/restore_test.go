package backend

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
)

func checked(s *config.Server) { s.Check = config.Check{Enabled: true, Rise: 2, Fall: 3} }
func agented(s *config.Server) { s.Check.Agent = true }

// What each saved state gives to each sort of server, and what is logged about it.
func TestRestore(t *testing.T) {
	up := Saved{Operation: Running, Weight: 1, InitialWeight: 1, Health: 4, WasChecked: true, Status: CheckL4OK, SinceChange: time.Hour}
	change := func(do func(*Saved)) Saved { v := up; do(&v); return v }
	down := change(func(v *Saved) { v.Operation, v.Health, v.Status = Stopped, 0, CheckL4Failed })
	for _, test := range []struct {
		name    string
		server  *config.Server
		saved   Saved
		text    string // of the status
		health  int    // -1: any
		weight  int
		logged  string // beginning of the first line; empty: none
		refused bool
	}{
		{"up", server("s", 0, checked), up, "UP", 4, 1, "", false},
		{"up, a failure behind", server("s", 0, checked), change(func(v *Saved) { v.Health = 3 }), "UP 2/3", 3, 1, "", false},
		{"up, with a health of other rise and fall", server("s", 0, checked), change(func(v *Saved) { v.Health = 77 }), "UP", 4, 1, "", false},
		{"up, with a health that would be down", server("s", 0, checked), change(func(v *Saved) { v.Health = -3 }), "UP 1/3", 2, 1, "", false},
		{"down", server("s", 0, checked), down, "DOWN", 0, 1, "Server b/s is DOWN, changed from server-state after a reload. 1 active", false},
		{"down, a success behind", server("s", 0, checked), change(func(v *Saved) { v.Operation, v.Health = Stopped, 1 }), "DOWN 1/2", 1, 1, "Server b/s is DOWN", false},
		{"down, with a health that would be up", server("s", 0, checked), change(func(v *Saved) { v.Operation, v.Health = Stopped, 4 }), "DOWN 1/2", 1, 1, "Server b/s is DOWN", false},
		{"stopping", server("s", 0, checked), change(func(v *Saved) { v.Operation = Stopping }), "NOLB", 4, 1, "Server b/s is stopping, changed from server-state after a reload", false},
		{"down by checks that are no more", server("s", 0), down, "no check", -1, 1, "", true},
		{"down by the operator, never checked", server("s", 0), change(func(v *Saved) { v.Operation, v.WasChecked = Stopped, false }), "DOWN", -1, 1, "Server b/s is DOWN", false},
		{"down by checks that are no more, but there is an agent", server("s", 0, agented), down, "DOWN", -1, 1, "Server b/s is DOWN", false},
		{"in maintenance", server("s", 0, checked), change(func(v *Saved) { v.Operation, v.Admin, v.Maintained = Stopped, ForcedMaint, true }), "MAINT", -1, 1, "Server b/s is going DOWN for maintenance", false},
		{"was disabled and is not now", server("s", 0, checked), change(func(v *Saved) { v.Operation, v.Admin, v.Maintained = Stopped, ForcedMaint|ConfiguredMaint, true }), "UP 1/3", 2, 1, "", false},
		{"is disabled now", server("s", 0, checked, outOfService), up, "MAINT", -1, 1, "", false},
		{"had no address and has one now", server("s", 0, checked), change(func(v *Saved) { v.Operation, v.Admin, v.Maintained = Stopped, ResolutionMaint, true }), "UP 1/3", 2, 1, "", false},
		{"draining", server("s", 0, checked), change(func(v *Saved) { v.Admin = ForcedDrain }), "DRAIN", 4, 1, "Server b/s enters drain state", false},
		{"weight", server("s", 0, checked, weight(11)), change(func(v *Saved) { v.Weight, v.InitialWeight = 5, 11 }), "UP", 4, 5, "", false},
		{"weight zero", server("s", 0, checked, weight(11)), change(func(v *Saved) { v.Weight, v.InitialWeight = 0, 11 }), "UP", 4, 0, "", false},
		{"weight of another configuration", server("s", 0, checked, weight(11)), change(func(v *Saved) { v.Weight, v.InitialWeight = 5, 10 }), "UP", 4, 11, "", false},
		{"was new once", server("s", 0, checked, rising(time.Minute), func(s *config.Server) { s.SlowStartOnNew = true }), up, "UP", 4, 1, "", false},
	} {
		f := newFarm(t, proxy(config.RoundRobin, test.server, server("other", 0)))
		var logged []string
		f.OnEvent = func(e Event) { logged = append(logged, e.Text) }
		s := f.Servers()[0]
		if taken := s.Restore(test.saved); taken == test.refused {
			t.Errorf("%s: taken over: %v", test.name, taken)
		}
		if logged = slices.Clip(logged); len(logged) == 0 != (test.logged == "") || len(logged) > 0 && !strings.HasPrefix(logged[0], test.logged) {
			t.Errorf("%s: logged %q, want %q", test.name, logged, test.logged)
		}
		f.Start()
		st := s.Status()
		if st.Text != test.text || test.health >= 0 && st.Health != test.health || st.Weight != test.weight {
			t.Errorf("%s: %s, health %d, weight %d; want %s, %d, %d", test.name, st.Text, st.Health, st.Weight, test.text, test.health, test.weight)
		}
		if st.SinceChange != time.Hour || st.Downs != 0 {
			t.Errorf("%s: changed %v ago, %d downs", test.name, st.SinceChange, st.Downs)
		}
		if st.Checked && st.Check.Status != test.saved.Status {
			t.Errorf("%s: last check %v", test.name, st.Check.Status)
		}
		if got, want := f.isGiven("s"), st.Usable; got != want {
			t.Errorf("%s: is given flows: %v, want %v", test.name, got, want)
		}
	}
}

// isGiven tells whether the named server is given one of a few flows.
func (f *farm) isGiven(name string) bool {
	f.t.Helper()
	for range 40 {
		c := f.admit("x")
		if c.Server != nil && c.Server.Name == name {
			return true
		}
	}
	return false
}

// A server that was found down comes back as one that had been seen going down, after rise successes.
func TestRestoredServerComesBack(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("s", 0, checked)))
	s := f.Servers()[0]
	s.Restore(Saved{Operation: Stopped, Weight: 1, InitialWeight: 1, WasChecked: true, Status: CheckL4Failed})
	f.Start()
	for i, want := range []string{"DOWN 1/2", "UP"} {
		s.Checked(CheckResult{Status: CheckL4OK})
		if got := s.Status().Text; got != want {
			t.Fatalf("after %d successes: %s, want %s", i+1, got, want)
		}
	}
}

// A slow start goes on where it was.
func TestRestoreSlowStart(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("s", 0, checked, rising(100*time.Second), weight(100))))
	s := f.Servers()[0]
	s.Restore(Saved{Operation: Starting, Weight: 100, InitialWeight: 100, Health: 4, WasChecked: true, SinceChange: 30 * time.Second})
	f.Start()
	if st := s.Status(); st.Operation != Starting || st.SlowStart != 30 {
		t.Errorf("%v at %d%%", st.Operation, st.SlowStart)
	}
	f.time.move(71 * time.Second)
	if st := s.Status(); st.Operation != Running || st.SlowStart != 100 {
		t.Errorf("at its end: %v at %d%%", st.Operation, st.SlowStart)
	}
}

// One that tracks another has the other's restored state, not its own.
func TestRestoreTracking(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("s", 0, checked), server("follower", 0)))
	s, follower := f.Servers()[0], f.Servers()[1]
	if err := follower.Follow(s); err != nil {
		t.Fatal(err)
	}
	follower.Restore(Saved{Operation: Stopped, Weight: 1, InitialWeight: 1})
	if got := follower.Status().Text; got != "UP 1/3" {
		t.Errorf("the follower is %s", got)
	}
	s.Restore(Saved{Operation: Stopped, Weight: 1, InitialWeight: 1, WasChecked: true})
	if got := follower.Status(); got.Operation != Stopped {
		t.Errorf("the follower of a server that is down is %s", got.Text)
	}
}

// Checks that the operator had turned off stay off.
func TestRestoreChecksOff(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("s", 0, checked, agented)))
	s := f.Servers()[0]
	s.Restore(Saved{Operation: Running, Weight: 1, InitialWeight: 1, Health: 4, WasChecked: true, ChecksOff: true, AgentOff: true})
	if s.CheckEnabled() || s.AgentEnabled() {
		t.Error("checks are on")
	}
}
