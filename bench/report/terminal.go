package report

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/sluice-lb/sluice/bench/result"
)

// Summary writes a table for a terminal: each scenario's main metrics, and the ratio of the first.
func Summary(out io.Writer, f *result.File) {
	to := reference(f)
	for i := range f.Scenarios {
		s := &f.Scenarios[i]
		if len(s.Runs) == 0 {
			continue
		}
		fmt.Fprintf(out, "\n%s (%s)\n", s.Title, s.Name)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(w, "\t")
		for _, name := range s.Main {
			fmt.Fprintf(w, "%s\t", title(result.MetricOf(name), s.Unit))
		}
		fmt.Fprintf(w, "ratio to %s\tcount\t\n", to)
		for _, x := range f.Subjects {
			runs, marked, limited := s.Count(x.Name)
			if runs == 0 {
				continue
			}
			fmt.Fprintf(w, "%s\t", x.Name)
			for _, name := range s.Main {
				if values := s.Values(x.Name, name); len(values) > 0 {
					fmt.Fprintf(w, "%s\t", show(result.MetricOf(name).Kind, result.Median(values)))
				} else {
					fmt.Fprintf(w, "%s\t", nothing)
				}
			}
			compared := nothing
			if x.Name != to {
				compared = ratio(s.Ratio(x.Name, to, s.Main[0]))
			}
			fmt.Fprintf(w, "%s\t%s\t\n", compared, counted(runs, marked, limited))
		}
		w.Flush()
	}
}

// counted says how many runs count.
func counted(runs, marked, limited int) string {
	text := fmt.Sprintf("%d of %d", runs-marked, runs)
	if limited > 0 {
		text += fmt.Sprintf(", %d limited", limited)
	}
	return text
}

// Diff writes what has changed from old to latest. With all it writes what has not, too.
func Diff(out io.Writer, old, latest *result.File, reference string, all bool) {
	if a, b := old.Machine, latest.Machine; a.Processor != b.Processor || a.Kernel != b.Kernel || a.Cores != b.Cores {
		fmt.Fprintf(out, "The machines differ: %s, %d cores, Linux %s and %s, %d cores, Linux %s.\n", a.Processor, a.Cores, a.Kernel, b.Processor, b.Cores, b.Kernel)
		if reference == "" {
			fmt.Fprintln(out, "Compare what they have in common with -against SUBJECT.")
		}
	}
	changes := result.Diff(old, latest, reference)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "scenario\tsubject\tmetric\told\tnew\tnew/old (99 %)\t")
	beyond, few := 0, 0
	for _, c := range changes {
		said := ""
		switch {
		case c.Beyond:
			beyond++
			said = "more"
			if c.Ratio.Value < 1 {
				said = "less"
			}
		case !c.Ratio.Certain():
			few++
			said = "too few runs"
		}
		if c.Beyond || all {
			kind := c.Metric.Kind
			if reference != "" {
				kind = result.Number // they are ratios
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.3f (%.3f–%.3f)\t%s\n", c.Scenario, c.Subject, c.Metric.Title, show(kind, c.Old), show(kind, c.New),
				c.Ratio.Value, c.Ratio.Low, c.Ratio.High, said)
		}
	}
	if beyond > 0 || all {
		w.Flush()
	}
	fmt.Fprintf(out, "%d of %d comparisons are beyond the noise; by chance alone about one in a hundred is. %d had too few runs that count.\n", beyond, len(changes), few)
}
