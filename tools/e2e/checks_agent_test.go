package e2e

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// agent is an agent whose word can be changed. It answers what it is asked with a word of its own.
type agent struct {
	*harness.Origin
	word  atomic.Pointer[string]
	asked atomic.Pointer[string]
}

func startAgent(t *testing.T, word string) *agent {
	t.Helper()
	a := &agent{}
	a.say(word)
	a.Origin = harness.Serve(t, func(s harness.Stream) {
		question := make([]byte, 100)
		n, _ := s.Read(question)
		text := string(question[:n])
		a.asked.Store(&text)
		io.WriteString(s, *a.word.Load())
	})
	return a
}

func (a *agent) say(word string) { a.word.Store(&word) }

// A server whose agent uses all of its words, one after the other.
func TestAgentCheck(t *testing.T) {
	t.Parallel()
	a := startAgent(t, "75%\n")
	logs := harness.ReceiveUDP(t)
	harness.Start(t, config(logs, "option log-health-checks\ntimeout check 2s\ndefault-server inter 2s fall 1 rise 1 agent-inter 200ms",
		section("frontend front", "bind "+harness.Loopback(t)),
		section("backend pool", "server s "+harness.Serve(t, harness.Hold).Addr+" check weight 100 agent-check agent-port "+port(a.Addr)+` agent-send "pool/s\n"`)),
		harness.Options{Leaky: "checks may be under way"})
	const (
		succeeded = notice + " Agent check for server pool/s succeeded, reason: Layer7 check passed, code: 0, info: \"via agent : %s\", check duration: #ms, status: 1/1 UP."
		failed    = notice + " Agent check for server pool/s failed, reason: Layer7 wrong status, code: 0, info: \"via agent : %s\", check duration: #ms, status: 0/1 DOWN."
		down      = alert + " Server pool/s is DOWN. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue."
		up        = notice + " Server pool/s is UP. 1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue."
		none      = emergency + " backend pool has no server available!"
	)
	end := ""
	if harness.Differs(harness.AgentLines) {
		end = "\n"
	}
	news(t, logs, staysUp("Layer4 check passed")...)
	for _, step := range []struct {
		word  string
		wants []string
	}{
		{"up 50%\n", []string{fmt.Sprintf(succeeded, "up")}},
		{"down # no power\n", []string{fmt.Sprintf(failed, "down (no power)"), down, none}},
		{"up\n", []string{fmt.Sprintf(succeeded, "up"), up}},
		{"fail, 50%\n", []string{fmt.Sprintf(failed, "fail"), down, none}},
		{"up ready\n", []string{fmt.Sprintf(succeeded, "up"), up}},
		{"stopped\t# for lunch" + end, []string{fmt.Sprintf(failed, "stopped (for lunch)"), down, none}},
		{"up\n", []string{fmt.Sprintf(succeeded, "up"), up}},
		{"down # " + strings.Repeat("x", 5000) + "\n", []string{fmt.Sprintf(failed, "down ("+strings.Repeat("x", 109)), down, none}}, // 127 bytes
		{"up\n", []string{fmt.Sprintf(succeeded, "up"), up}},
		{"drain up\r\n", []string{
			notice + " Server pool/s enters drain state. 0 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.", none}},
		{"ready\n", []string{notice + " Server pool/s is UP (leaving forced drain)."}},
		{"maint\n", []string{
			alert + " Server pool/s is going DOWN for maintenance. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.", none}},
		{"ready maxconn:5\n", []string{notice + " Server pool/s is UP/READY (leaving forced maintenance)."}},
	} {
		a.say(step.word)
		news(t, logs, step.wants...)
	}
	if got := *a.asked.Load(); got != "pool/s\n" {
		t.Errorf("the agent was asked %q", got)
	}
}

// A program decides, of which the manual promises the arguments and the environment.
func TestExternalCheck(t *testing.T) {
	t.Parallel()
	dir, addr := harness.ShortDir(t), harness.Serve(t, harness.Name("well")).Addr
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		harness.WriteFile(t, path, "#!/bin/sh\n"+text)
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
		return "option external-check\nexternal-check path /usr/bin:/bin\nexternal-check command " + path
	}
	asks := write("asks", fmt.Sprintf(`[ "$3:$4" = %q ] || exit 3
[ "$HAPROXY_SERVER_ADDR:$HAPROXY_SERVER_PORT" = "$3:$4" ] || exit 4
[ "$HAPROXY_PROXY_NAME/$HAPROXY_SERVER_NAME" = asks/s ] || exit 5
[ "$PATH" = /usr/bin:/bin ] || exit 6
[ "$(socat -u TCP:$3:$4 STDOUT)" = well ] || exit 7
`, addr))
	judge(t, "external-check\ninsecure-fork-wanted", []healthCheck{
		{name: "asks", lines: asks, server: addr, want: "External check passed, code: 0"},
		{name: "refuses", lines: write("refuses", "exit 42\n"), server: addr, want: "External check error, code: 42"},
		{name: "does not end", lines: impatient + write("sleeps", "exec sleep 20\n"), server: addr, want: "External check timeout, code: 0"},
		{name: "dies", lines: write("dies", "kill -9 $$\n"), server: addr, want: "External check error, code: 137" + quoted("killed by signal 9"),
			differs: harness.ExternalReasons, reference: "External check error, code: -1"},
		{name: "is not there", lines: "option external-check\nexternal-check command " + dir + "/nothing", server: addr,
			want:    "External check error, code: 255" + quoted("cannot run '%s/nothing': No such file or directory", dir),
			differs: harness.ExternalReasons, reference: "External check error, code: 255"},
	})
}
