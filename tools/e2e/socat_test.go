package e2e

import (
	"net"
	"os/exec"
	"syscall"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// socat runs a listening socat until the test ends. Its first argument is TCP-LISTEN:PORT and so on. By itself it would
// give the second direction only half a second after the first has ended.
func socat(t *testing.T, listen, target string) {
	t.Helper()
	cmd := exec.Command("socat", "-t30", listen, target)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its group: socat forks per connection
		cmd.Wait()
	})
	harness.Eventually(t, "socat listens", func() bool { return harness.Listening(cmd.Process.Pid, listen) })
}

// port is the port of an address.
func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
