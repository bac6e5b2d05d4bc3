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
	before := harness.Resident(b.PID)
	clients := make([]harness.Stream, flows)
	each := func(do func(i int)) {
		var workers sync.WaitGroup
		for w := range 50 {
			workers.Go(func() {
				for i := w; i < flows; i += 50 {
					do(i)
				}
			})
		}
		workers.Wait()
	}
	each(func(i int) {
		clients[i] = harness.DialTCP(t, addr)
		harness.Exchange(t, clients[i], fmt.Sprintf("flow %d", i))
	})
	if t.Failed() {
		return
	}
	if got := b.Streams(); got != 2*flows {
		t.Errorf("the balancer holds %d sockets, want %d", got, 2*flows)
	}
	t.Logf("%d bytes of memory of its own per flow", (harness.Resident(b.PID)-before)/flows)
	b.AssertIdle("5,000 idle flows")
	each(func(i int) { harness.Exchange(t, clients[i], fmt.Sprintf("flow %d again", i)) })
	each(func(i int) { clients[i].Close() })
	harness.Eventually(t, "all flows end", func() bool { return b.Streams() == 0 && origin.Open() == 0 })
	b.AssertIdle("after 5,000 flows")
}
