package metrics

import (
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"github.com/sluice-lb/sluice/lb/admin"
	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/stats"
)

// entity is something that families are about, as one scrape sees it.
type entity struct {
	labels []*dto.LabelPair
	values []float64 // of the families that are kept

	stats  *stats.Counters // of a frontend, listener, backend or server
	proxy  *admin.Proxy    // of these
	server *backend.Server
	tally  *tally // of a backend
	loop   *admin.Loop
	tenant *admin.Tenant
	info   map[string]admin.Value // of the process
	number uint64                 // of what is only a counter
}

// snapshot is what one scrape is made of.
type snapshot [groups][]entity

// take looks once at everything that q wants.
func (x *Exporter) take(q *query) *snapshot {
	s := &snapshot{}
	if q.scopes[ofGlobal] {
		s.takeProcess(x)
	}
	if q.scopes[ofFrontend] || q.scopes[ofListener] || q.scopes[ofBackend] || q.scopes[ofServer] {
		s.takeRows(x, q)
	}
	return s
}

func (s *snapshot) takeProcess(x *Exporter) {
	fields := make(map[string]admin.Value)
	for name, v := range x.cli.Information {
		fields[name] = v
	}
	s[theProcess] = []entity{{info: fields}}
	s[builds] = []entity{{labels: []*dto.LabelPair{pair("version", fields["Version"].String())}}}
	for i, l := range x.process.Loops() {
		s[loops] = append(s[loops], entity{labels: []*dto.LabelPair{pair("loop", strconv.Itoa(i+1))}, loop: &l})
	}
	for _, c := range x.process.Info().LogDrops {
		s[logDrops] = append(s[logDrops], entity{labels: []*dto.LabelPair{pair("reason", c.Name)}, number: c.Value})
	}
	s.takePrograms(x)
	for _, t := range x.process.Tenants() {
		s[tenants] = append(s[tenants], entity{labels: []*dto.LabelPair{pair("tenant", t.Name)}, tenant: &t, stats: t.Stats})
	}
	for _, section := range x.process.Resolvers() {
		for _, n := range section.Servers {
			for _, c := range n.Counters {
				s[nameServers] = append(s[nameServers], entity{
					labels: []*dto.LabelPair{pair("resolvers", section.Name), pair("nameserver", n.Name), pair("event", c.Name)}, number: c.Value,
				})
			}
		}
	}
}

// takePrograms has what the kernel's programs have counted, where there are some.
func (s *snapshot) takePrograms(x *Exporter) {
	add := func(feature, event string, n uint64) {
		s[programs] = append(s[programs], entity{labels: []*dto.LabelPair{pair("feature", feature), pair("event", event)}, number: n})
	}
	if v := x.process.Steering(); v != nil {
		var all admin.SteeredLoop
		for _, l := range v.Loops {
			all.ByCPU += l.ByCPU
			all.ByLeast += l.ByLeast
			all.PassedBy += l.PassedBy
		}
		add("steering", "by_cpu", all.ByCPU)
		add("steering", "by_least", all.ByLeast)
		add("steering", "passed_by", all.PassedBy)
		add("steering", "hashed", v.Hashed)
	}
	if v := x.process.Lookup(); v != nil {
		add("lookup", "given", v.Given)
		add("lookup", "passed", v.Passed)
		add("lookup", "refused", v.Refused)
		add("lookup", "gone", v.Gone)
	}
	// A guard whose counters cannot be read has no samples: "show guard" tells why.
	if v, err := x.process.Guard(); v != nil && err == nil {
		drop := func(reason string, n uint64) {
			s[guardDrops] = append(s[guardDrops], entity{labels: []*dto.LabelPair{pair("reason", reason)}, number: n})
		}
		drop("denied", v.DropsDenied)
		drop("source_syn_rate", v.DropsSource)
		drop("prefix_syn_rate", v.DropsPrefix)
	}
}

func (s *snapshot) takeRows(x *Exporter, q *query) {
	count := &tally{} // of the backend whose servers come
	for r := range x.cli.Statistics {
		proxy := pair("proxy", r.Proxy.Name)
		switch r.Type {
		case admin.FrontendRow:
			if q.scopes[ofFrontend] {
				s.add(frontends, r, r.Proxy.Frontend.Stats, proxy)
			}
		case admin.ListenerRow:
			if q.scopes[ofListener] {
				s.add(listeners, r, r.Bind.Stats, proxy, pair("listener", r.Value(nameColumn).String()))
			}
		case admin.ServerRow:
			count.add(r)
			if q.scopes[ofServer] && !(q.noMaint && strings.HasPrefix(r.Value(statusColumn).String(), "MAINT")) {
				s.add(servers, r, r.Server.Stats, proxy, pair("server", r.Server.Name))
			}
		case admin.BackendRow:
			if q.scopes[ofBackend] {
				s.add(backends, r, r.Proxy.Backend.Stats, proxy).tally = count
			}
			count = &tally{}
		}
	}
}

var nameColumn = columnOf("svname")

func pair(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

// add keeps what the families of a group need of a row.
func (s *snapshot) add(to group, r *admin.Row, c *stats.Counters, labels ...*dto.LabelPair) *entity {
	e := entity{labels: labels, values: make([]float64, len(kept[to])), stats: c, proxy: r.Proxy, server: r.Server}
	for i, f := range kept[to] {
		if f.column != nil {
			e.values[i] = f.column(r)
		} else {
			e.values[i] = f.state(r)
		}
	}
	s[to] = append(s[to], e)
	return &s[to][len(s[to])-1]
}
