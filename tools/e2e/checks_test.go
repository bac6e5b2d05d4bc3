package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// healthCheck is a server, how it is checked, and what comes of it.
type healthCheck struct {
	name   string
	lines  string // of the backend
	server string // its address, and parameters
	// want is the result as the log tells it, from "reason: " to the check's duration. A check that passes has the word
	// "passed" there.
	want string
	// reference is what haproxy says where it differs, for the reason named.
	reference string
	differs   harness.Difference
}

func (c *healthCheck) expected() string {
	if c.differs != "" && harness.Differs(c.differs) {
		return c.reference
	}
	return c.want
}

// checkTimes make a first result come at once. A passing check may take its time on a busy machine.
const checkTimes = "timeout connect 5s\ntimeout check 5s\ndefault-server inter 2s fall 1 rise 1\n"

// impatient is for servers that do not answer.
const impatient = "timeout check 1s\ndefault-server inter 1s fall 1 rise 1\n"

// backendName makes a name out of a case's.
func backendName(name string) string { return strings.NewReplacer(" ", "-", ",", "").Replace(name) }

// judge runs every check of a list in one process, and compares what the log says of each server: the result with its
// severity, and the server's change with its own if it goes down. The process goes on until the test ends.
func judge(t *testing.T, global string, list []healthCheck) *harness.Balancer {
	t.Helper()
	logs := harness.ReceiveUDP(t)
	sections := []string{section("frontend front", "bind "+harness.Loopback(t))}
	for _, c := range list {
		sections = append(sections, section("backend "+backendName(c.name), c.lines, "server s "+c.server+" check"))
	}
	b := harness.Start(t, config(logs, "option log-health-checks\n"+checkTimes, append([]string{"global\n  max-spread-checks 200ms\n" + indent(global)}, sections...)...),
		harness.Options{Leaky: "checks may be under way"})
	for _, c := range list {
		t.Run(c.name, func(t *testing.T) {
			name, want := backendName(c.name), c.expected()
			who := "Health check for server " + name + "/s "
			line := logs.WaitFor(t, "a result for "+name, func(text string) bool { return strings.Contains(text, who) })
			outcome, state, severity := "succeeded", "1/1 UP", notice
			switch {
			case strings.Contains(want, "conditionally"):
				outcome = "conditionally succeeded"
			case !strings.Contains(want, "passed") && !strings.Contains(want, "succeeded"):
				outcome, state = "failed", "0/1 DOWN"
			}
			if got, want := body(t, line), severity+" "+who+outcome+", reason: "+want+", check duration: #ms, status: "+state+"."; got != want {
				t.Errorf("logged\n%s, want\n%s", got, want)
			}
			if outcome == "failed" {
				for _, want := range []string{
					alert + " Server " + name + "/s is DOWN. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.",
					emergency + " backend " + name + " has no server available!",
				} {
					logs.WaitFor(t, want, func(text string) bool { return body(t, text) == want })
				}
			} else if got := logs.Count("Server " + name + "/s is DOWN"); got != 0 {
				t.Errorf("the server went down all the same:\n%s", logs.Text())
			}
		})
	}
	return b
}

// Severities as they stand before a line of facility local0.
const (
	emergency = "<128>"
	alert     = "<129>"
	notice    = "<133>"
)

var checkDuration = regexp.MustCompile(`check duration: \d+ms`)

// body is a log line without its date and sender, and without the time that a check took.
func body(t *testing.T, line string) string {
	t.Helper()
	m := harness.RFC3164.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("not a syslog line: %q", line)
	}
	return "<" + m[1] + "> " + checkDuration.ReplaceAllString(m[5], "check duration: #ms")
}

// news compares the next lines of the log, in their order, with those wanted.
func news(t *testing.T, logs *harness.Receiver, wants ...string) {
	t.Helper()
	for _, want := range wants {
		got := body(t, logs.Next(t))
		for strings.Contains(got, "> Proxy ") { // haproxy tells that its proxies started
			got = body(t, logs.Next(t))
		}
		if got != want {
			t.Fatalf("logged\n%s, want\n%s", got, want)
		}
	}
}

// turns are the lines of the only server of backend pool as its checks fail and pass, with the reasons given.
func goesDown(reason string) []string {
	return []string{
		notice + " Health check for server pool/s failed, reason: " + reason + ", check duration: #ms, status: 0/1 DOWN.",
		alert + " Server pool/s is DOWN. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.",
		emergency + " backend pool has no server available!",
	}
}

func staysUp(reason string) []string {
	return []string{notice + " Health check for server pool/s succeeded, reason: " + reason + ", check duration: #ms, status: 1/1 UP."}
}

func comesUp(reason string) []string {
	return append(staysUp(reason), notice+" Server pool/s is UP. 1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.")
}

// watch starts a balancer that checks one server often, and returns its log. Only one change is under way at a time, so the
// lines come in one order.
func watch(t *testing.T, lines, server string) *harness.Receiver {
	t.Helper()
	logs := harness.ReceiveUDP(t)
	harness.Start(t, config(logs, "option log-health-checks\ntimeout check 1s\ndefault-server inter 400ms fall 1 rise 1",
		section("frontend front", "bind "+harness.Loopback(t)),
		section("backend pool", lines, "server s "+server+" check")),
		harness.Options{Leaky: "checks may be under way"})
	return logs
}

// lifecycle takes a real server through an outage of each kind: frozen, which only its protocol shows, and stopped, which its
// port shows.
func lifecycle(t *testing.T, lines string, d *harness.Daemon, passed, timeout string) {
	t.Helper()
	logs := watch(t, lines, d.Addr)
	news(t, logs, staysUp(passed)...)
	d.Freeze()
	newsAmong(t, logs, goesDown(timeout)...)
	d.Thaw()
	newsAmong(t, logs, comesUp(passed)...)
	d.Stop()
	newsAmong(t, logs, goesDown(`Layer4 connection problem, info: "Connection refused"`)...)
	d.Start()
	newsAmong(t, logs, comesUp(passed)...)
}

// newsAmong is news where a real server may fail in other ways on its way to those wanted: it resets what it was asked when it
// ends, or says that it only starts. So there may be further lines of failed checks, and the order is not looked at.
func newsAmong(t *testing.T, logs *harness.Receiver, wants ...string) {
	t.Helper()
	for missing := wants; len(missing) > 0; {
		got := body(t, logs.Next(t))
		if i := slices.Index(missing, got); i >= 0 {
			missing = slices.Delete(slices.Clone(missing), i, i+1)
		} else if !strings.HasPrefix(got, notice+" Health check for server pool/s failed, ") {
			t.Fatalf("logged\n%s, want\n%s", got, strings.Join(missing, "\n"))
		}
	}
}

// byteASecond writes a text one byte a second.
func byteASecond(text string) func(harness.Stream) {
	return func(s harness.Stream) {
		for i := range text {
			if _, err := s.Write([]byte(text[i : i+1])); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
}

// quoted is an info as the log words it.
func quoted(format string, args ...any) string { return fmt.Sprintf(`, info: "`+format+`"`, args...) }
