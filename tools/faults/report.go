package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// report writes the tables, and returns what in them is out of its bounds.
func (p plan) report(all []*side, results []*result, flaps []*flapping) (string, error) {
	var b strings.Builder
	var wrong []error
	c := p.settings
	fmt.Fprintf(&b, "%d servers, `inter %v fastinter %v downinter %v rise %d fall %d`, `timeout connect %v`, `timeout check %v`, `retries %d`; "+
		"%d requests per second to each of two listeners, without and with `option redispatch 1`. Each fault befalls %d servers at once, so each "+
		"time below is the smallest and the largest of %d, in seconds.\n\n",
		len(all[0].servers), c.inter, c.fast, c.down, c.rise, c.fall, c.connect, c.check, p.retries, p.rate, p.each, p.each*len(listeners))
	b.WriteString("| fault | reason in the log | program | DOWN after, by arithmetic | measured | UP after, by arithmetic | measured | requests | lost without redispatch | lost with | late without | late with |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		down, up := c.untilDown(r.fails(c)), c.untilUp(r.fails(c))
		for k, s := range all {
			o := r.sides[k]
			plain, again := o.tallies[0], o.tallies[1]
			fmt.Fprintf(&b, "| %s | %s | %s | %v | %s | %v | %s | %d + %d | %d | %d | %d | %d |\n", r.name, r.reason, s.name,
				down, measured(o.down), up, measured(o.up), plain.all, again.all, plain.lost, again.lost, plain.late, again.late)
			who := s.name + ", " + r.name
			for _, text := range o.missing {
				wrong = append(wrong, fmt.Errorf("%s: the log never said '%s'", who, text))
			}
			for _, text := range o.wrong {
				wrong = append(wrong, fmt.Errorf("%s: not '%s': %s", who, r.reason, text))
			}
			for _, d := range o.down {
				if !down.holds(d, p.grace) {
					wrong = append(wrong, fmt.Errorf("%s: DOWN after %s s, not %v", who, seconds(d), down))
				}
			}
			for _, d := range o.up {
				if !up.holds(d, p.grace) {
					wrong = append(wrong, fmt.Errorf("%s: UP after %s s, not %v", who, seconds(d), up))
				}
			}
			if plain.all == 0 || again.all == 0 {
				wrong = append(wrong, fmt.Errorf("%s: no requests were made", who))
			}
		}
	}
	b.WriteString("\nLate is an answer after more than a second. What checks that only connect did not see:")
	comma := " "
	for _, r := range results {
		for k, s := range all {
			if n := r.sides[k].unseen; n > 0 {
				fmt.Fprintf(&b, "%s%s (%s, %d of %d servers)", comma, r.name, s.name, n, p.each)
				comma = "; "
			}
		}
	}
	if comma == " " {
		b.WriteString(" nothing")
	}
	b.WriteString(".\n")
	p.reportFlaps(&b, all, flaps)
	return b.String(), errors.Join(wrong...)
}

func (p plan) reportFlaps(b *strings.Builder, all []*side, flaps []*flapping) {
	if len(flaps) == 0 {
		return
	}
	fmt.Fprintf(b, "\nOne server that goes for %v and comes for %v, %d times:\n\n", p.period, p.period, p.flaps)
	b.WriteString("| program | damp | times DOWN | UP for good, seconds after it came the last time | requests | lost without redispatch | lost with |\n|---|---|---|---|---|---|---|\n")
	for _, f := range flaps {
		damp := "–"
		if f.damped {
			damp = "`" + p.damp + "`"
		}
		for k, o := range f.sides {
			fmt.Fprintf(b, "| %s | %s | %d | %s | %d + %d | %d | %d |\n", all[k].name, damp, o.downs, seconds(o.back),
				o.tallies[0].all, o.tallies[1].all, o.tallies[0].lost, o.tallies[1].lost)
		}
	}
	for _, f := range flaps {
		for _, o := range f.sides {
			for _, text := range o.said {
				fmt.Fprintf(b, "\n    %s\n", text)
			}
		}
	}
}

// machine is what the numbers were taken on.
func machine(kinds []kind) string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.version())
	}
	var uts syscall.Utsname
	syscall.Uname(&uts)
	var release []byte
	for _, c := range uts.Release {
		if c == 0 {
			break
		}
		release = append(release, byte(c))
	}
	return fmt.Sprintf("Taken on %d cores (%s, Linux %s) with other work on them; %s.\n", runtime.NumCPU(), runtime.GOARCH, release, strings.Join(names, "; "))
}

// fill puts a text into its place on a page: between "<!-- faults: PART -->" and "<!-- end of PART -->".
func fill(page, part, text string) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	filled, err := filled(string(old), part, text)
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	return os.WriteFile(page, []byte(filled), 0o644)
}

func filled(page, part, text string) (string, error) {
	begin, end := "<!-- faults: "+part+" -->\n", "<!-- end of "+part+" -->"
	before, rest, found := strings.Cut(page, begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended || strings.Contains(after, begin) {
		return "", fmt.Errorf("there is no single place %q with its end", strings.TrimSpace(begin))
	}
	return before + begin + "\n" + strings.TrimSpace(text) + "\n\n" + end + after, nil
}
