package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/sluice-lb/sluice/bench/result"
)

// callsTable has the system calls of a scenario by name, those that are made most first, or is nil. Those of which nobody makes one in
// 200 units are left out.
func callsTable(s *result.Scenario, subjects []string) *table {
	counts := map[string]map[string]float64{}
	most := map[string]float64{}
	var counted []string
	for _, name := range subjects {
		calls := s.CallsByName(name)
		if calls == nil {
			continue
		}
		counted = append(counted, name)
		counts[name] = calls
		for call, n := range calls {
			most[call] = max(most[call], n)
		}
	}
	if len(counted) == 0 {
		return nil
	}
	others := most[result.Others]
	delete(most, result.Others)
	order := slices.SortedFunc(maps.Keys(most), func(a, b string) int {
		return cmp.Or(cmp.Compare(most[b], most[a]), cmp.Compare(a, b))
	})
	if others > 0 {
		order, most[result.Others] = append(order, result.Others), others // at the end, whatever they are
	}
	t := &table{Head: slices.Concat([]string{"system calls per " + s.Unit}, counted)}
	for _, call := range order {
		if most[call] < 0.005 {
			continue
		}
		row := []string{call}
		if call != result.Others {
			row[0] = "`" + call + "`"
		}
		for _, name := range counted {
			row = append(row, calls(counts[name][call]))
		}
		t.Rows = append(t.Rows, row)
	}
	row := []string{"all"}
	for _, name := range counted {
		all, _ := s.Calls(name)
		row = append(row, calls(all))
	}
	t.Rows = append(t.Rows, row)
	return t
}

// calls shows a number of calls.
func calls(n float64) string {
	switch {
	case n < 0.005:
		return nothing
	case n < 100:
		return strconv.FormatFloat(n, 'f', 2, 64)
	default:
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
}

// profileTable has the symbols in which each subject was most, in % of its time, or is nil.
func profileTable(s *result.Scenario, subjects []string, rows int) *table {
	t := &table{Head: []string{"in % of its time"}, Rows: [][]string{{"all outside the kernel"}, {"samples"}}}
	for i := range rows {
		t.Rows = append(t.Rows, []string{fmt.Sprint(i + 1)})
	}
	for _, name := range subjects {
		p := s.Profile(name)
		if p == nil || p.Samples == 0 {
			continue
		}
		share := func(n int64) string { return strconv.FormatFloat(100*float64(n)/float64(p.Samples), 'f', 1, 64) }
		t.Head = append(t.Head, name)
		t.Rows[0] = append(t.Rows[0], share(p.Outside))
		t.Rows[1] = append(t.Rows[1], fmt.Sprint(p.Samples))
		for i := range rows {
			cell := ""
			if i < len(p.Top) {
				cell = share(p.Top[i].Samples) + " " + symbol(p.Top[i])
			}
			t.Rows[i+2] = append(t.Rows[i+2], cell)
		}
	}
	if len(t.Head) == 1 {
		return nil
	}
	return t
}

// symbol shows what is not the kernel's in bold type.
func symbol(s result.Symbol) string {
	if s.Kernel {
		return "`" + s.Name + "`"
	}
	return "**`" + s.Name + "`**"
}

// rowsOfProfile is the number of symbols that a report shows.
const rowsOfProfile = 12

const profileNote = "Where the balancers are while they run (`perf record -e cpu-clock`, in a run of its own). What is not in the kernel is **bold**. Code that runs with interrupts " +
	"off shows where they come on again: `_raw_spin_unlock_irqrestore`, `finish_task_switch` and `handle_softirqs` hold more than themselves."

// inside shows what was found by looking into the subjects.
func (p *part) inside(s *result.Scenario) {
	subjects := p.everyBalancer()
	if t := callsTable(s, subjects); t != nil {
		p.paragraph("System calls by name, counted by `perf stat` in a run of its own:")
		p.table(t)
	}
	if t := profileTable(s, subjects, rowsOfProfile); t != nil {
		p.paragraph("%s", profileNote)
		p.table(t)
	}
}

// everyBalancer are the subjects but for none.
func (p *part) everyBalancer() (list []string) {
	for _, s := range p.file.Subjects {
		if s.Kind != "direct" {
			list = append(list, s.Name)
		}
	}
	return list
}
