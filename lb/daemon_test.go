package lb

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// freePort finds a port on the loopback address that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// listening is a configuration that listens on a port of the loopback address.
func listening(port int, global ...string) []string {
	lines := append([]string{"global", " maxconn 100", " nbthread 2"}, global...)
	return append(lines, "listen a", " mode tcp", fmt.Sprintf(" bind 127.0.0.1:%d", port),
		" retries 0", " timeout client 9s", " timeout server 9s", " timeout connect 9s", " server s 127.0.0.1:1")
}

// readPID reads a pid file, and makes sure that the process ends with the test.
func readPID(t *testing.T, path string) int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSuffix(string(data), "\n"))
	if err != nil || pid < 2 {
		t.Fatalf("pid file %q", data)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	return pid
}

// waitGone waits until a process that is no child of this one has ended; a zombie has.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Errorf("process %d goes on", pid)
}

// When the first process ends with 0, the port is open, the pid file names the process behind it, that one leads a
// session of its own, and nothing ties it to the terminal.
func TestDaemon(t *testing.T) {
	for _, test := range []struct {
		name     string
		global   []string
		flags    []string
		warnings bool
	}{
		{name: "flag", flags: []string{"-D"}},
		{name: "keyword", global: []string{" daemon"}},
		{name: "keyword, with a warning that is said once", global: []string{" daemon", " tune.h2.max-concurrent-streams 5"}, warnings: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			port := freePort(t)
			file := writeFile(t, "daemon.cfg", listening(port, test.global...)...)
			pidFile := t.TempDir() + "/pid"
			os.WriteFile(pidFile, []byte("longer than any pid, from an earlier run\n"), 0o600)
			command := program(t, append(test.flags, "-f", file, "-p", pidFile)...)
			var stderr bytes.Buffer
			command.Stderr = &stderr
			if err := command.Run(); err != nil {
				t.Fatalf("%v: %s", err, stderr.String())
			}
			connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				t.Fatal(err)
			}
			connection.Close()
			pid := readPID(t, pidFile)
			if pid == command.Process.Pid {
				t.Error("the pid file names the first process")
			}
			if session, _, errno := syscall.Syscall(syscall.SYS_GETSID, uintptr(pid), 0, 0); errno != 0 || int(session) != pid {
				t.Errorf("process %d is in session %d, %v", pid, session, errno)
			}
			for stream := range 3 {
				if target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, stream)); target != os.DevNull {
					t.Errorf("standard stream %d is %s, %v", stream, target, err)
				}
			}
			if n := strings.Count(stderr.String(), "[WARNING]"); (n == 1) != test.warnings || n > 1 {
				t.Errorf("%d warnings: %s", n, stderr.String())
			}
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			waitGone(t, pid)
		})
	}
}

// A child that cannot start has its complaints shown, and the first process ends as it did.
func TestDaemonFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	pidFile := t.TempDir() + "/pid"
	for _, arguments := range [][]string{
		{"-D", "-f", writeFile(t, "a.cfg", listening(port)...)},
		{"-f", writeFile(t, "b.cfg", listening(port, " daemon")...)},
	} {
		out, err := program(t, append(arguments, "-p", pidFile)...).CombinedOutput()
		exit, ended := err.(*exec.ExitError)
		if !ended || exit.ExitCode() != 1 || !strings.Contains(string(out), "[ALERT]") || !strings.Contains(string(out), "address already in use") {
			t.Errorf("%v: %v, said %s", arguments, err, out)
		}
		if _, err := os.Stat(pidFile); err == nil {
			t.Errorf("%v: there is a pid file", arguments)
		}
	}
}

// In the foreground the process writes its pid with -p, obeys signals, and ends with 0.
func TestForeground(t *testing.T) {
	for _, stop := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1} {
		port := freePort(t)
		pidFile := t.TempDir() + "/pid"
		command := program(t, "-D", "-db", "-f", writeFile(t, "a.cfg", listening(port, " daemon", " pidfile /nonexistent/pid")...), "-p", pidFile)
		var stderr bytes.Buffer
		command.Stderr = &stderr
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { command.Process.Kill() })
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if data, _ := os.ReadFile(pidFile); strings.HasSuffix(string(data), "\n") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("no pid file; it said %s", stderr.String())
			}
		}
		if pid := readPID(t, pidFile); pid != command.Process.Pid {
			t.Errorf("pid file has %d, the process is %d", pid, command.Process.Pid)
		}
		for _, harmless := range []syscall.Signal{syscall.SIGPIPE, syscall.SIGTTOU, syscall.SIGTTIN, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGQUIT} {
			command.Process.Signal(harmless)
		}
		connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		connection.Close()
		command.Process.Signal(stop)
		if err := command.Wait(); err != nil {
			t.Errorf("%v: %v, said %s", stop, err, stderr.String())
		}
	}
}

func TestPIDFileThatCannotBe(t *testing.T) {
	out, err := program(t, "-f", writeFile(t, "a.cfg", listening(freePort(t))...), "-p", "/nonexistent/pid").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "cannot create pidfile /nonexistent/pid: no such file or directory") {
		t.Errorf("%v, said %s", err, out)
	}
}
