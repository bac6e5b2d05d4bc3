package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// Timeouts of what comes before the first byte: connect, queue, the PROXY header.

func TestConnectTimeout(t *testing.T) {
	t.Parallel()
	logs := harness.ReceiveUDP(t)
	addr, hole := harness.Loopback(t), harness.Blackhole(t)
	b := harness.Start(t, config(logs, "timeout connect 1200ms\nretries 0",
		section("frontend front", "bind "+addr, "default_backend pool"),
		section("backend pool", "server hole "+hole)))
	start := time.Now()
	client := harness.DialTCP(t, addr)
	harness.Say(t, client, "hello")
	b.AssertIdle("waiting for a connect")
	harness.AwaitEnd(t, client)
	harness.Took(t, "the connect", time.Since(start), 1200*time.Millisecond)
	flow := logs.Flow(t)
	if flow.State != "sC" || flow.Tc != -1 || flow.Bytes != 0 || flow.Retries != 0 || flow.Backend != "pool" || flow.Server != "hole" {
		t.Errorf("%+v, want sC with Tc -1 at pool/hole", flow)
	}
	harness.TookMillis(t, "Tt", flow.Tt, 1200*time.Millisecond)
}

func TestConnectTimeoutRetries(t *testing.T) {
	t.Parallel()
	logs := harness.ReceiveUDP(t)
	addr, hole := harness.Loopback(t), harness.Blackhole(t)
	harness.Start(t, config(logs, "timeout connect 300ms\nretries 2",
		section("listen front", "bind "+addr, "server hole "+hole)))
	start := time.Now()
	harness.AwaitEnd(t, harness.DialTCP(t, addr))
	harness.Took(t, "three attempts", time.Since(start), 900*time.Millisecond)
	if flow := logs.Flow(t); flow.State != "sC" || flow.Retries != 2 || flow.Redispatch {
		t.Errorf("%+v, want sC after 2 retries", flow)
	}
}

func TestQueueTimeout(t *testing.T) {
	t.Parallel()
	logs := harness.ReceiveUDP(t)
	origin, addr := harness.Serve(t, harness.Echo), harness.Loopback(t)
	b := harness.Start(t, config(logs, "timeout queue 1200ms",
		section("listen front", "bind "+addr, "server origin "+origin.Addr+" maxconn 1")))
	first := harness.DialTCP(t, addr)
	exchange(t, first)
	start := time.Now()
	second := harness.DialTCP(t, addr)
	harness.Say(t, second, "hello")
	b.AssertIdle("waiting in a queue")
	harness.AwaitEnd(t, second)
	harness.Took(t, "the queue", time.Since(start), 1200*time.Millisecond)
	flow := logs.Flow(t)
	if flow.State != "sQ" || flow.Tc != -1 || flow.Bytes != 0 || flow.Server != "<NOSRV>" {
		t.Errorf("%+v, want sQ with Tc -1 and no server", flow)
	}
	harness.TookMillis(t, "Tt", flow.Tt, 1200*time.Millisecond)
	exchange(t, first) // whoever has the server keeps it
}

// Without 'timeout queue' the connect timeout is the limit.
func TestQueueTimeoutIsConnectTimeout(t *testing.T) {
	t.Parallel()
	logs := harness.ReceiveUDP(t)
	origin, addr := harness.Serve(t, harness.Echo), harness.Loopback(t)
	harness.Start(t, config(logs, "timeout connect 400ms",
		section("listen front", "bind "+addr, "server origin "+origin.Addr+" maxconn 1")))
	exchange(t, harness.DialTCP(t, addr))
	start := time.Now()
	harness.AwaitEnd(t, harness.DialTCP(t, addr))
	harness.Took(t, "the queue", time.Since(start), 400*time.Millisecond)
	if flow := logs.Flow(t); flow.State != "sQ" {
		t.Errorf("%+v, want sQ", flow)
	}
}

// Who leaves while waiting is logged as such, and its place is not counted any more.
func TestClientLeavesQueue(t *testing.T) {
	t.Parallel()
	logs := harness.ReceiveUDP(t)
	origin, addr := harness.Serve(t, harness.Echo), harness.Loopback(t)
	harness.Start(t, config(logs, "timeout queue 20s\noption abortonclose",
		section("listen front", "bind "+addr, "server origin "+origin.Addr+" maxconn 1")))
	first := harness.DialTCP(t, addr)
	exchange(t, first)
	second := harness.DialTCP(t, addr)
	harness.Say(t, second, "hello")
	time.Sleep(200 * time.Millisecond) // nothing outside shows that it is queued now
	second.Close()
	flow := logs.Flow(t)
	if flow.State != "CQ" || flow.Tw < 170 || flow.Tw > 900 || flow.Tc != -1 || flow.SrvQueue != 0 || flow.BackQueue != 1 {
		t.Errorf("%+v, want CQ with the time waited as Tw, and Tc -1", flow)
	}
	first.Close()
	logs.Flow(t)
	third := harness.DialTCP(t, addr)
	exchange(t, third)
	third.Close()
	if flow := logs.Flow(t); flow.Tw > 500 || flow.State != "--" {
		t.Errorf("%+v, want an ordinary flow", flow)
	}
}

// A client that leaves during the connect: with abortonclose the connect is given up.
func TestClientLeavesDuringConnect(t *testing.T) {
	t.Parallel()
	logs := harness.ReceiveUDP(t)
	addr, hole := harness.Loopback(t), harness.Blackhole(t)
	harness.Start(t, config(logs, "timeout connect 20s\noption abortonclose",
		section("listen front", "bind "+addr, "server hole "+hole)))
	client := harness.DialTCP(t, addr)
	harness.Say(t, client, "hello")
	time.Sleep(200 * time.Millisecond) // nothing outside shows that the connect is under way now
	client.Close()
	if flow := logs.Flow(t); flow.State != "CC" || flow.Tc != -1 || flow.Tt > 2000 {
		t.Errorf("%+v, want CC with Tc -1", flow)
	}
}

// A PROXY header that is expected and does not come is waited for as long as the client may be silent. A piece of one may
// be refused at once, because a sender must write it at once; it must not be waited for any longer.
func TestProxyHeaderLate(t *testing.T) {
	t.Parallel()
	for _, piece := range []string{"", "P", "PROXY TCP4 127", "\r\n\r\n\x00\r\nQUIT\n\x21\x11"} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			logs := harness.ReceiveUDP(t)
			origin, addr := harness.Serve(t, harness.Echo), harness.Loopback(t)
			harness.Start(t, config(logs, "timeout client 500ms",
				section("listen front", "bind "+addr+" accept-proxy", "server origin "+origin.Addr)))
			start := time.Now()
			client := harness.DialTCP(t, addr)
			harness.Say(t, client, piece)
			harness.AwaitEnd(t, client)
			if took := time.Since(start); piece == "" || took > 500*time.Millisecond {
				harness.Took(t, "the header", took, 500*time.Millisecond)
			}
			if line := logs.Next(t); !strings.Contains(line, "PROXY protocol header") {
				t.Errorf("logged %q, want a line about the PROXY header", line)
			}
			if origin.Accepted.Load() != 0 {
				t.Error("the server was connected to")
			}
		})
	}
}
