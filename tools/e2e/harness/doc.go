// Package harness runs a balancer the way its users run it: a real process with a real configuration file, real origins
// behind it and real clients in front, and looks at it from outside only (its sockets, its logs, /proc).
//
// Start writes the configuration, starts the program in the foreground and returns once every address that the
// configuration binds is listening. No probe connection is made, so the first flow that a test sees is its own. When the
// test ends the program is told to stop by its process id, and the test fails if it does not exit with code 0, if it
// printed a panic or a data race, or if it still held sockets that it did not hold before the first flow.
//
// The program is the one named by E2E_BALANCER; without it sluice is built from this module once per run, with the
// race detector if E2E_RACE=1. E2E_BALANCER=haproxy runs the same tests against Debian's haproxy: that is how a test
// is shown to be right. What differs on purpose is listed in differences.go and nowhere else.
//
// Run it with -count=1: the go command's cache of test results knows nothing of the program under test.
//
// Nothing waits blindly: every wait polls a condition and has a deadline.
package harness
