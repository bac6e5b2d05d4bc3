package systemd

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// manager is a socket as the service manager has it.
func manager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func next(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	buffer := make([]byte, 4096)
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, err := conn.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n])
}

func TestMessages(t *testing.T) {
	for _, name := range []string{t.TempDir() + "/notify", fmt.Sprintf("@sluice-test-%d", os.Getpid())} {
		conn := manager(t, name)
		t.Setenv("NOTIFY_SOCKET", name)
		t.Setenv("WATCHDOG_USEC", "3000000")
		t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
		n, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		if n.WatchdogTime() != 3*time.Second {
			t.Errorf("watchdog time %v", n.WatchdogTime())
		}
		for _, variable := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
			if value, found := os.LookupEnv(variable); found {
				t.Errorf("%s=%s is left for children", variable, value)
			}
		}
		if err := n.Send(Ready, MainPID(7), Status("Ready: %d\nlisteners", 3), ExtendTimeout(2*time.Second)); err != nil {
			t.Fatal(err)
		}
		if got, want := next(t, conn), "READY=1\nMAINPID=7\nSTATUS=Ready: 3 listeners\nEXTEND_TIMEOUT_USEC=2000000"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A manager that made its socket anew hears the next message.
func TestManagerThatComesBack(t *testing.T) {
	name := t.TempDir() + "/notify"
	conn := manager(t, name)
	t.Setenv("NOTIFY_SOCKET", name)
	n, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := n.Send(Watchdog); err == nil {
		t.Error("no error while nobody listens")
	}
	os.Remove(name)
	conn = manager(t, name)
	if err := n.Send(Watchdog); err != nil {
		t.Fatal(err)
	}
	if got := next(t, conn); got != "WATCHDOG=1" {
		t.Errorf("%q", got)
	}
}

// A manager that does not read holds a message up for a bounded time.
func TestManagerThatDoesNotRead(t *testing.T) {
	name := t.TempDir() + "/notify"
	manager(t, name)
	t.Setenv("NOTIFY_SOCKET", name)
	n, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	for range 100_000 { // the kernel keeps some (net.unix.max_dgram_qlen)
		if err = n.Send(Watchdog); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("error %v, want a timeout", err)
	}
}

func TestWithoutManager(t *testing.T) {
	for _, test := range []struct{ socket, usec, pid, failure string }{
		{"", "", "", ""},
		{"", "5000000", "", ""}, // nobody to tell
		{"relative", "", "", "neither a path"},
		{"/nonexistent/notify", "", "", "no such file"},
		{t.TempDir() + "/notify", "soon", "", "WATCHDOG_USEC"},
	} {
		t.Setenv("NOTIFY_SOCKET", test.socket)
		t.Setenv("WATCHDOG_USEC", test.usec)
		t.Setenv("WATCHDOG_PID", test.pid)
		n, err := Open()
		if n != nil || (err == nil) != (test.failure == "") || err != nil && !strings.Contains(err.Error(), test.failure) {
			t.Errorf("%+v: %v, %v", test, n, err)
		}
		if n.WatchdogTime() != 0 || n.Send(Ready) != nil {
			t.Error("nil does something")
		}
	}
}

// The watchdog is meant for one process: a child that got the variables must not answer for it.
func TestWatchdogOfAnother(t *testing.T) {
	name := t.TempDir() + "/notify"
	manager(t, name)
	t.Setenv("NOTIFY_SOCKET", name)
	t.Setenv("WATCHDOG_USEC", "3000000")
	t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getppid()))
	n, err := Open()
	if err != nil || n == nil {
		t.Fatal(n, err)
	}
	if n.WatchdogTime() != 0 {
		t.Errorf("watchdog time %v", n.WatchdogTime())
	}
}
