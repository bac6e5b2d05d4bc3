package e2e

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// SIGUSR1: nothing new is accepted, what is there goes on, and the process ends with its last flow.
func TestSoftStop(t *testing.T) {
	t.Parallel()
	logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
	b := harness.Start(t, config(logs, "", section("listen front", "bind "+addr, "server origin "+origin.Addr)))
	one, two := harness.DialTCP(t, addr), harness.DialTCP(t, addr)
	exchange(t, one)
	exchange(t, two)
	b.Signal(syscall.SIGUSR1)
	harness.Eventually(t, "it listens no more", func() bool { return !b.Listens(addr) })
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("a connection is accepted after the soft stop")
	}
	exchange(t, one)
	exchange(t, two)
	b.AssertIdle("draining")
	one.Close()
	time.Sleep(100 * time.Millisecond) // time enough to end too early
	exchange(t, two)
	if b.Exited() {
		t.Fatal("it ended with a flow left")
	}
	two.Close()
	if code := b.WaitExit(); code != 0 {
		t.Errorf("ended with code %d, want 0", code)
	}
	harness.Eventually(t, "both flows are logged", func() bool { return logs.Count(" -- ") == 2 })
}

// Without flows the soft stop ends at once.
func TestSoftStopIdle(t *testing.T) {
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	b := harness.Start(t, config(logs, "", section("listen front", "bind "+addr, "server origin "+harness.Refused(t))))
	start := time.Now()
	b.Signal(syscall.SIGUSR1)
	if code := b.WaitExit(); code != 0 {
		t.Errorf("ended with code %d, want 0", code)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}

// hard-stop-after limits the soft stop.
func TestHardStopAfter(t *testing.T) {
	t.Parallel()
	logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
	b := harness.Start(t, "global\n  hard-stop-after 1200ms\n"+
		config(logs, "", section("listen front", "bind "+addr, "server origin "+origin.Addr)))
	client := harness.DialTCP(t, addr)
	exchange(t, client)
	start := time.Now()
	b.Signal(syscall.SIGUSR1)
	time.Sleep(500 * time.Millisecond) // not yet over
	exchange(t, client)
	harness.AwaitEnd(t, client)
	harness.Took(t, "the hard stop", time.Since(start), 1200*time.Millisecond)
	if code := b.WaitExit(); code != 0 {
		t.Errorf("ended with code %d, want 0", code)
	}
}

// SIGTERM and SIGINT end everything at once.
func TestHardStop(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
			b := harness.Start(t, config(logs, "", section("listen front", "bind "+addr, "server origin "+origin.Addr)))
			client := harness.DialTCP(t, addr)
			exchange(t, client)
			start := time.Now()
			b.Signal(sig)
			if code := b.WaitExit(); code != 0 && !harness.Differs(harness.ExitCode) {
				t.Errorf("ended with code %d, want 0", code)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v", took)
			}
			harness.AwaitEnd(t, client)
		})
	}
}
