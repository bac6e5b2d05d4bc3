package harness

import (
	"os"
	"syscall"
	"testing"
)

// Difference is a place where sluice and Debian's haproxy 2.6 are not meant to behave alike. Each one that a test takes
// into account has a name here, so that this list is complete.
type Difference string

const (
	// ExitCode: on SIGTERM and SIGINT haproxy puts the default action back and dies of the signal; sluice exits with 0.
	ExitCode Difference = "dies of SIGTERM, sluice exits with 0"
)

// rightExit tells whether a process that was sent SIGTERM ended as it should.
func rightExit(state *os.ProcessState) bool {
	if Subject.HAProxy { // ExitCode
		status, ok := state.Sys().(syscall.WaitStatus)
		return ok && status.Signaled() && status.Signal() == syscall.SIGTERM
	}
	return state.ExitCode() == 0
}

// SluiceOnly skips a test that the reference is not meant to pass.
func SluiceOnly(t testing.TB, difference Difference) {
	t.Helper()
	if Subject.HAProxy {
		t.Skipf("haproxy differs: %s", difference)
	}
}
