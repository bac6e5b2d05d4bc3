package lb

import (
	"github.com/sluice-lb/sluice/lb/admin"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/flow"
)

// openTenants makes the budgets. Binds find theirs by their namespace.
func (b *Balancer) openTenants(loops int) {
	b.tenants = make(map[string]*flow.Tenant)
	for _, c := range b.config.Tenants {
		t := flow.NewTenant(b.process, c.Name, loops)
		t.MaxConn, t.QueueShare = int64(c.MaxConn), c.QueueShare
		if c.RateLimitSessions > 0 {
			t.Rate = &flow.Rate{PerSecond: uint32(c.RateLimitSessions)}
		}
		t.In, t.Out = bandwidth(c.BandwidthIn), bandwidth(c.BandwidthOut)
		b.tenants[c.Namespace] = t
	}
}

func bandwidth(perSecond int) *flow.Bandwidth {
	if perSecond == 0 {
		return nil
	}
	return flow.NewBandwidth(int64(perSecond))
}

// tenantOf is whose budget a bind's flows use; nil: nobody's. The frontend's bytes are then counted while flows last, so that a
// tenant's are seen.
func (b *Balancer) tenantOf(f *flow.Frontend, c *config.Bind) *flow.Tenant {
	t := b.tenants[c.Namespace]
	if t != nil {
		f.ContStats = true
	}
	return t
}

// Tenants lists the tenants for the operator.
func (a *administration) Tenants() []admin.Tenant {
	var list []admin.Tenant
	for _, c := range a.config.Tenants {
		t := a.tenants[c.Namespace]
		list = append(list, admin.Tenant{Tenant: c, Flows: &t.Flows, Stats: t.Stats, Waiting: t.Waiting()})
	}
	return list
}
