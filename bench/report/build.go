package report

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-lb/sluice/bench/result"
)

// build makes the document of some results, one after the other.
func build(files []Named) (document, error) {
	var d document
	d.heading(1, "Balancers, measured")
	d.paragraph("Made by `bench report` from %s. What the words mean, and what the figures cannot tell, is in `bench/README.md`.", names(files))
	for i, f := range files {
		p := &part{document: &d, file: f.File, reference: reference(f.File)}
		if len(files) > 1 {
			p.prefix = fmt.Sprintf("%d-", i+1)
		}
		if err := p.write(f.Name); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func names(files []Named) string {
	var list []string
	for _, f := range files {
		list = append(list, "`"+filepath.Base(f.Name)+"`")
	}
	return strings.Join(list, ", ")
}

// reference is the subject that ratios are taken to: the first HAProxy, or else the last balancer. Empty: there is none.
func reference(f *result.File) (name string) {
	for _, s := range f.Subjects {
		if s.Kind == "haproxy" {
			return s.Name
		}
		if s.Kind != "direct" {
			name = s.Name
		}
	}
	return name
}

// part is one result's share of the document.
type part struct {
	*document
	file      *result.File
	reference string
	prefix    string // of the plots' names
}

func (p *part) write(name string) error {
	p.heading(2, fmt.Sprintf("%s, %s", filepath.Base(name), p.file.Started.Format("2006-01-02 15:04 UTC")))
	p.conditions()
	p.overview()
	p.ahead()
	p.doors()
	for i := range p.file.Scenarios {
		if err := p.scenario(&p.file.Scenarios[i]); err != nil {
			return err
		}
	}
	p.generator()
	p.left()
	p.configurations()
	return nil
}

func (p *part) conditions() {
	m, f := p.file.Machine, p.file
	kind := ""
	if m.Virtual {
		kind = ", a virtual machine"
	}
	items := []string{
		fmt.Sprintf("%s%s, %d cores, %s of memory; %s, Linux %s; %s", m.Processor, kind, m.Cores, show(result.Bytes, float64(m.Memory)), m.System, m.Kernel, m.Go),
		fmt.Sprintf("%d rounds; a run warms up for %s and is measured for %s; the machine's load before was %.2f", f.Rounds, short(f.Warmup), short(f.Length), m.Load),
	}
	for _, loops := range slices.Sorted(maps.Keys(f.Cores.Subjects)) {
		items = append(items, fmt.Sprintf("with %d loops or threads: balancers on cores %v, load and origins on %v", loops, f.Cores.Subjects[loops], f.Cores.Load))
	}
	for _, s := range f.Subjects {
		if s.Kind == "direct" {
			items = append(items, "`direct`: no balancer, the limit of the load, the origins and the kernel")
			continue
		}
		revision := ""
		if strings.HasPrefix(s.Kind, "sluice") && m.Revision != "" {
			revision = ", tree at `" + m.Revision + "`"
		}
		items = append(items, fmt.Sprintf("`%s`: %s%s", s.Name, s.Version, revision))
	}
	for _, x := range f.Missing {
		items = append(items, fmt.Sprintf("left out: %s: %s", x.Name, x.Reason))
	}
	p.items(items)
	if f.Interrupted {
		p.paragraph("The run was interrupted; this is what there was.")
	}
	if f.Tolerate > usuallyTolerated {
		p.paragraph("The machine was not quiet: runs count although a balancer waited for its core for up to %.0f %% of the time. Take the figures as a first impression.", 100*f.Tolerate)
	}
}

const usuallyTolerated = 0.05

func short(d time.Duration) string { return d.Round(time.Millisecond).String() }

// overview compares all balancers with the reference, in each scenario's own metric.
func (p *part) overview() {
	if p.reference == "" {
		return
	}
	p.heading(3, "Overview: ratios to "+p.reference)
	p.paragraph("Each scenario's own metric, divided by what it is for %s in the same round: median of the pairs and its 95 %% interval. "+
		"Below 1 is less of it, and better, as each of these metrics is a cost. A question mark: fewer than %d pairs, too few to rely on the interval.", p.reference, result.Enough)
	balancers := p.balancers()
	t := &table{Head: slices.Concat([]string{"scenario", "metric"}, balancers, []string{"target of sluice"})}
	for i := range p.file.Scenarios {
		s := &p.file.Scenarios[i]
		m := result.MetricOf(s.Main[0])
		row := []string{s.Title, title(m, s.Unit)}
		for _, b := range balancers {
			row = append(row, ratio(s.Ratio(b, p.reference, m.Name)))
		}
		t.Rows = append(t.Rows, append(row, p.verdict(s)))
	}
	p.table(t)
	p.paragraph("`limited` in the tables below: in so many runs the load or the origins were at their limit before the balancer was. Their rate and latency are the " +
		"generator's, and are in no median and no ratio; what a unit of work cost at that rate is.")
	p.plot(p.prefix+"overview", "ratios to "+p.reference, forest(p.file, p.reference, balancers))
}

// verdict says if sluice met a scenario's target.
func (p *part) verdict(s *result.Scenario) string {
	if s.Target == 0 || !slices.ContainsFunc(p.file.Subjects, func(x result.Subject) bool { return x.Name == own }) {
		return ""
	}
	return fmt.Sprintf("≤ %.2f: %s", s.Target, met(s.Ratio(own, p.reference, s.Main[0]), s.Target))
}

// balancers are the subjects but for the reference, for none, and for those with a kernel's feature, which have a table of their own.
func (p *part) balancers() (list []string) {
	for _, s := range p.file.Subjects {
		if s.Kind != "direct" && s.Name != p.reference && s.Feature == "" {
			list = append(list, s.Name)
		}
	}
	return list
}

func (p *part) scenario(s *result.Scenario) error {
	p.heading(3, s.Title)
	loops := "1 loop or thread"
	if s.Loops > 1 {
		loops = fmt.Sprintf("%d loops or threads", s.Loops)
	}
	p.paragraph("%s (`%s`, over %s, %s)", s.Why, s.Name, s.Network, loops)
	if len(s.Runs) > 0 {
		p.table(p.values(s))
	}
	p.inside(s)
	var notes []string
	for _, x := range s.Missing {
		notes = append(notes, x.Name+": "+x.Reason)
	}
	p.items(notes)
	return p.plots(s)
}

// also are metrics that are shown behind a scenario's main ones, where there are any.
var also = []string{"cpu_user", "cpu_system", "p50", "p99", "p999", "rss", "switches", "offered", "load_busy"}

func (p *part) values(s *result.Scenario) *table {
	metrics := slices.Clone(s.Main)
	for _, name := range also {
		if !slices.Contains(metrics, name) && slices.ContainsFunc(s.Runs, func(r result.Run) bool { return has(r, name) }) {
			metrics = append(metrics, name)
		}
	}
	t := &table{Head: []string{"subject"}}
	for _, name := range metrics {
		t.Head = append(t.Head, title(result.MetricOf(name), s.Unit))
	}
	first := result.MetricOf(s.Main[0])
	t.Head = append(t.Head, "system calls", "runs that count", "ratio to "+p.reference)
	for _, x := range p.file.Subjects {
		runs, marked, limited := s.Count(x.Name)
		if runs == 0 {
			continue
		}
		row := []string{x.Name}
		for i, name := range metrics {
			values := s.Values(x.Name, name)
			m := result.MetricOf(name)
			switch {
			case len(values) == 0:
				row = append(row, nothing)
			case i < len(s.Main):
				row = append(row, spread(m.Kind, values))
			default:
				row = append(row, show(m.Kind, result.Median(values)))
			}
		}
		calls, compared := nothing, nothing
		if n, there := s.Calls(x.Name); there {
			calls = digits(n)
		}
		if x.Name != p.reference {
			compared = ratio(s.Ratio(x.Name, p.reference, first.Name))
		}
		t.Rows = append(t.Rows, append(row, calls, counted(runs, marked, limited), compared))
	}
	return t
}

func has(r result.Run, metric string) bool {
	_, there := r.Values[metric]
	return there
}

// left lists the runs that do not count, with the reasons.
func (p *part) left() {
	reasons := map[string]int{}
	var order []string
	for _, s := range p.file.Scenarios {
		for _, r := range s.Runs {
			for _, m := range r.Marks {
				key := fmt.Sprintf("%s, %s: %s", s.Name, r.Subject, m)
				if reasons[key]++; reasons[key] == 1 {
					order = append(order, key)
				}
			}
		}
	}
	if len(order) == 0 {
		return
	}
	p.heading(3, "Runs that do not count")
	p.paragraph("They are in no median and no ratio.")
	var items []string
	for _, key := range order {
		text := strings.Join(strings.Fields(key), " ")
		if n := reasons[key]; n > 1 {
			text += fmt.Sprintf(" (%d times)", n)
		}
		items = append(items, text)
	}
	p.items(items)
}

// configurations shows what each subject was told in the first scenario that it took part in. Only addresses, limits and servers
// differ in the others; the file has them all.
func (p *part) configurations() {
	p.heading(3, "Configurations")
	for _, x := range p.file.Subjects {
		for _, s := range p.file.Scenarios {
			if text := s.Configurations[x.Name]; text != "" {
				p.code(fmt.Sprintf("%s (%s)", x.Name, s.Name), text)
				break
			}
		}
	}
	var settings []string
	for _, name := range slices.Sorted(maps.Keys(p.file.Machine.Settings)) {
		settings = append(settings, name+" = "+p.file.Machine.Settings[name])
	}
	p.code("Kernel settings", strings.Join(settings, "\n"))
}
