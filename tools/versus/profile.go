package main

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// profile samples both balancers in each scenario and gives the symbols in which they were most.
func (b *bench) profile(chosen []*scenario) (string, error) {
	var text strings.Builder
	b.describe(&text)
	fmt.Fprintf(&text, "Symbols in which the balancer was most, in %% of its time (`perf record -e cpu-clock`).\n")
	for _, s := range chosen {
		var tops [2][]symbol
		var outside [2]float64
		for i, subject := range b.subjects {
			var all []symbol
			err := b.attempt(func() (err error) {
				all, err = b.sampled(s, subject)
				return err
			})
			if err != nil {
				return "", fmt.Errorf("%s: %s: %w", s.title, subject.name, err)
			}
			tops[i], outside[i] = all[:min(len(all), topSymbols)], outsideKernel(all)
		}
		fmt.Fprintf(&text, "\n%s:\n\n| sluice | %% | haproxy | %% |\n|---|---|---|---|\n", s.title)
		fmt.Fprintf(&text, "| all outside the kernel | %.1f | all outside the kernel | %.1f |\n", outside[0], outside[1])
		for i := range max(len(tops[0]), len(tops[1])) {
			fmt.Fprintf(&text, "| %s | %s |\n", cell(tops[0], i), cell(tops[1], i))
		}
	}
	return text.String(), nil
}

const topSymbols = 12

func cell(top []symbol, i int) string {
	if i >= len(top) {
		return " | "
	}
	return fmt.Sprintf("`%s` | %.1f", top[i].name, top[i].percent)
}

// sampled runs the scenario's load for as long as perf watches.
func (b *bench) sampled(s *scenario, subject *subject) ([]symbol, error) {
	process, port, err := b.startSubject(subject, s.origin(b))
	if err != nil {
		return nil, err
	}
	defer process.stop()
	data := filepath.Join(b.dir, subject.name+".perf")
	perf, err := b.launcher.serve(b.ctx, "perf", b.options.loadCPU, "perf", "record", "-q", "-e", "cpu-clock", "-F", "997", "-o", data,
		"-p", strconv.Itoa(process.pid()))
	if err != nil {
		return nil, err
	}
	defer perf.stop()
	time.Sleep(2 * settle)
	for end := time.Now().Add(time.Duration(b.options.seconds * float64(time.Second))); time.Now().Before(end); {
		if _, _, err := s.load(b.ctx, b, port, b.options.seconds); err != nil {
			return nil, err
		}
		if err := perf.alive(); err != nil {
			return nil, err
		}
	}
	perf.stop()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	report, err := b.command(ctx, "perf", "report", "--stdio", "-i", data, "--no-children", "-F", "overhead,symbol", "-g", "none", "--percent-limit", "0.01")
	if err != nil {
		return nil, err
	}
	if n := parseSamples(report); n < leastSamples {
		return nil, fmt.Errorf("perf took %g samples, %d are needed", n, leastSamples)
	}
	return parseSymbols(report), nil
}

// leastSamples is the number below which shares are chance.
const leastSamples = 300

var samplesLine = regexp.MustCompile(`(?m)^# Samples: (\d+)([KM]?) `)

// parseSamples gives the number of samples that the report is about; perf rounds it.
func parseSamples(report string) float64 {
	m := samplesLine.FindStringSubmatch(report)
	if m == nil {
		return 0
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0
	}
	return n * map[string]float64{"": 1, "K": 1e3, "M": 1e6}[m[2]]
}

// outsideKernel sums up the balancer's own code, and that of its libraries and runtime.
func outsideKernel(all []symbol) (percent float64) {
	for _, s := range all {
		if !strings.HasPrefix(s.name, kernelMark) {
			percent += s.percent
		}
	}
	return percent
}

const kernelMark = "[k] "

// symbol is one line of perf's report.
type symbol struct {
	name    string // "[k] " before those of the kernel
	percent float64
}

var symbolLine = regexp.MustCompile(`(?m)^\s*(\d+\.\d+)%\s+\[(.)\]\s+(\S.*?)\s*$`)

func parseSymbols(report string) []symbol {
	var all []symbol
	for _, m := range symbolLine.FindAllStringSubmatch(report, -1) {
		percent, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			continue
		}
		name := m[3]
		if m[2] == "k" {
			name = kernelMark + name
		}
		all = append(all, symbol{name, percent})
	}
	return all
}
