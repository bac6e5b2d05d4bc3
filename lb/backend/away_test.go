package backend

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
)

// A server whose network namespace is missing is down whatever anybody else says; what brings it back when it is there again depends
// on who judges it.
func TestAway(t *testing.T) {
	const missing = "Network namespace 'blue' does not exist"
	for _, test := range []struct {
		name   string
		server *config.Server
		before string
		back   string // state when the namespace is there
		passed string // and after a check that passes
	}{
		{"unchecked", server("a", 1), "no check", "no check", "no check"},
		{"checked", server("a", 1, withChecks), "UP 1/3", "DOWN 1/2", "UP"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFarm(t, proxy(config.RoundRobin, test.server, server("x", 1, asBackup)))
			var lines []string
			f.OnEvent = func(e Event) { lines = append(lines, e.Text) }
			f.Start()
			a := f.Servers()[0]
			hastened := 0
			a.OnHasten = func(d time.Duration) {
				if d == 0 {
					hastened++
				}
			}
			is := func(want string) {
				t.Helper()
				if got := a.Status().Text; got != want {
					t.Errorf("it is %s, want %s", got, want)
				}
			}
			is(test.before)
			a.SetAway(missing)
			a.SetAway(missing)
			is("DOWN")
			if len(lines) != 1 || !strings.HasPrefix(lines[0], `Server b/a is DOWN, reason: Socket error, info: "`+missing+`". 0 active and 1 backup servers left. Running on backup.`) {
				t.Errorf("told %q", lines)
			}
			if st := a.Status(); !st.Away || st.Check.Status != CheckSocketError || st.Check.Text != missing {
				t.Errorf("status %+v", st)
			}
			for _, try := range []func(){
				func() { a.Checked(CheckResult{Status: CheckL4OK}) }, func() { a.SetHealth(HealthUp) }, func() { a.SetHealth(HealthStopping) },
				func() { a.SetAdmin(Maint) }, func() { a.SetAdmin(Ready) }, func() { a.Checked(CheckResult{Status: CheckL4OK}) },
			} {
				try()
				if a.Usable() {
					t.Fatal("it may be given flows")
				}
			}
			is("DOWN")
			f.admit("elsewhere").holds("x", 0)
			lines = nil
			a.SetAway("")
			is(test.back)
			if test.passed != test.back {
				if hastened != 1 {
					t.Errorf("hastened %d times", hastened)
				}
				a.Checked(CheckResult{Status: CheckL4OK, Duration: -1})
				is(test.passed)
			} else if len(lines) != 1 || !strings.HasPrefix(lines[0], "Server b/a is UP, its network namespace is there. ") {
				t.Errorf("told %q", lines)
			}
			if st := a.Status(); st.Away || st.Downs != 1 {
				t.Errorf("status %+v", st)
			}
		})
	}
}

// One that is missing at the start was never up: nothing is told or counted, and what was saved of it does not bring it up.
func TestAwayAtStart(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 1), server("b", 1)))
	var lines []string
	f.OnEvent = func(e Event) { lines = append(lines, e.Text) }
	a := f.Servers()[0]
	a.SetAway("missing")
	a.Restore(Saved{Operation: Running, Weight: 1, InitialWeight: 1})
	f.Start()
	if st := a.Status(); st.Text != "DOWN" || st.Downs != 0 || a.Usable() || len(lines) != 0 {
		t.Errorf("%+v, told %q", st, lines)
	}
	a.SetAway("")
	if !a.Usable() {
		t.Error("it is not usable when its namespace is there")
	}
}

// One that tracks another is down without its own namespace, and is as the other again with it. The other does not notice.
func TestAwayAndTracking(t *testing.T) {
	f := newFarm(t, proxy(config.RoundRobin, server("a", 1), server("b", 1, withChecks)))
	a, b := f.Servers()[0], f.Servers()[1]
	if err := a.Follow(b); err != nil {
		t.Fatal(err)
	}
	f.Start()
	step := func(what string, do func(), wantA, wantB bool) {
		t.Helper()
		do()
		if a.Usable() != wantA || b.Usable() != wantB {
			t.Errorf("%s: a %v, b %v", what, a.Usable(), b.Usable())
		}
	}
	step("a is away", func() { a.SetAway("missing") }, false, true)
	step("b goes down", func() { b.SetHealth(HealthDown) }, false, false)
	step("b comes up", func() { b.SetHealth(HealthUp) }, false, true)
	step("a is back", func() { a.SetAway("") }, true, true)
	step("a is away again", func() { a.SetAway("missing") }, false, true)
	step("b goes down again", func() { b.SetHealth(HealthDown) }, false, false)
	step("a is back while b is down", func() { a.SetAway("") }, false, false)
	step("b comes up with a", func() { b.SetHealth(HealthUp) }, true, true)
	step("b is away, so a goes with it", func() { b.SetAway("missing") }, false, false)
	step("b is there, its check is awaited", func() { b.SetAway("") }, false, false)
	step("it passes", func() { b.Checked(CheckResult{Status: CheckL4OK}) }, true, true)
}
