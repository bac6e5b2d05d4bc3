package config

import (
	"strings"
	"testing"
	"time"
)

// TestLogSections: what HAProxy has for logs and sluice has not is refused once, with what to use, and its lines are skipped.
func TestLogSections(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"log-forward f\n dgram-bind :514\n log 10.0.0.1 local0\n", "section 'log-forward' is about receiving other programs' logs"},
		{"log-profile p\n log-tag x\n on any format \"%ci\"\n", "section 'log-profile' is not supported by sluice: use 'log-format', 'error-log-format' or 'log-format-json'"},
	} {
		cfg, diagnostics := load("logs", "defaults\n timeout client 1s\n"+c.text)
		if cfg != nil || len(diagnostics) != 1 || diagnostics[0].Pos.Line != 3 || !strings.HasPrefix(diagnostics[0].Text, c.want) {
			t.Errorf("%q:\n%s", c.text, complaints(diagnostics))
		}
	}
}

// TestRings: what a ring says, and what log lines that name it become.
func TestRings(t *testing.T) {
	c, diagnostics := load("rings", `
global
 log ring@events len 2000 format iso local0
 log ring@plain local1
defaults
 log global
 timeout client 1s
frontend f
 bind :1
ring events
 format raw
 maxlen 70000
 size 64k
 timeout connect 3s
 timeout server 4
 server a 10.0.0.14:6514 log-proto octet-count
 server b [2001:db8::1]:514
 server c /run/log.sock
ring plain
`)
	want := `rings:3: warning: 'log' has the format 'iso', but that of ring 'events' counts: 'raw'
rings:8: notice: frontend 'f' has no backend: it closes what it accepts
rings:10: warning: ring 'events' : 'maxlen' 70000 does not fit into the size, and counts as 65535
`
	if got := complaints(diagnostics); got != want || c == nil {
		t.Fatalf("got\n%swant\n%s", got, want)
	}
	logs := proxyNamed(t, c, "f").Logs
	if len(logs) != 2 || logs[0].Network != "ring" || logs[0].Address != "events" || logs[0].Format != "raw" || logs[0].Length != 2000 || logs[1].Format != "local" {
		t.Errorf("targets: %+v", logs)
	}
	r := c.Rings[0]
	if r.Size != 65536 || r.MaxLen != 0 || r.TimeoutConnect != 3*time.Second || r.TimeoutServer != 4*time.Millisecond || len(r.Servers) != 3 ||
		!r.Servers[0].OctetCount || r.Servers[1].OctetCount || r.Servers[2].Address.Path != "/run/log.sock" {
		t.Errorf("ring: %+v", r)
	}
	if r := c.Rings[1]; r.Size != 16384 || r.Name != "plain" || r.Description != "" {
		t.Errorf("ring: %+v", r)
	}
	roundTrip(t, c)
	if _, diagnostics := load("doubled", "ring a\nring a\nring\n"); len(diagnostics) != 2 {
		t.Errorf("rings of one name:\n%s", complaints(diagnostics))
	}
}
