package flow

import (
	"slices"
	"testing"

	"github.com/sluice-lb/sluice/poller"
)

// A listing shows each flow once that is there from its begin to its end, whoever else ends meanwhile, and flows can be ended
// by their ids.
func TestListing(t *testing.T) {
	p := &Process{MaxConn: 1000}
	loop, err := poller.NewLoop(poller.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := NewLoop(p, loop)
	fe := NewFrontend(p, "front", 1)
	b := &Bind{Frontend: fe, Name: "bind"}
	var flows []*Flow
	for i := range 2*listed + 10 {
		f := l.take()
		f.frontend, f.bind, f.stage, f.start = fe, b, header, 1
		f.retries = int32(i)
		flows = append(flows, f)
	}
	flows[3].stage = orphaned // is not shown
	x := l.List(false)
	turn := func() []Info {
		t.Helper()
		x.Deliver(&x.mail)
		<-x.filled
		return x.batch
	}
	var seen []int
	note := func(batch []Info) {
		for _, i := range batch {
			seen = append(seen, i.Retries)
		}
	}
	note(turn()) // the youngest come first
	if len(seen) != listed || len(l.listings) != 1 {
		t.Fatalf("%d flows in the first turn", len(seen))
	}
	gone := []int{2*listed + 9, listed + 9, listed + 8, 20} // one that was shown, the two that come next, and a later one
	for _, i := range gone {
		flows[i].stage = closed
		l.put(flows[i])
	}
	f := l.take() // a new one is not shown
	f.frontend, f.bind, f.stage, f.retries = fe, b, header, -1
	for len(l.listings) > 0 {
		note(turn())
	}
	slices.Sort(seen)
	var want []int
	for i := range flows {
		if i != 3 && i != 20 && i != listed+9 && i != listed+8 {
			want = append(want, i)
		}
	}
	if !slices.Equal(seen, want) {
		t.Errorf("seen: %v", seen)
	}
	if batch, ok := x.Next(nil); len(batch) > 0 || !ok {
		t.Errorf("after the end: %v, %v", batch, ok)
	}

	y := l.List(false) // is left early
	y.Deliver(&y.mail)
	<-y.filled
	y.Close()
	y.Deliver(&y.mail)
	if len(l.listings) != 0 {
		t.Errorf("%d listings remain", len(l.listings))
	}
	if p.Shut(1<<loopShift, func(bool) {}) {
		t.Error("there is a second loop")
	}
	found := true
	(&shutdown{loop: l, key: 77, found: func(ok bool) { found = ok }}).Deliver(nil)
	if found {
		t.Error("there is a flow 77")
	}
}
