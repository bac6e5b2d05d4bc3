package harness

import (
	"os"
	"testing"
)

// Skip skips the test, but fails it where CI runs as root: there everything must have been installed and allowed.
func Skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
		t.Fatalf("would be skipped, which CI as root does not accept: %s", reason)
	}
	t.Skip(reason)
}

// NeedRoot skips the test for ordinary users.
func NeedRoot(t testing.TB, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		Skip(t, "needs root: "+why)
	}
}
