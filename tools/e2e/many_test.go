package e2e

import (
	"fmt"
	"sync"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// 5,000 flows at once: all of them work, they cost nothing while idle, and all of them end.
func TestManyFlows(t *testing.T) {
	const flows = 5000
	origin, addr := harness.Serve(t, harness.Echo), harness.Loopback(t)
	b := harness.Start(t, "global\n  maxconn 6000\n  stats timeout 1m\n"+
		"defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n"+
		section("listen front", "bind "+addr+" backlog 4096", "maxconn 6000", "server origin "+origin.Addr))
	clients := make([]harness.Stream, flows)
	each := func(from, to int, do func(i int)) {
		var workers sync.WaitGroup
		for w := range 50 {
			workers.Go(func() {
				for i := from + w; i < to; i += 50 {
					do(i)
				}
			})
		}
		workers.Wait()
	}
	open := func(i int) {
		clients[i] = harness.DialTCP(t, addr)
		harness.Exchange(t, clients[i], fmt.Sprintf("flow %d", i))
	}
	// What the first thousand need includes what the process needs once.
	each(0, 1000, open)
	before := harness.Resident(b.PID)
	each(1000, flows, open)
	if t.Failed() {
		return
	}
	if got := b.Streams(); got != 2*flows {
		t.Errorf("the balancer holds %d sockets, want %d", got, 2*flows)
	}
	memory := (harness.Resident(b.PID) - before) / (flows - 1000)
	t.Logf("a flow takes %d bytes of the process's own memory", memory)
	if memory > 676 && !harness.Differs(harness.FlowMemory) && !harness.Subject.Race {
		t.Errorf("a flow takes %d bytes of the process's own memory, want at most 676, a fifth of HAProxy's", memory)
	}
	b.AssertIdle("5,000 idle flows")
	each(0, flows, func(i int) { harness.Exchange(t, clients[i], fmt.Sprintf("flow %d again", i)) })
	each(0, flows, func(i int) { clients[i].Close() })
	harness.Eventually(t, "all flows end", func() bool { return b.Streams() == 0 && origin.Open() == 0 })
	b.AssertIdle("after 5,000 flows")
}
