package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// countCalls runs each scenario once under strace and gives the system calls per unit, side by side. Being traced makes
// the balancers slow, so the batches are larger than in real life; what is done per unit is the same.
func (b *bench) countCalls(chosen []*scenario) (string, error) {
	var text strings.Builder
	b.describe(&text)
	fmt.Fprintf(&text, "System calls per unit (errors in parentheses), counted by `strace -c -f`.\n")
	for _, s := range chosen {
		var counts [2]map[string]callCount
		var units [2]float64
		for i, subject := range b.subjects {
			err := b.attempt(func() (err error) {
				counts[i], units[i], err = b.traced(s, subject)
				return err
			})
			if err != nil {
				return "", fmt.Errorf("%s: %s: %w", s.title, subject.name, err)
			}
		}
		writeCalls(&text, s, counts, units)
	}
	return text.String(), nil
}

// attempts is how often a run is tried on a machine that has too much else to do.
const attempts = 3

func (b *bench) attempt(run func() error) error {
	for n := 1; ; n++ {
		err := run()
		if err == nil || n == attempts || b.ctx.Err() != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "once more: %v\n", err)
	}
}

// tracedSeconds is the length of a traced run under wrk.
const tracedSeconds = 2

func (b *bench) traced(s *scenario, subject *subject) (map[string]callCount, float64, error) {
	process, port, err := b.startSubject(subject, s.origin(b))
	if err != nil {
		return nil, 0, err
	}
	defer process.stop()
	if _, _, err := s.load(b.ctx, b, port, 1); err != nil {
		return nil, 0, err
	}
	time.Sleep(2 * settle) // what the warm-up left is not counted
	strace, err := b.launcher.serve(b.ctx, "strace", b.options.loadCPU, "strace", "-c", "-f", "-U", "name,calls,errors", "-p", strconv.Itoa(process.pid()))
	if err != nil {
		return nil, 0, err
	}
	defer strace.stop()
	time.Sleep(2 * settle) // until it is attached
	units, wrong, err := s.load(b.ctx, b, port, tracedSeconds)
	if err != nil {
		return nil, 0, err
	}
	if wrong != "" {
		return nil, 0, fmt.Errorf("the load met errors: %s", wrong)
	}
	strace.stop()
	counts, err := parseStrace(strace.output.String())
	return counts, units, err
}

// callCount is one line of strace's summary.
type callCount struct{ calls, errors int64 }

// parseStrace reads the summary of strace -c -U name,calls,errors.
func parseStrace(output string) (map[string]callCount, error) {
	counts := map[string]callCount{}
	inside := false
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 0 && strings.HasPrefix(fields[0], "----"):
			if inside = !inside; !inside {
				return counts, nil
			}
		case inside && (len(fields) == 2 || len(fields) == 3):
			var c callCount
			var err error
			if c.calls, err = strconv.ParseInt(fields[1], 10, 64); err != nil {
				return nil, fmt.Errorf("strace: %q: %w", line, err)
			}
			if len(fields) == 3 {
				if c.errors, err = strconv.ParseInt(fields[2], 10, 64); err != nil {
					return nil, fmt.Errorf("strace: %q: %w", line, err)
				}
			}
			counts[fields[0]] = c
		}
	}
	return nil, fmt.Errorf("strace gave no whole summary: %q", output)
}

func writeCalls(w io.Writer, s *scenario, counts [2]map[string]callCount, units [2]float64) {
	all := map[string]int64{}
	for _, c := range counts {
		for name, n := range c {
			all[name] += n.calls
		}
	}
	names := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if all[a] != all[b] {
			return int(all[b] - all[a])
		}
		return strings.Compare(a, b)
	})
	fmt.Fprintf(w, "\n%s:\n\n| per %s | sluice | haproxy |\n|---|---|---|\n", s.title, s.unit)
	var sums [2]float64
	for _, name := range names {
		var cells [2]string
		shown := false
		for i, c := range counts {
			n := float64(c[name].calls) / units[i]
			sums[i] += n
			cells[i] = perUnit(n)
			if e := float64(c[name].errors) / units[i]; e >= 0.005 {
				cells[i] += " (" + perUnit(e) + ")"
			}
			shown = shown || n >= 0.005
		}
		if shown {
			fmt.Fprintf(w, "| %s | %s | %s |\n", name, cells[0], cells[1])
		}
	}
	fmt.Fprintf(w, "| all | %s | %s |\n", perUnit(sums[0]), perUnit(sums[1]))
}

func perUnit(n float64) string {
	if n >= 100 {
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
	return strconv.FormatFloat(n, 'f', 2, 64)
}
