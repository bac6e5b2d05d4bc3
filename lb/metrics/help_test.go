package metrics

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/sluice-lb/sluice/lb/admin"
	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

// fake is a process with real backends and no loops.
type fake struct {
	admin.Process // what a scrape does not call
	proxies       []*admin.Proxy
	tenant        admin.Tenant
	mu            sync.Mutex
	state         admin.FrontendState
}

func (f *fake) Info() admin.Info {
	return admin.Info{
		Version: "9", Node: "here", Loops: 1, MaxConn: 1000, Flows: 3, Started: time.Unix(1000, 0), DroppedLogs: 5,
		LogDrops: []admin.Counter{{Name: "ring_full", Value: 5}, {Name: "closed"}},
	}
}

func (f *fake) Proxies() []*admin.Proxy { return f.proxies }

func (f *fake) Loops() []admin.Loop {
	gaps := make([]uint64, 24)
	gaps[2], gaps[4], gaps[5], gaps[23] = 1, 2, 3, 4
	return []admin.Loop{{Flows: 3, Accepted: 7, Turns: 10, Events: 20, Busy: 2 * time.Second, Waiting: 3 * time.Second, LongestGap: time.Millisecond, Gaps: gaps}}
}

func (f *fake) Steering() *admin.Steering {
	return &admin.Steering{Hashed: 2, Loops: []admin.SteeredLoop{{Given: 4, ByLeast: 4, PassedBy: 1}, {Given: 5, ByLeast: 5}}}
}

func (f *fake) Lookup() *admin.Lookup { return &admin.Lookup{Given: 8, Refused: 1} }

func (f *fake) Guard() (*admin.Guard, error) {
	return &admin.Guard{DropsDenied: 6, DropsSource: 5, DropsPrefix: 4, SYNs: 30}, nil
}

func (f *fake) Tenants() []admin.Tenant { return []admin.Tenant{f.tenant} }

func (f *fake) Resolvers() []admin.Resolvers {
	return []admin.Resolvers{{Name: "dns", Servers: []admin.NameServer{{Name: "ns1", Counters: []admin.Counter{{Name: "sent", Value: 3}}}}}}
}

func (f *fake) Address(*backend.Server) (netip.AddrPort, string) { return netip.AddrPort{}, "" }

func (f *fake) frontendState() admin.FrontendState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

const testConfig = `
frontend fe
    bind 127.0.0.1:1 name one
    bind 127.0.0.1:2
    option socket-stats
    rate-limit sessions 50
    default_backend be
backend be
    server s1 127.0.0.1:11 check weight 10 maxconn 4 maxqueue 7
    server s2 127.0.0.1:12
    server s3 127.0.0.1:13 disabled
    server s4 127.0.0.1:14 backup check agent-check agent-port 15
`

// newFake makes a process of a configuration.
func newFake(t testing.TB, text string) *fake {
	t.Helper()
	cfg, found := config.Load([]config.File{{Name: "test", Data: []byte(text)}}, config.NewEnv(nil), config.LoadOptions{})
	if cfg == nil {
		t.Fatal(found)
	}
	f := &fake{tenant: admin.Tenant{Tenant: &config.Tenant{Name: "blue", MaxConn: 5}, Flows: &stats.Gauge{}, Stats: stats.New(1), Waiting: 2}}
	for _, p := range cfg.Proxies {
		x := &admin.Proxy{Proxy: p, FullConn: 10}
		if p.Kind&config.Frontend != 0 {
			x.Frontend = &admin.Frontend{Stats: stats.New(1), Flows: &stats.Gauge{}, Limit: func() int { return 100 }, State: f.frontendState}
			for i, b := range p.Binds {
				x.Frontend.Binds = append(x.Frontend.Binds, admin.Bind{ID: i + 1, Name: b.Name, Limit: 2, Stats: stats.New(1), Flows: &stats.Gauge{}})
			}
		}
		if p.Kind&config.Backend != 0 {
			b, err := backend.New(p, 0, 1)
			if err != nil {
				t.Fatal(err)
			}
			x.Backend = b
			for i, c := range p.Servers {
				if c.Check.Enabled && !c.Backup { // a backup waits for its first check
					b.Servers()[i].Checked(backend.CheckResult{Status: backend.CheckL4OK, Duration: 20 * time.Millisecond})
				}
			}
		}
		f.proxies = append(f.proxies, x)
	}
	return f
}

// exporter makes the handler of f's process.
func exporter(f *fake) *Exporter {
	return New(admin.New(admin.Options{Process: f}), f).(*Exporter)
}

// scrape asks for query and parses the answer.
func scrape(t testing.TB, x *Exporter, query string) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	x.ServeHTTP(w, httptest.NewRequest("GET", "/metrics?"+query, nil))
	if w.Code != 200 {
		t.Fatalf("%s: %d %s", query, w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return all
}

// find finds one sample by its family and labels, written "proxy=be server=s1"; false: there is none.
func find(all map[string]*dto.MetricFamily, name, labels string) (*dto.Metric, float64, bool) {
	for _, m := range all[name].GetMetric() {
		var has []string
		for _, l := range m.Label {
			has = append(has, l.GetName()+"="+l.GetValue())
		}
		if strings.Join(has, " ") == labels {
			return m, m.GetGauge().GetValue() + m.GetCounter().GetValue(), true
		}
	}
	return nil, 0, false
}
