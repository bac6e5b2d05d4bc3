package report

import "github.com/sluice-lb/sluice/bench/result"

// doors is the section of the kernel's features, if any was measured.
func (p *part) doors() {
	if t := p.featuresTable(); len(t.Rows) > 0 {
		p.heading(3, "The kernel's features")
		p.features()
	}
}

func (p *part) features() {
	if t := p.featuresTable(); len(t.Rows) > 0 {
		p.paragraph("Scenarios over veth, with a feature switched on and off. A ratio below 1 is less of the metric, which is better but for the rate. " +
			"There is no ratio where load and origin were at their limit in most runs, and then no rate and no latency either, which would be theirs; what a unit cost at that rate is shown.")
		p.table(t)
	}
}

// featuresTable compares sluice with itself without the kernel's feature that a scenario is about, and both with the reference.
func (p *part) featuresTable() *table {
	t := &table{Head: []string{"scenario", "metric", "feature", "with it", "without it", p.reference, "with it, ratio to without", "ratio to " + p.reference}}
	for i := range p.file.Scenarios {
		s := &p.file.Scenarios[i]
		for _, x := range p.file.Subjects {
			if runs, _, _ := s.Count(x.Name); x.Feature == "" || runs == 0 {
				continue
			}
			for _, name := range s.Main {
				m := result.MetricOf(name)
				t.Rows = append(t.Rows, []string{
					s.Title, title(m, s.Unit), x.Feature, spread(m.Kind, s.Values(x.Name, name)), spread(m.Kind, s.Values(own, name)), spread(m.Kind, s.Values(p.reference, name)),
					ratio(s.Ratio(x.Name, own, name)), ratio(s.Ratio(x.Name, p.reference, name)),
				})
			}
		}
	}
	return t
}
