package e2e

import (
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// hatop from Debian shows the servers and their states, and quits when it is told to.
func TestHatop(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"hatop", "script"} {
		if _, err := exec.LookPath(program); err != nil {
			harness.Skip(t, program+" is not installed")
		}
	}
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	text, socket := withSocket(t, config(logs, "", section("listen shop", "bind "+addr,
		"server anna "+harness.Serve(t, harness.Echo).Addr, "server otto 127.0.0.1:1 disabled")))
	harness.Start(t, text)
	c := harness.DialTCP(t, addr)
	harness.Exchange(t, c, "hello")
	cmd := exec.Command("script", "-qfc", "stty cols 150 rows 40; TERM=xterm hatop -s "+socket, "/dev/null")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen := &lockedText{}
	cmd.Stdout = screen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	control := regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]`)
	shows := func() string { return control.ReplaceAllString(screen.String(), " ") }
	harness.Eventually(t, "hatop shows the proxy and its servers", func() bool {
		s := shows()
		return strings.Contains(s, "shop") && strings.Contains(s, "anna") && strings.Contains(s, "otto") && strings.Contains(s, "MAINT")
	})
	keys.Write([]byte("q"))
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("hatop: %v\n%s", err, shows())
		}
	case <-time.After(20 * time.Second):
		t.Errorf("hatop does not quit:\n%s", shows())
	}
	c.Close()
}
