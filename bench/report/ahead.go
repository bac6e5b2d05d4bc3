package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-lb/sluice/bench/result"
)

// own is the balancer that the others are rivals of.
const own = "sluice"

// ahead says of each scenario whether sluice is ahead of each other balancer. There must be a sluice.
func (p *part) ahead() {
	rivals := p.rivals()
	if len(rivals) == 0 {
		return
	}
	p.heading(3, "Who is ahead of whom")
	p.standings(rivals)
}

// rivals are the balancers that are not sluice in one form or another; none if sluice is not there.
func (p *part) rivals() (list []string) {
	there := false
	for _, s := range p.file.Subjects {
		switch {
		case s.Name == own:
			there = true
		case s.Kind != "direct" && !strings.HasPrefix(s.Kind, own):
			list = append(list, s.Name)
		}
	}
	if !there {
		return nil
	}
	return list
}

func (p *part) standings(rivals []string) {
	p.paragraph("Each scenario's own metric, sluice's divided by the other's. **ahead**: sluice needs less, and the 95 %% interval is below 1. **behind**: it is above 1. "+
		"**even**: it holds 1. **?**: fewer than %d pairs of runs count, so nothing is said.", result.Enough)
	t := &table{Head: slices.Concat([]string{"scenario", "metric"}, rivals)}
	count := map[string]map[string]int{}
	behind := map[string][]string{}
	for _, rival := range rivals {
		count[rival] = map[string]int{}
	}
	for i := range p.file.Scenarios {
		s := &p.file.Scenarios[i]
		m := result.MetricOf(s.Main[0])
		row := []string{s.Title, title(m, s.Unit)}
		for _, rival := range rivals {
			r := s.Ratio(own, rival, m.Name)
			if r.Pairs == 0 {
				row = append(row, nothing)
				continue
			}
			said := standing(r, m.HigherIsBetter)
			count[rival][said]++
			if said == "behind" {
				behind[rival] = append(behind[rival], "`"+s.Name+"`")
			}
			row = append(row, fmt.Sprintf("%s %.3f (%.3f–%.3f)", said, r.Value, r.Low, r.High))
		}
		t.Rows = append(t.Rows, row)
	}
	p.table(t)
	var items []string
	for _, rival := range rivals {
		c := count[rival]
		text := fmt.Sprintf("`%s`: sluice is ahead in %d, even in %d, behind in %d, and in %d nothing can be said", rival, c["ahead"], c["even"], c["behind"], c["?"])
		if len(behind[rival]) > 0 {
			text += "; behind in " + strings.Join(behind[rival], ", ")
		}
		items = append(items, text)
	}
	p.items(items)
}

// standing says in a word what the ratio sluice/other means.
func standing(r result.Ratio, higherIsBetter bool) string {
	less, more := "ahead", "behind"
	if higherIsBetter {
		less, more = more, less
	}
	switch {
	case !r.Certain():
		return "?"
	case r.High < 1:
		return less
	case r.Low > 1:
		return more
	default:
		return "even"
	}
}
