package lb

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/queue"
	resolver "github.com/sluice-lb/sluice/lb/resolve"
)

func TestStatusLines(t *testing.T) {
	busy := ProxySnapshot{
		Name: "web", Kind: config.Backend, Current: 3, Total: 9, BytesIn: 1, BytesOut: 2, Queued: 1,
		Queue: QueueSnapshot{
			Highest: 5, Counts: queue.Counts{LookedAgain: 8, AtRisk: 3, Requeued: 2, Direct: 4, SentBack: 1},
			TimedOut: 7, Left: 2, Waits: 4, Waited: 50 * time.Millisecond,
		},
		Status: backend.BackendStatus{Active: 1},
		Servers: []ServerSnapshot{
			{Name: "a", State: "no check", Current: 1, Queued: 2, Total: 6, Queue: QueueSnapshot{Highest: 2, Counts: queue.Counts{LookedAgain: 2, Direct: 2}}},
			{Name: "b", State: "MAINT", Total: 3},
		},
	}
	for _, test := range []struct {
		proxy ProxySnapshot
		want  []string
	}{
		{busy, []string{
			"Server web/a is no check. Conn: 1 act, 2 pend, 6 tot.",
			"Server web/a queue: 2 now, 2 highest, 2 looked again, 0 at risk, 0 requeued, 2 granted directly, 0 sent back, 0 timed out, 0 left, 0 ms waited on average.",
			"Server web/b is MAINT. Conn: 0 act, 0 pend, 3 tot.",
			"Backend web has 1 active servers and 0 backup servers available. Conn: 3 act, 9 tot. Bytes: 1 in, 2 out.",
			"Backend web queue: 1 now, 5 highest, 8 looked again, 3 at risk, 2 requeued, 4 granted directly, 1 sent back, 7 timed out, 2 left, 12 ms waited on average.",
		}},
		{ProxySnapshot{Name: "in", Kind: config.Frontend, Current: 3, Total: 9}, []string{"Frontend in has no servers. Conn: 3 act, 9 tot. Bytes: 0 in, 0 out."}},
	} {
		if got := texts(statusLines(Snapshot{Proxies: []ProxySnapshot{test.proxy}}), test.proxy.Name); !slices.Equal(got, test.want) {
			t.Errorf("%s:\n%q\nwant:\n%q", test.proxy.Name, got, test.want)
		}
	}
}

// texts are the lines' texts, if all are about the proxy.
func texts(lines []statusLine, proxy string) (texts []string) {
	for _, line := range lines {
		if line.proxy == proxy {
			texts = append(texts, line.text)
		}
	}
	return texts
}

// What is known of a name says how old it is, and that it is stale.
func TestNameLines(t *testing.T) {
	now := time.Unix(1000, 0)
	names := []NameStatus{
		{Backend: "b", Server: "s1", Name: "app.test", Addr: netip.MustParseAddr("198.51.100.1"), Port: 80, Valid: now.Add(-3 * time.Second)},
		{Backend: "b", Server: "s2", Name: "app.test", Addr: netip.MustParseAddr("2001:db8::1"), Port: 80, Valid: now.Add(-time.Minute),
			Stale: true, Failure: resolver.Timeout},
		{Backend: "b", Server: "s3", Name: "_app._tcp.test", Failure: resolver.NX},
	}
	want := []string{
		"Server b/s1: name app.test is 198.51.100.1:80, last valid answer 3 s ago.",
		"Server b/s2: name app.test is [2001:db8::1]:80, last valid answer 60 s ago, stale: DNS timeout status.",
		"Server b/s3: name _app._tcp.test has no address, no valid answer yet: DNS NX status.",
	}
	if got := texts(nameLines(names, now), "b"); !slices.Equal(got, want) {
		t.Errorf("%q\nwant:\n%q", got, want)
	}
}
