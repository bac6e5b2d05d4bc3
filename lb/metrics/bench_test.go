package metrics

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/stats"
)

// farm is a process with so many servers in ten backends, all of which have had flows.
func farm(t testing.TB, servers int) *fake {
	var text strings.Builder
	text.WriteString("frontend fe\n bind 127.0.0.1:1\n default_backend be0\n")
	for i := range servers {
		if i%(servers/10) == 0 {
			fmt.Fprintf(&text, "backend be%d\n", i/(servers/10))
		}
		fmt.Fprintf(&text, " server s%d 127.0.0.1:11 check maxconn 100\n", i)
	}
	f := newFake(t, text.String())
	for _, p := range f.proxies {
		if p.Backend == nil {
			continue
		}
		for i, s := range p.Backend.Servers() {
			for id := range stats.Count {
				s.Stats.Add(0, id, uint64(12345*i+int(id)))
			}
			for kind := range stats.Times {
				for n := range 50 {
					s.Stats.AddTime(0, kind, time.Duration(n*n*n)*time.Millisecond)
				}
			}
		}
	}
	return f
}

// discard is a client that takes everything.
type discard struct {
	header http.Header
	bytes  int
}

func (d *discard) Header() http.Header              { return d.header }
func (d *discard) WriteHeader(int)                  {}
func (d *discard) Write(b []byte) (int, error)      { d.bytes += len(b); return len(b), nil }
func (d *discard) Flush()                           {}
func (d *discard) SetWriteDeadline(time.Time) error { return nil }

// What a scrape of 5,000 servers costs.
func BenchmarkScrape(b *testing.B) {
	x := exporter(farm(b, 5000))
	for _, test := range []struct{ name, query, encoding string }{
		{"all", "", ""}, {"gzip", "", "gzip"},
		{"haproxy's", "metrics=" + haproxyNames(), "gzip"},
		{"no check status", "metrics=-haproxy_server_check_status", "gzip"},
		{"frontends and backends", "scope=frontend&scope=backend", "gzip"},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			var bytes int
			for b.Loop() {
				d := &discard{header: http.Header{}}
				r := httptest.NewRequest("GET", "/metrics?"+test.query, nil)
				r.Header.Set("Accept-Encoding", test.encoding)
				x.ServeHTTP(d, r)
				bytes = d.bytes
			}
			b.ReportMetric(float64(bytes), "bytes")
		})
	}
}

func haproxyNames() string {
	var names []string
	for _, t := range tables {
		for i := range t.families {
			if name := t.families[i].name; strings.HasPrefix(name, "haproxy_") {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, ",")
}
