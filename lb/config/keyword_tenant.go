package config

import "math"

func (l *loader) openTenant(line Line) {
	name := l.sectionName(line)
	l.tenant = &Tenant{Pos: line.Pos, Name: name}
	for _, other := range l.config.Tenants {
		if name != "" && other.Name == name {
			l.alertAt(line.Pos, "tenant '%s' has the same name as the one at %s:%d", name, other.Pos.File, other.Pos.Line)
			return
		}
	}
	l.config.Tenants = append(l.config.Tenants, l.tenant)
}

// tenantKeywords are those of tenant sections, which are an extension.
func tenantKeywords() []Keyword {
	one := func(k Keyword, b behaviour) Keyword {
		k.Sections, k.minimum, k.maximum, k.behaviour = InTenant, 1, 1, b
		return k
	}
	bandwidth := func(k Keyword, at func(*Tenant) *int) Keyword {
		k.Syntax, k.Unit, k.Default = "<size>", "bytes per second; k, m and g stand for powers of 1024", "none"
		return one(k, bytesOf(func(t target) *int { return at(t.tenant) }))
	}
	return []Keyword{
		one(Keyword{Name: "namespace", Syntax: "<name>", Summary: "The network namespace that is the tenant's: what comes by a `bind` in it uses the tenant's budget. No other tenant may have it.", Example: "namespace blue"},
			text(func(t target) *string { return &t.tenant.Namespace })),
		one(Keyword{Name: "maxconn", Syntax: "<number>", Unit: "flows", Default: "none", Summary: "Flows at once; more wait in the kernel's backlog.", Example: "maxconn 2000"},
			number(func(t target) *int { return &t.tenant.MaxConn }, 0, math.MaxInt32, 0)),
		one(Keyword{Name: "rate-limit sessions", Syntax: "<number>", Unit: "connections per second", Default: "none", Summary: "Connections accepted per second; more wait in the kernel's backlog.", Example: "rate-limit sessions 500"},
			number(func(t target) *int { return &t.tenant.RateLimitSessions }, 0, math.MaxInt32, 0)),
		bandwidth(Keyword{Name: "bandwidth-in", Summary: "What is read of its clients, all together. Who is faster is not read, and TCP slows it down.", Example: "bandwidth-in 10m"},
			func(t *Tenant) *int { return &t.BandwidthIn }),
		bandwidth(Keyword{Name: "bandwidth-out", Summary: "What is read of servers for its clients, all together, likewise.", Example: "bandwidth-out 100m"},
			func(t *Tenant) *int { return &t.BandwidthOut }),
		one(Keyword{Name: "queue-share", Syntax: "<1..99>", Unit: "percent", Default: "none", Summary: "While the tenant's are this part, or more, of all flows that wait for a server, a new one of its goes behind everybody else's, whatever its priority. Nobody is turned away.", Example: "queue-share 25"},
			number(func(t target) *int { return &t.tenant.QueueShare }, 0, 99, 0)),
	}
}

// checkTenants complains about a tenant that owns nothing, or what is another's.
func (l *loader) checkTenants() {
	owners := map[string]*Tenant{}
	for _, t := range l.config.Tenants {
		other := owners[t.Namespace]
		switch {
		case t.Namespace == "":
			l.alertAt(t.Pos, "tenant '%s' has no 'namespace', so nothing is its own", t.Name)
		case other != nil:
			l.alertAt(t.Pos, "tenants '%s' and '%s' have the same namespace '%s'", other.Name, t.Name, t.Namespace)
		default:
			owners[t.Namespace] = t
		}
	}
}
