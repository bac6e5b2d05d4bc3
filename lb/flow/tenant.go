package flow

import (
	"sync/atomic"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/stats"
)

// Tenant bounds what the flows of some binds take together, so that nobody else has less because of them. Its exported
// fields are set before the loops run, and only read afterwards.
type Tenant struct {
	Name    string
	MaxConn int64 // flows; 0: no limit
	Flows   stats.Gauge
	Rate    *Rate      // of connections; nil: no limit
	In, Out *Bandwidth // from its clients, and to them; nil: no limit
	// QueueShare is a percentage: while the tenant's are more of all flows that wait for a slot, whoever comes is placed
	// behind everybody else's. 0: no limit.
	QueueShare int
	Stats      *stats.Counters

	index     int
	waiting   atomic.Int64 // its flows that wait for a slot
	frontends []*Frontend  // with a bind of the tenant
}

// NewTenant adds a tenant to the process. The caller fills in the rest before the loops run.
func NewTenant(p *Process, name string, loops int) *Tenant {
	t := &Tenant{Name: name, Stats: stats.New(loops), index: len(p.tenants)}
	p.tenants = append(p.tenants, t)
	return t
}

// Waiting is how many of its flows wait for a slot. Any goroutine may call it.
func (t *Tenant) Waiting() int64 { return t.waiting.Load() }

// claim takes a place within the tenant's limit. A tenant of nil has none.
func (t *Tenant) claim() bool {
	return t == nil || t.Flows.AddBelow(orUnlimited(t.MaxConn))
}

func (t *Tenant) room() bool { return t == nil || t.MaxConn == 0 || t.Flows.Value() < t.MaxConn }

// release gives a place back, and wakes those who waited for it.
func (t *Tenant) release() {
	if t == nil {
		return
	}
	wasFull := !t.room()
	t.Flows.Add(-1)
	if wasFull {
		for _, f := range t.frontends {
			f.resume()
		}
	}
}

// class is the place among those who wait for a slot, of a flow whose frontend gives it so.
func (t *Tenant) class(p *Process, class int16) int16 {
	if t == nil || t.QueueShare == 0 {
		return class
	}
	if mine := t.waiting.Load(); mine > 0 && mine*100 >= p.waiting.Load()*int64(t.QueueShare) {
		return backend.LastClass
	}
	return class
}

// share is one loop's part of a tenant.
type share struct {
	in, out meter
}

// shareOf gives the loop's part of t.
func (l *Loop) shareOf(t *Tenant) *share {
	for len(l.shares) <= t.index {
		l.shares = append(l.shares, nil)
	}
	s := l.shares[t.index]
	if s == nil {
		s = new(share)
		for _, m := range []*meter{&s.in, &s.out} {
			m.loop, m.tenant, m.timer.Owner, m.places = l, t, m, map[*side]int{}
		}
		s.in.bandwidth, s.out.bandwidth = t.In, t.Out
		l.shares[t.index] = s
	}
	return s
}

// meter makes the flow's sides read no faster than its tenant may.
func (f *Flow) meter() {
	t := f.bind.Tenant
	if t == nil {
		return
	}
	if t.In != nil {
		f.client.metering = metered
	}
	if t.Out != nil {
		f.server.metering = metered
	}
}

// waits counts n more of the flow's kind that wait for a slot.
func (f *Flow) waits(n int) {
	f.loop.waits(n)
	if p := f.frontend.Process; len(p.tenants) > 0 { // else nobody asks
		p.waiting.Add(int64(n))
		if t := f.bind.Tenant; t != nil {
			t.waiting.Add(int64(n))
		}
	}
}
