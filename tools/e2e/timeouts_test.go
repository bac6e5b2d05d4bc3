package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// stall is one way to stand still. The flow begins as said, then nothing moves, and one configured timeout must end it.
type stall struct {
	name     string
	defaults string               // timeouts and options
	bind     string               // parameters of the bind line
	server   string               // parameters of the server line
	origin   func(harness.Stream) // nil: an echo
	begin    func(*testing.T, harness.Stream)
	want     time.Duration // from the beginning to the end: nothing takes long but the wait
	atOrigin bool          // the end is seen by the origin, because the client's side had ended before
	state    string        // the log's termination state
	bytes    int64         // the log's, -1: any
}

var stalls = []stall{
	{name: "client after exchange", defaults: "timeout client 400ms",
		begin: exchange, want: 400 * time.Millisecond, state: "cD", bytes: 5},
	{name: "client from the start", defaults: "timeout client 400ms",
		begin: silent, want: 400 * time.Millisecond, state: "cD"},
	{name: "client sends but does not read", defaults: "timeout client 400ms\ntimeout server 20s", origin: flood,
		begin: silent, want: 400 * time.Millisecond, atOrigin: true, state: "cD", bytes: -1},
	{name: "server after exchange", defaults: "timeout server 400ms",
		begin: exchange, want: 400 * time.Millisecond, state: "sD", bytes: 5},
	{name: "server from the start", defaults: "timeout server 400ms",
		begin: silent, want: 400 * time.Millisecond, state: "sD"},
	{name: "server sends but does not read", defaults: "timeout server 400ms", origin: deaf,
		begin: fill, want: 400 * time.Millisecond, state: "sD"},
	{name: "client half-closed with server-fin", defaults: "timeout server-fin 400ms", origin: stubborn,
		begin: exchangeAndFinish, want: 400 * time.Millisecond, state: "sD", bytes: 5},
	{name: "client half-closed with server", defaults: "timeout server 400ms", origin: stubborn,
		begin: exchangeAndFinish, want: 400 * time.Millisecond, state: "sD", bytes: 5},
	{name: "client half-closed with server-fin longer than server", defaults: "timeout server 200ms\ntimeout server-fin 900ms", origin: stubborn,
		begin: exchangeAndFinish, want: 900 * time.Millisecond, state: "sD", bytes: 5},
	{name: "client half-closed with server-fin within tunnel", defaults: "timeout tunnel 20s\ntimeout server-fin 400ms", origin: stubborn,
		begin: exchangeAndFinish, want: 400 * time.Millisecond, state: "sD", bytes: 5},
	{name: "server half-closed with client-fin", defaults: "timeout client-fin 400ms", origin: early,
		begin: exchange, want: 400 * time.Millisecond, atOrigin: true, state: "cD", bytes: 5},
	{name: "server half-closed with client", defaults: "timeout client 400ms", origin: early,
		begin: exchange, want: 400 * time.Millisecond, atOrigin: true, state: "cD", bytes: 5},
	{name: "server half-closed with client-fin within tunnel", defaults: "timeout tunnel 20s\ntimeout client-fin 400ms", origin: early,
		begin: exchange, want: 400 * time.Millisecond, atOrigin: true, state: "cD", bytes: 5},
	{name: "tunnel", defaults: "timeout tunnel 400ms",
		begin: exchange, want: 400 * time.Millisecond, state: "cD", bytes: 5},
	{name: "tunnel replaces client and server", defaults: "timeout client 200ms\ntimeout server 200ms\ntimeout tunnel 900ms",
		begin: exchange, want: 900 * time.Millisecond, state: "cD", bytes: 5},
}

func TestStalls(t *testing.T) {
	for _, c := range stalls {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			if c.origin == nil {
				c.origin = harness.Echo
			}
			logs := harness.ReceiveUDP(t)
			origin := harness.Serve(t, c.origin)
			addr := harness.Loopback(t)
			harness.Start(t, config(logs, c.defaults,
				section("listen front", "bind "+addr+" "+c.bind, "server origin "+origin.Addr+" "+c.server)))
			start := time.Now() // before anything moves, so that a busy machine cannot make the wait look short
			client := harness.DialTCP(t, addr)
			c.begin(t, client)
			if c.atOrigin {
				harness.Eventually(t, "the origin sees the end", func() bool {
					return origin.Accepted.Load() == 1 && origin.Open() == 0
				})
			} else {
				harness.AwaitEnd(t, client)
			}
			took := time.Since(start)
			client.Close()
			harness.Took(t, "the stalled flow", took, c.want)
			flow := logs.Flow(t)
			if flow.State != c.state {
				t.Errorf("termination state %s, want %s", flow.State, c.state)
			}
			if c.bytes >= 0 && flow.Bytes != c.bytes {
				t.Errorf("%d bytes logged, want %d", flow.Bytes, c.bytes)
			}
			if flow.Tw < 0 || flow.Tw > 300 || flow.Tc < 0 || flow.Tc > 300 {
				t.Errorf("Tw %d and Tc %d of a connection that was made at once", flow.Tw, flow.Tc)
			}
			harness.TookMillis(t, "Tt", flow.Tt, c.want)
		})
	}
}
