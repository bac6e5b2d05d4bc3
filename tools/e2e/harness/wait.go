package harness

import (
	"testing"
	"time"
)

// Eventually polls a condition until it holds, and fails the test if it never does.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	if !WaitUntil(Patience, holds) {
		t.Fatalf("never came true: %s", what)
	}
}

// WaitUntil polls a condition for at most the time given and tells whether it came true.
func WaitUntil(limit time.Duration, holds func() bool) bool {
	pause := time.Millisecond
	for deadline := time.Now().Add(limit); ; {
		if holds() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pause)
		pause = min(2*pause, 20*time.Millisecond)
	}
}

// Took fails the test unless a measured time is the configured one: not shorter (but for the grain of the clocks) and
// not much longer. The upper bound is wide because the machine has few cores and many tests.
func Took(t testing.TB, what string, got, want time.Duration) {
	t.Helper()
	if got < want-30*time.Millisecond || got > want+700*time.Millisecond {
		t.Errorf("%s took %v, want %v", what, got.Round(time.Millisecond), want)
	}
}

// TookMillis is Took for a timer of a log line, which is in milliseconds.
func TookMillis(t testing.TB, what string, got int, want time.Duration) {
	t.Helper()
	Took(t, what, time.Duration(got)*time.Millisecond, want)
}
