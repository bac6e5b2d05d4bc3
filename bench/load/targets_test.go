//go:build linux

package load_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/bench/load"
	"github.com/sluice-lb/sluice/bench/origin"
)

// Latencies of a quick and a slow target are told apart, and both get equally many connections, of each thread.
func TestPerTarget(t *testing.T) {
	const delay = 20 * time.Millisecond
	slow, _ := start(t, origin.Spec{Kind: origin.Request, Delay: delay})
	quick, _ := start(t, origin.Spec{Kind: origin.Request})
	r := run(t, load.Spec{
		Kind: load.ConnectRequestClose, Target: slow, Targets: []netip.AddrPort{quick}, PerTarget: true, Connections: 10, Threads: 2, Duration: 500 * time.Millisecond,
	})
	if len(r.PerTarget) != 2 || len(r.Errors) > 0 {
		t.Fatalf("%+v", r)
	}
	one, two := r.PerTarget[0], r.PerTarget[1]
	if one.Count+two.Count != int64(r.Requests) || one.Count < 20 || max(one.Count-two.Count, two.Count-one.Count) > 10 {
		t.Errorf("%d and %d of %d requests", one.Count, two.Count, r.Requests)
	}
	if all, err := one.Decode(); err != nil || all.Min() < int64(delay*99/100) || two.Mean > one.Mean/2 {
		t.Errorf("the slow one took %d ns at least, %.0f in the mean, the quick one %.0f (%v)", all.Min(), one.Mean, two.Mean, err)
	}
}
