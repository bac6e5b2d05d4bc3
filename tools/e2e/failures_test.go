package e2e

import (
	"io"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// A server that refuses is tried again after a second at a time, then given up.
func TestRefused(t *testing.T) {
	t.Parallel()
	logs := harness.ReceiveUDP(t)
	addr := harness.Loopback(t)
	b := harness.Start(t, config(logs, "retries 1",
		section("listen front", "bind "+addr, "server gone "+harness.Refused(t))))
	start := time.Now()
	harness.AwaitEnd(t, harness.DialTCP(t, addr))
	took := time.Since(start)
	if took < 900*time.Millisecond || took > 2*time.Second {
		t.Errorf("one retry took %v, want the second that the manual gives a server to come back", took)
	}
	flow := logs.Flow(t)
	if flow.State != "SC" || flow.Tc != -1 || flow.Retries != 1 || flow.Redispatch || flow.Server != "gone" {
		t.Errorf("%+v, want SC with Tc -1 and one retry", flow)
	}
	b.AssertIdle("after a refused connection")
}

func TestRefusedWithoutRetries(t *testing.T) {
	t.Parallel()
	logs := harness.ReceiveUDP(t)
	addr := harness.Loopback(t)
	harness.Start(t, config(logs, "retries 0",
		section("listen front", "bind "+addr, "server gone "+harness.Refused(t))))
	start := time.Now()
	harness.AwaitEnd(t, harness.DialTCP(t, addr))
	if took := time.Since(start); took > 700*time.Millisecond {
		t.Errorf("no retry took %v", took)
	}
	if flow := logs.Flow(t); flow.State != "SC" || flow.Retries != 0 {
		t.Errorf("%+v, want SC without retries", flow)
	}
}

// With redispatch a retry goes to another server, and the log marks that with '+'. An algorithm that is not bound to a
// server by a key moves on at the first retry and without delay, whatever the interval.
func TestRedispatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		balance, defaults string
		retries           int
		delay             time.Duration
	}{
		{"roundrobin", "retries 1\noption redispatch", 1, 0},
		{"roundrobin", "retries 3\noption redispatch 1", 1, 0},
		{"roundrobin", "retries 3\noption redispatch 3", 1, 0},
		{"leastconn", "retries 2\noption redispatch", 1, 0},
		{"leastconn", "retries 3\noption redispatch 1", 1, 0},
	} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			logs := harness.ReceiveUDP(t)
			origin, addr := harness.Serve(t, harness.Echo), harness.Loopback(t)
			harness.Start(t, config(logs, c.defaults,
				section("listen front", "bind "+addr, "balance "+c.balance,
					"server gone "+harness.Refused(t), "server origin "+origin.Addr)))
			start := time.Now()
			client := harness.DialTCP(t, addr)
			exchange(t, client)
			harness.Took(t, "the detour", time.Since(start), c.delay)
			client.Close()
			flow := logs.Flow(t)
			if !flow.Redispatch || flow.Retries != c.retries || flow.Server != "origin" || flow.State != "--" {
				t.Errorf("%s, %q: %+v, want a redispatch after %d", c.balance, c.defaults, flow, c.retries)
			}
		})
	}
}

// What a server can do to a flow once it has it, and what a client can.
func TestAbruptEnds(t *testing.T) {
	word := func(s harness.Stream) { io.ReadFull(s, make([]byte, 5)) }
	for _, c := range []struct {
		name   string
		origin func(harness.Stream)
		client func(*testing.T, harness.Stream) // nil: says hello and waits for the end
		state  string
		bytes  int64
	}{
		{name: "server drops at once", origin: func(harness.Stream) {}, state: "--",
			client: func(t *testing.T, s harness.Stream) { harness.AwaitEnd(t, s); s.Close() }},
		{name: "server drops without an answer", origin: word, state: "--"},
		{name: "server resets without an answer", origin: func(s harness.Stream) { word(s); harness.Reset(s) }, state: "SD"},
		{name: "server resets in mid-flow", origin: func(s harness.Stream) {
			word(s)
			s.Write([]byte("world"))
			time.Sleep(50 * time.Millisecond)
			harness.Reset(s)
		},
			state: "SD", bytes: 5},
		{name: "client resets in mid-flow", client: func(t *testing.T, s harness.Stream) { exchange(t, s); harness.Reset(s) }, state: "CD", bytes: 5},
		{name: "client closes", client: func(t *testing.T, s harness.Stream) { exchange(t, s); s.Close() }, state: "--", bytes: 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.origin == nil {
				c.origin = harness.Echo
			}
			logs := harness.ReceiveUDP(t)
			origin, addr := harness.Serve(t, c.origin), harness.Loopback(t)
			b := harness.Start(t, config(logs, "",
				section("listen front", "bind "+addr, "server origin "+origin.Addr)))
			client := harness.DialTCP(t, addr)
			if c.client != nil {
				c.client(t, client)
			} else {
				harness.Say(t, client, "hello")
				harness.AwaitEnd(t, client)
				client.Close()
			}
			flow := logs.Flow(t)
			if flow.State != c.state || flow.Bytes != c.bytes {
				t.Errorf("state %s with %d bytes, want %s with %d", flow.State, flow.Bytes, c.state, c.bytes)
			}
			harness.Eventually(t, "the origin's connection ends", func() bool { return origin.Open() == 0 })
			harness.Eventually(t, "no socket is left", func() bool { return b.Streams() == 0 })
		})
	}
}

// Where no server can be used at all.
func TestNoServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		lines []string
	}{
		{"empty backend", nil},
		{"all disabled", []string{"server a 127.0.0.1:9 disabled"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			logs := harness.ReceiveUDP(t)
			addr := harness.Loopback(t)
			harness.Start(t, config(logs, "",
				section("frontend front", "bind "+addr, "default_backend pool"), section("backend pool", c.lines...)))
			harness.AwaitEnd(t, harness.DialTCP(t, addr))
			if flow := logs.Flow(t); flow.State != "SC" || flow.Server != "<NOSRV>" || flow.Tw != -1 || flow.Tc != -1 {
				t.Errorf("%+v, want SC, no server, Tw and Tc -1", flow)
			}
		})
	}
}
