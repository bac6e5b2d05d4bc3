package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// tables writes the result, and below it under which conditions it was measured.
func (b *bench) tables(w io.Writer, chosen []*scenario, results [][]round) {
	fmt.Fprintf(w, "CPU of the balancer, user and system: median of the rounds (least–most).\n\n")
	fmt.Fprintf(w, "| work | per | sluice | haproxy | ratio, median of pairs (95 %%) | target | met |\n|---|---|---|---|---|---|---|\n")
	for i, s := range chosen {
		v := judge(s, results[i], b.options.seed)
		ratio := "–"
		if len(v.costs[0]) > 0 {
			ratio = fmt.Sprintf("%.3f (%.3f–%.3f)", v.ratio, v.low, v.high)
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | ≤ %.2f | %s |\n", s.title, s.unit, spread(v.costs[0], s.inName), spread(v.costs[1], s.inName),
			ratio, s.target, v.verdict)
	}
	fmt.Fprintf(w, "\nThe conditions of the rounds that count (medians, sluice / haproxy). The load's core must have had time left for the balancer to be what limits the rate.\n\n")
	fmt.Fprintf(w, "| work | rounds | left out | rate per second | in the kernel | waited for its core | balancer's core idle | load's core idle |\n|---|---|---|---|---|---|---|---|\n")
	var notes []string
	for i, s := range chosen {
		counted := counting(results[i])
		column := func(format string, of func(m *measured) float64) string {
			if len(counted) == 0 {
				return "–"
			}
			var parts [2]string
			for j := range parts {
				var values []float64
				for k := range counted {
					values = append(values, of(&counted[k][j]))
				}
				parts[j] = fmt.Sprintf(format, median(values))
			}
			return parts[0] + " / " + parts[1]
		}
		fmt.Fprintf(w, "| %s | %d | %d | %s | %s | %s | %s | %s |\n", s.title, len(results[i]), len(results[i])-len(counted),
			column("%.4g", func(m *measured) float64 { return m.units / m.length.Seconds() }),
			column("%.0f %%", func(m *measured) float64 { return 100 * m.used.kernelShare() }),
			column("%.0f %%", func(m *measured) float64 { return 100 * m.waitedShare() }),
			column("%.0f %%", func(m *measured) float64 { return 100 * m.balancer.idleShare() }),
			column("%.0f %%", func(m *measured) float64 { return 100 * m.load.idleShare() }))
		for n, r := range results[i] {
			for j, m := range r {
				if m.wrong != "" {
					notes = append(notes, fmt.Sprintf("- %s, round %d: %s: %s.", s.title, n+1, b.subjects[j].name, strings.Join(strings.Fields(m.wrong), " ")))
				}
			}
		}
	}
	if len(notes) > 0 {
		fmt.Fprintf(w, "\nLeft out:\n\n%s\n", strings.Join(notes, "\n"))
	}
}

// verdict is what the rounds of one scenario come to.
type verdict struct {
	costs            [2][]float64 // of the rounds that count, in the order of bench.subjects
	ratio, low, high float64      // sluice/HAProxy: median of the pairs and its 95 % interval
	verdict          string
}

// leastRounds is the number of rounds below which nothing is claimed.
const leastRounds = 5

func judge(s *scenario, rounds []round, seed uint64) verdict {
	var v verdict
	var ratios []float64
	for _, r := range counting(rounds) {
		a, b := r[0].cost(s), r[1].cost(s)
		v.costs[0], v.costs[1] = append(v.costs[0], a), append(v.costs[1], b)
		ratios = append(ratios, a/b)
	}
	v.ratio = median(ratios)
	v.low, v.high = bootstrap(ratios, seed)
	switch {
	case len(ratios) < leastRounds:
		v.verdict = fmt.Sprintf("not said: fewer than %d rounds", leastRounds)
	case v.high <= s.target:
		v.verdict = "yes"
	case v.ratio <= s.target:
		v.verdict = "yes, but the interval reaches over it"
	case v.low <= s.target:
		v.verdict = "no, but the interval reaches it"
	default:
		v.verdict = "no"
	}
	return v
}

// counting leaves out the rounds in which either run went wrong.
func counting(rounds []round) []round {
	var good []round
	for _, r := range rounds {
		if !r.wrong() {
			good = append(good, r)
		}
	}
	return good
}

func spread(values []float64, unit string) string {
	if len(values) == 0 {
		return "–"
	}
	return fmt.Sprintf("%s %s (%s–%s)", short(median(values)), unit, short(quantile(values, 0)), short(quantile(values, 1)))
}

// short shows three digits.
func short(v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprint(v)
	}
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	return fmt.Sprintf("%.*f", digits, v)
}
