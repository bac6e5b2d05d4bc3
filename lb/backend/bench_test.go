package backend

import (
	"fmt"
	"testing"

	"github.com/sluice-lb/sluice/lb/config"
)

// What a change of state costs in a backend of 4,000 servers, with each algorithm. A backend whose last server goes, or whose
// first one comes, turns to its backups: that is another thing, and takes as long as there are servers.
func BenchmarkStateChange(b *testing.B) {
	for _, a := range algorithms {
		b.Run(a.name, func(b *testing.B) {
			f := large(b, a, 4000)
			s := f.Servers()[1234]
			for b.Loop() {
				s.SetHealth(HealthDown)
				s.SetHealth(HealthUp)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*b.N), "ns/change")
		})
	}
}

// All 4,000 go down, one after the other, and come up again.
func BenchmarkAllDown(b *testing.B) {
	for _, a := range algorithms {
		b.Run(a.name, func(b *testing.B) {
			f := large(b, a, 4000)
			for b.Loop() {
				for _, s := range f.Servers() {
					s.SetHealth(HealthDown)
				}
				for _, s := range f.Servers() {
					s.SetHealth(HealthUp)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*len(f.Servers())*b.N), "ns/change")
		})
	}
}

// A check's result that changes nothing, as nearly all are.
func BenchmarkChecked(b *testing.B) {
	f := large(b, algorithms[0], 4000)
	for b.Loop() {
		f.Servers()[7].Checked(CheckResult{Status: CheckL4OK})
	}
}

func large(b *testing.B, a struct {
	name  string
	proxy func(...*config.Server) *config.Proxy
	bound bool
}, n int) *farm {
	servers := make([]*config.Server, n)
	for i := range servers {
		servers[i] = server(fmt.Sprint("s", i), 0, withChecks)
	}
	f := newFarm(b, a.proxy(servers...))
	f.OnEvent = func(Event) {}
	f.Start()
	return f
}
