package lb

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakeBalancer notes what is done to it. Only the operator's goroutine uses it while the operator runs.
type fakeBalancer struct {
	done    chan struct{}
	actions []string
}

func (f *fakeBalancer) SoftStop()             { f.actions = append(f.actions, "soft") }
func (f *fakeBalancer) Stop()                 { f.actions = append(f.actions, "stop") }
func (f *fakeBalancer) Done() <-chan struct{} { return f.done }

// Each step is a signal, "grace" or "hard" for a timer that fires, or "end" for the last flow. The channels have no
// buffer, so a step is taken when the one before it was handled.
func TestSignals(t *testing.T) {
	const grace, hard = 5 * time.Second, 30 * time.Second
	for _, test := range []struct {
		name           string
		grace, hard    time.Duration
		steps, actions string
		timers         string // those that were set, in order
		said           []string
	}{
		{"interrupt", 0, 0, "INT", "stop", "", nil},
		{"terminate", 0, 0, "TERM", "stop", "", nil},
		{"soft stop", 0, 0, "USR1 end", "soft", "", nil},
		{"soft stop twice", 0, hard, "USR1 USR1 end", "soft", "30s", nil},
		{"soft stop, then terminate", 0, 0, "USR1 TERM", "soft stop", "", nil},
		{"soft stop takes too long", 0, hard, "USR1 hard", "soft stop", "30s", []string{"[WARNING]  (", "hard-stop"}},
		{"grace", grace, 0, "USR1 grace end", "soft", "5s", nil},
		{"terminate during grace", grace, hard, "USR1 TERM", "stop", "30s 5s", nil},
		{"grace longer than patience", grace, hard, "USR1 hard", "stop", "30s 5s", []string{"hard-stop"}},
		{"status", 0, 0, "HUP TERM", "stop", "", []string{"SIGHUP received", "SIGHUP: all is well"}},
		{"memory", 0, 0, "QUIT TERM", "stop", "", []string{"SIGQUIT: heap "}},
	} {
		var said bytes.Buffer
		signals := make(chan os.Signal)
		timers := map[time.Duration]chan time.Time{grace: make(chan time.Time), hard: make(chan time.Time)}
		var set []string
		balancer := &fakeBalancer{done: make(chan struct{})}
		o := operator{
			balancer: balancer, messages: newMessages(&said), grace: test.grace, hardStop: test.hard,
			status:   func() []string { return []string{"all is well"} },
			stopping: func(time.Duration) {},
			after: func(d time.Duration) <-chan time.Time {
				set = append(set, d.String())
				return timers[d]
			},
		}
		ended := make(chan int)
		go func() { ended <- o.run(signals) }()
		for step := range strings.FieldsSeq(test.steps) {
			switch step {
			case "end":
				close(balancer.done)
			case "grace":
				timers[grace] <- time.Time{}
			case "hard":
				timers[hard] <- time.Time{}
			default:
				signals <- map[string]os.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "USR1": syscall.SIGUSR1,
					"HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT}[step]
			}
		}
		if code := <-ended; code != 0 {
			t.Errorf("%s: exit code %d", test.name, code)
		}
		if got := strings.Join(balancer.actions, " "); got != test.actions {
			t.Errorf("%s: did %q, want %q", test.name, got, test.actions)
		}
		if got := strings.Join(set, " "); got != test.timers {
			t.Errorf("%s: set the timers %q, want %q", test.name, got, test.timers)
		}
		for _, part := range test.said {
			if !strings.Contains(said.String(), part) {
				t.Errorf("%s: said %q, want %q in it", test.name, said.String(), part)
			}
		}
	}
}
