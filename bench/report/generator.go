package report

import (
	"fmt"

	"github.com/sluice-lb/sluice/bench/result"
)

// generator says how the load compares with others' generators.
func (p *part) generator() {
	if len(p.file.Comparisons) == 0 {
		return
	}
	p.heading(3, "The generator beside others")
	p.paragraph("The load in closed loop and another generator, in turn, on the same core, without a balancer: wrk against the same nginx, iperf3 against a server of its own, " +
		"each server on the other core. Medians; the ratio's range is that of the rounds. iperf3 copies what it receives; the load discards it inside the kernel.")
	t := &table{Head: []string{"work", "metric", "other", "its", "the load's", "ratio"}}
	for i := range p.file.Comparisons {
		c := &p.file.Comparisons[i]
		row := []string{c.What, c.Unit, c.Other, fmt.Sprintf("%.4g", result.Median(c.Theirs)), fmt.Sprintf("%.4g", result.Median(c.Ours)), nothing}
		if ratios := c.Ratios(); len(ratios) > 0 {
			low, high := ratios[0], ratios[0]
			for _, r := range ratios {
				low, high = min(low, r), max(high, r)
			}
			row[5] = fmt.Sprintf("%.2f (%.2f–%.2f)", result.Median(ratios), low, high)
		}
		t.Rows = append(t.Rows, row)
	}
	p.table(t)
}
