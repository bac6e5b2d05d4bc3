package lb

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
)

// fakeManager is a service manager's socket, and its variables in the environment.
func fakeManager(t *testing.T, watchdog string) (heard <-chan string) {
	t.Helper()
	name := t.TempDir() + "/notify"
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", name)
	t.Setenv("WATCHDOG_USEC", watchdog)
	t.Setenv("WATCHDOG_PID", "")
	messages := make(chan string, 1000)
	go func() {
		for buffer := make([]byte, 4096); ; {
			n, err := conn.Read(buffer)
			if err != nil {
				close(messages)
				return
			}
			messages <- string(buffer[:n])
		}
	}()
	t.Cleanup(func() { conn.Close() })
	return messages
}

// hear gives the next message.
func hear(t *testing.T, heard <-chan string) string {
	t.Helper()
	select {
	case message := <-heard:
		return message
	case <-time.After(20 * time.Second):
		t.Fatal("the service manager hears nothing")
		return ""
	}
}

// startBalancer runs a balancer of two loops until the test ends.
func startBalancer(t *testing.T) *Balancer {
	t.Helper()
	text := strings.Join(listening(freePort(t)), "\n") + "\n"
	cfg, found := config.Load([]config.File{{Name: "a.cfg", Data: []byte(text)}}, config.NewEnv(nil), config.LoadOptions{})
	if cfg == nil || failed(found) {
		t.Fatal(found)
	}
	b, err := Open(cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b
}

// The watchdog hears of a process whose loops turn, hears nothing while one of them is stuck, though everything else
// goes on, and hears again afterwards.
func TestWatchdogOfAStuckLoop(t *testing.T) {
	heard := fakeManager(t, "20000")
	b := startBalancer(t)
	s := newServiceManager(newMessages(os.Stderr))
	s.balancer = b
	s.ready()
	if got := hear(t, heard); !strings.HasPrefix(got, "READY=1\nMAINPID=") || !strings.HasSuffix(got, "\nSTATUS=Ready: 1 listener, 1 server (1 up), 0 connections") {
		t.Errorf("the first message is %q", got)
	}
	for i, l := range b.pollers {
		for range 3 {
			if got := hear(t, heard); got != "WATCHDOG=1" {
				t.Fatalf("%q", got)
			}
		}
		stuck, release := make(chan struct{}), make(chan struct{})
		o := &order{do: func() { close(stuck); <-release }}
		o.To = o
		l.Post(&o.Mail)
		<-stuck
		s.say("X_STUCK=1")
		for hear(t, heard) != "X_STUCK=1" {
		}
		late := 0 // all loops may have answered for one more before
		for deadline := time.After(300 * time.Millisecond); deadline != nil; {
			select {
			case <-heard:
				late++
			case <-deadline:
				deadline = nil
			}
		}
		if late > 1 {
			t.Errorf("loop %d is stuck, and the watchdog is told %d times that it is not", i, late)
		}
		close(release)
	}
	if got := hear(t, heard); got != "WATCHDOG=1" {
		t.Errorf("%q after the loop went on", got)
	}
}

// fakeView is a balancer whose numbers the test sets, under its own synchronisation: changes come before ticks.
type fakeView struct {
	now  summary
	done chan struct{}
}

func (f *fakeView) summary() summary      { return f.now }
func (f *fakeView) answers() bool         { return true }
func (f *fakeView) Done() <-chan struct{} { return f.done }

// The line is sent when it changed, and not when it did not.
func TestStatusLine(t *testing.T) {
	heard := fakeManager(t, "")
	ticks := make(chan time.Time)
	view := &fakeView{now: summary{listeners: 12, servers: 40, up: 38, connections: 1234}, done: make(chan struct{})}
	s := newServiceManager(newMessages(os.Stderr))
	s.balancer, s.every = view, ticks
	s.ready()
	if got := hear(t, heard); !strings.HasSuffix(got, "\nSTATUS=Ready: 12 listeners, 40 servers (38 up), 1,234 connections") {
		t.Errorf("%q", got)
	}
	ticks <- time.Time{} // nothing new
	ticks <- time.Time{} // taken when the one before was handled
	s.stopping(30 * time.Second)
	if got := hear(t, heard); got != "STOPPING=1\nSTATUS=Stopping: 1,234 connections left\nEXTEND_TIMEOUT_USEC=35000000" {
		t.Errorf("%q", got)
	}
	s.stopping(0)
	if got := hear(t, heard); got != "STOPPING=1\nSTATUS=Stopping: 1,234 connections left" {
		t.Errorf("%q", got)
	}
	close(view.done)
}

func TestCounted(t *testing.T) {
	for n, want := range map[int]string{0: "0 flows", 1: "1 flow", 999: "999 flows", 1000: "1,000 flows", 1234567: "1,234,567 flows"} {
		if got := counted(n, "flow"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
