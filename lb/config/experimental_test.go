package config

import (
	"strings"
	"testing"
)

// Experimental keywords are refused unless they are asked for above, and the one that strands flows is never quiet.
func TestExperimental(t *testing.T) {
	const expose, refusal = "expose-experimental-directives", "needs 'expose-experimental-directives' above it"
	for _, test := range []struct {
		lines   string
		accept  bool
		told    string // part of the only complaint; empty: none
		recheck bool
	}{
		{"tune.queue-recheck off", false, "'tune.queue-recheck' is experimental, and " + refusal, true},
		{"tune.queue-recheck on", false, refusal, true},
		{"tune.queue-recheck off\n" + expose, false, refusal, true},
		{"tune.queue-yield 10", false, refusal, true},
		{expose + "\ntune.queue-recheck on", true, "", true},
		{expose + "\ntune.queue-recheck off", true, "FLOWS WILL BE STRANDED", false},
		{expose + "\nno " + expose + "\ntune.queue-recheck off", false, "", true},
		{expose + "\ntune.queue-recheck of", false, "expects one of 'on', 'off', not 'of'", true},
		{expose + "\ntune.queue-yield 10", true, "", true},
		{expose, true, "", true},
	} {
		c, diagnostics := load("experimental", "global\n"+test.lines+"\n")
		if (c != nil) != test.accept {
			t.Errorf("%q: accepted %v:\n%s", test.lines, c != nil, complaints(diagnostics))
		}
		if test.told != "" && (len(diagnostics) != 1 || !strings.Contains(diagnostics[0].Text, test.told)) || test.accept && test.told == "" && len(diagnostics) > 0 {
			t.Errorf("%q: want %q, got:\n%s", test.lines, test.told, complaints(diagnostics))
		}
		if c != nil && c.Global.Tune.NoQueueRecheck == test.recheck {
			t.Errorf("%q: recheck %v", test.lines, !test.recheck)
		}
	}
}
