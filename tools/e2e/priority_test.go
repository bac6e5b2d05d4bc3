package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// Clients of two frontends wait for one server. Who comes by the urgent one is served first although the others came before, and
// among equals the order is that of arrival.
func TestQueuePriorities(t *testing.T) {
	t.Parallel()
	const rule = "tcp-request content set-priority-"
	urgentFirst, byArrival := []int{3, 4, 0, 1, 2}, []int{0, 1, 2, 3, 4}
	for _, c := range []struct {
		name                     string
		urgent, patient, backend string // rules
		want                     []int  // 0 to 2 are the patient, 3 and 4 the urgent, as they come
	}{
		{"none", "", "", "", byArrival},
		{"classes", rule + "class int(-1)", rule + "class int(1)", "", urgentFirst},
		{"extremes", rule + "class int(-2047)", rule + "class int(2047)", "", urgentFirst},
		{"one below the default", rule + "class int(-1)", "", "", urgentFirst},
		{"one above the default", "", rule + "class int(1)", "", urgentFirst},
		{"the last rule counts", rule + "class int(5)\n" + rule + "class int(-1)", rule + "class int(-2)\n" + rule + "class int(1)", "", urgentFirst},
		{"the backend overrides", rule + "class int(-1)", rule + "class int(1)", rule + "class int(7)", byArrival},
		{"offsets", rule + "offset int(-20000)", rule + "offset int(20000)", "", urgentFirst},
		{"one offset", "", rule + "offset int(60000)", "", urgentFirst},
		{"a class goes before an offset", rule + "class int(-1)\n" + rule + "offset int(60000)", rule + "offset int(-60000)", "", urgentFirst},
		{"the backend overrides one of both", rule + "class int(-1)\n" + rule + "offset int(-60000)", rule + "class int(-3)", rule + "class int(2)", urgentFirst},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			logs, urgent, patient := harness.ReceiveUDP(t), harness.Loopback(t), harness.Loopback(t)
			origin := harness.Serve(t, harness.Echo)
			b := harness.Start(t, config(logs, "timeout queue 60s",
				section("frontend urgent", "bind "+urgent, c.urgent, "default_backend pool"),
				section("frontend patient", "bind "+patient, c.patient, "default_backend pool"),
				section("backend pool", c.backend, "server origin "+origin.Addr+" maxconn 1")))
			first := harness.DialTCP(t, patient)
			exchange(t, first)
			clients := make([]harness.Stream, len(c.want))
			answers := make(chan int, len(clients))
			for i := range clients {
				address := patient
				if i >= 3 {
					address = urgent
				}
				clients[i] = harness.DialTCP(t, address)
				// Each is in the queue before the next one comes: its socket is held, and a moment passes.
				harness.Eventually(t, "it is accepted", func() bool { return b.Streams() == 3+i })
				time.Sleep(30 * time.Millisecond)
				go func() {
					harness.Say(t, clients[i], "hello")
					if n, _ := clients[i].Read(make([]byte, 5)); n > 0 {
						answers <- i
					}
				}()
			}
			first.Close()
			var got []int
			for range clients {
				select {
				case i := <-answers:
					got = append(got, i)
					clients[i].Close()
				case <-time.After(harness.Patience):
					t.Fatalf("after %d nobody is served", got)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("served in the order %d, want %d", got, c.want)
			}
		})
	}
}
