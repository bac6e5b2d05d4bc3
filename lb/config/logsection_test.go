package config

import (
	"strings"
	"testing"
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
