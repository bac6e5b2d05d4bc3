package e2e

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// An origin goes away under load and comes back: connections fail only while it is away, and all work afterwards.
func TestRestartOfOrigin(t *testing.T) {
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	origin := harness.Serve(t, harness.Name("up"))
	b := harness.Start(t, config(logs, "no log\nretries 0", section("listen front", "bind "+addr, "server origin "+origin.Addr)))
	var good, bad, lateBad atomic.Int64
	var away atomic.Bool // from before it goes until after it is back, and until what began meanwhile has ended
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				before := away.Load()
				name, err := harness.Ask(addr)
				switch {
				case err == nil && name == "up":
					good.Add(1)
				case before || away.Load():
					bad.Add(1)
				default:
					lateBad.Add(1)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	for round := range 3 {
		goal := good.Load() + 100
		harness.Eventually(t, "connections work", func() bool { return good.Load() > goal })
		failed := bad.Load()
		away.Store(true)
		origin.Close()
		harness.Eventually(t, "connections fail while the origin is away", func() bool { return bad.Load() > failed+20 })
		origin = harness.ServeOn(t, "tcp", origin.Addr, harness.Name("up"))
		goal = good.Load() + 20 // more than those under way
		harness.Eventually(t, "connections work again", func() bool { return good.Load() > goal })
		away.Store(false)
		if lateBad.Load() > 0 {
			t.Fatalf("round %d: %d connections failed while the origin was there", round, lateBad.Load())
		}
	}
	close(stop)
	workers.Wait()
	t.Logf("%d answered, %d failed while the origin was away", good.Load(), bad.Load())
	harness.Eventually(t, "all flows end", func() bool { return b.Streams() == 0 })
}

// With a second server and redispatch no client notices that the first one is gone.
func TestServerGoneUnderLoad(t *testing.T) {
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	harness.Start(t, config(logs, "no log\nretries 2\noption redispatch",
		section("listen front", "bind "+addr, "balance roundrobin",
			"server gone "+harness.Refused(t), "server origin "+harness.Serve(t, harness.Name("up")).Addr)))
	near(t, tally(t, addr, 300), map[string]int{"up": 300}, 0)
}
