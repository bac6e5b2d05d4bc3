package harness

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

var namespaces atomic.Int64

// Namespace makes a network namespace with its loopback up, and removes it when the test ends.
func Namespace(t testing.TB, role string) string {
	t.Helper()
	NeedRoot(t, "to make network namespaces")
	name := fmt.Sprintf("e2e-%d-%d-%s", os.Getpid(), namespaces.Add(1), role)
	if _, stderr, code := Exec(t, nil, "ip", "netns", "add", name); code != 0 {
		Skip(t, "network namespaces cannot be made here: "+strings.TrimSpace(stderr))
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "del", name).Run() })
	Run(t, "ip", "-n", name, "link", "set", "lo", "up")
	return name
}

// Cable joins two namespaces with a veth pair. Each end is named and gets its address, like 10.1.0.1/24.
func Cable(t testing.TB, one, oneName, oneAddress, two, twoName, twoAddress string) {
	t.Helper()
	Run(t, "ip", "link", "add", oneName, "netns", one, "type", "veth", "peer", "name", twoName, "netns", two)
	Run(t, "ip", "-n", one, "address", "add", oneAddress, "dev", oneName)
	Run(t, "ip", "-n", two, "address", "add", twoAddress, "dev", twoName)
	Run(t, "ip", "-n", one, "link", "set", oneName, "up")
	Run(t, "ip", "-n", two, "link", "set", twoName, "up")
}

// Inside is what stands before a command to run it in a namespace.
func Inside(namespace string) []string { return []string{"ip", "netns", "exec", namespace} }

// Background runs a program until the test ends and returns its process id. Its children end with it.
func Background(t testing.TB, command ...string) int {
	t.Helper()
	pid, stop := begin(t, command)
	t.Cleanup(stop)
	return pid
}

// Flood runs a program until stop is called, and no longer than the test. Its children end with it.
func Flood(t testing.TB, command ...string) (stop func()) {
	t.Helper()
	_, stop = begin(t, command)
	stop = sync.OnceFunc(stop)
	t.Cleanup(stop)
	return stop
}

func begin(t testing.TB, command []string) (pid int, stop func()) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	}
}
