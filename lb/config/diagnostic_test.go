package config

import "testing"

// The shapes are those of "haproxy -dD -c", but for the space before the second colon, which it leaves out at times.
func TestDiagnosticFormat(t *testing.T) {
	tests := []struct {
		diagnostic Diagnostic
		want       string
	}{
		{Diagnostic{Alert, Pos{"/etc/a.cfg", 12}, "unknown keyword 'x'"}, "[ALERT]    (4711) : config : parsing [/etc/a.cfg:12] : unknown keyword 'x'"},
		{Diagnostic{Warning, Pos{"a.cfg", 1}, "w"}, "[WARNING]  (4711) : config : parsing [a.cfg:1] : w"},
		{Diagnostic{Notice, Pos{"a.cfg", 1}, "n"}, "[NOTICE]   (4711) : config : parsing [a.cfg:1] : n"},
		{Diagnostic{Diag, Pos{"a.cfg", 1}, "d"}, "[DIAG]     (4711) : config : parsing [a.cfg:1] : d"},
		{Diagnostic{Alert, Pos{}, "Fatal errors found in configuration."}, "[ALERT]    (4711) : config : Fatal errors found in configuration."},
	}
	for _, test := range tests {
		if got := test.diagnostic.Format(4711); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
	if got := Severity(9).String(); got != "Severity(9)" {
		t.Errorf("got %s", got)
	}
}
