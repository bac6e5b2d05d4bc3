//go:build linux

package runner

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-lb/sluice/bench/load"
	"github.com/sluice-lb/sluice/bench/measure"
	"github.com/sluice-lb/sluice/bench/result"
	"github.com/sluice-lb/sluice/bench/scenario"
	"github.com/sluice-lb/sluice/bench/subject"
)

// atLimit is the share of the time from which on cores count as fully used.
const atLimit = 0.95

// evaluate turns what was seen into metrics and marks.
func (r *runner) evaluate(p *place, s *subject.Subject, look *seen) *result.Run {
	l := look.load
	run := &result.Run{Subject: s.Name, Length: l.Duration, Units: p.Units(l), Values: map[string]float64{}}
	if p.RestartAfter > 0 {
		for _, t := range l.Timeline {
			run.Timeline = append(run.Timeline, t.Requests)
		}
	}
	span := measure.Between(look.before.machine, look.after.machine)
	used := look.after.subject.Minus(look.before.subject)
	cores := r.cores.Subjects[loops(p.Scenario)]
	v := run.Values
	v["load_busy"] = span.BusyShare(r.cores.Load...)
	v["stolen"] = span.StolenShare()
	v["errors"] = float64(sum(l.Errors))
	if !s.Direct() {
		v["subject_busy"] = span.BusyShare(cores...)
		v["waited"] = disturbed(used.Waited, span.Busy(cores...), used.Ran, look.after.softirq.Minus(look.before.softirq).Ran, span.Length)
	}
	if p.Memory {
		r.memory(p, s, look, run)
	} else if run.Units > 0 {
		rates(v, run, span, used, !s.Direct())
		v["load_cpu"] = (l.User + l.System) * 1e9 / run.Units
		if p.RestartAfter == 0 {
			v["origin_cpu"] = float64(look.after.origin.Minus(look.before.origin).Ran) / run.Units
		}
	}
	if l.Latency.Count > 0 && !p.Memory {
		for name, value := range map[string]int64{"p50": l.Latency.P50, "p90": l.Latency.P90, "p99": l.Latency.P99, "p999": l.Latency.P999, "max": l.Latency.Max} {
			v[name] = float64(value)
		}
	}
	classes(v, l.PerTarget)
	if p.RestartAfter > 0 {
		if back, ok := recovery(l.Timeline, time.Duration(p.RestartAfter*float64(p.spec.Duration)), look.restarted); ok {
			v["recovery"] = float64(back)
		} else {
			run.Marks = append(run.Marks, "the rate did not come back")
		}
	}
	run.Marks = append(run.Marks, r.marks(p, s, l, run, cores)...)
	return run
}

// rates are what is related to the work. The looks at the processes are a little apart from the load's own clock edges, so the
// time of each is used for what it saw.
func rates(v map[string]float64, run *result.Run, span measure.Span, used measure.Process, balancer bool) {
	rate := run.Units / run.Length.Seconds()
	units := rate * span.Length.Seconds()
	v["rate"], v["time"] = rate, 1e9/rate
	v["machine"] = float64(span.Busy()) / units
	if balancer {
		v["cpu"] = float64(used.Ran) / units
		v["cpu_system"] = float64(used.System()) / units
		v["cpu_user"] = v["cpu"] - v["cpu_system"]
		v["switches"] = float64(used.Switches) / units
	}
}

func (r *runner) memory(p *place, s *subject.Subject, look *seen, run *result.Run) {
	flows := float64(look.load.Connections)
	if flows == 0 {
		return
	}
	grown := look.memory[1].Minus(look.memory[0])
	run.Values["kernel_per_flow"] = float64(grown.Kernel) / flows
	if !s.Direct() {
		run.Values["process_per_flow"] = float64(grown.PSS) / flows
		run.Values["rss"], run.Values["pss"] = float64(look.memory[1].RSS), float64(look.memory[1].PSS)
	}
}

// marks say why a run does not count.
func (r *runner) marks(p *place, s *subject.Subject, l *load.Result, run *result.Run, cores []int) (marks []string) {
	v := run.Values
	if n := sum(l.Errors); p.RestartAfter == 0 && float64(n) > float64(l.Requests)/1000 {
		marks = append(marks, "the load met errors: "+list(l.Errors))
	}
	if run.Units == 0 {
		marks = append(marks, "nothing was done")
	}
	if p.Memory {
		if int(l.Connections) < p.spec.Connections {
			marks = append(marks, fmt.Sprintf("only %d of %d connections were open", l.Connections, p.spec.Connections))
		}
		return marks
	}
	apart := !slices.ContainsFunc(cores, func(c int) bool { return slices.Contains(r.cores.Load, c) })
	if !s.Direct() || p.Capacity > 0 { // without a balancer and a schedule the generator is what is measured
		limited := v["load_busy"] >= atLimit || l.Saturated
		run.Limited = limited && (p.Capacity > 0 || v["subject_busy"] < atLimit)
	}
	if apart && v["waited"] > r.Tolerate {
		marks = append(marks, "the balancer waited for its core too long")
	}
	if v["stolen"] > r.Tolerate {
		marks = append(marks, "the hypervisor took too much of the cores")
	}
	return marks
}

func sum(errors map[string]uint64) (n uint64) {
	for _, k := range errors {
		n += k
	}
	return n
}

func list(errors map[string]uint64) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(errors)) {
		words = append(words, fmt.Sprintf("%d %s", errors[name], name))
	}
	return strings.Join(words, ", ")
}

// recovery is how long after the origin was back the rate was at 90 % of what it had been before, to a tenth of a second.
func recovery(timeline []load.Tick, ended, back time.Duration) (time.Duration, bool) {
	const tick = 100 * time.Millisecond
	var before []float64
	for i, t := range timeline {
		at := time.Duration(i) * tick
		if at+tick <= ended {
			before = append(before, float64(t.Requests))
		}
		if at >= back && len(before) > 0 && float64(t.Requests) >= 0.9*result.Median(before) {
			return max(0, at+tick-back), true
		}
	}
	return 0, false
}

// share divides the machine's cores: the first ones for the subject, as many as it has loops, and those that are left by the
// scenario with the most loops for load and origins. If none is left they have the last one, and share it.
func share(scenarios []scenario.Scenario, n int) result.Cores {
	c := result.Cores{Subjects: map[int][]int{}}
	most := 1
	for i := range scenarios {
		l := loops(&scenarios[i])
		most = max(most, l)
		c.Subjects[l] = upTo(0, min(l, n))
	}
	c.Load = upTo(min(most, n-1), n)
	return c
}

// upTo gives the numbers from first to before end.
func upTo(first, end int) (numbers []int) {
	for i := first; i < end; i++ {
		numbers = append(numbers, i)
	}
	return numbers
}
