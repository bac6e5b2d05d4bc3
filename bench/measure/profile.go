//go:build linux

package measure

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Profile samples where processes are while they run on a core, with perf(1). The clock is a timer interrupt: code that runs with
// interrupts off shows at the place where they come on again (in the kernel _raw_spin_unlock_irqrestore, finish_task_switch and handle_softirqs).
type Profile struct {
	*perf
	file string
}

// Symbol is a function and the samples that were in it.
type Symbol struct {
	Name    string
	Kernel  bool
	Samples int64
}

// samplingRate is per second of CPU. It is not a round number, so that it does not keep step with something.
const samplingRate = 2999

const clockEvent = "cpu-clock"

// CanProfile tells why processes cannot be sampled here. Its file is made in directory, and removed.
func CanProfile(ctx context.Context, directory string) error {
	file := filepath.Join(directory, "can.perf")
	defer os.Remove(file)
	if output, err := exec.CommandContext(ctx, "perf", "record", "-q", "-e", clockEvent, "-o", file, "true").CombinedOutput(); err != nil {
		return firstFailure(output, err)
	}
	return nil
}

// PrepareProfile attaches to processes. Nothing is sampled before Begin and after End. Its file is in directory until Stop.
func PrepareProfile(pids []int, directory string) (*Profile, error) {
	file := filepath.Join(directory, "profile.perf")
	p, err := startPerf("record", pids, "-q", "-e", clockEvent, "-F", strconv.Itoa(samplingRate), "-o", file)
	return &Profile{p, file}, err
}

// Stop ends perf and gives the symbols in which there were samples, those with the most first.
func (p *Profile) Stop(ctx context.Context) ([]Symbol, error) {
	said := p.finish()
	defer os.Remove(p.file)
	report, err := exec.CommandContext(ctx, "perf", "report", "--stdio", "-q", "-i", p.file, "--no-children", "-F", "sample,symbol", "-g", "none").Output()
	if err != nil {
		return nil, fmt.Errorf("perf report: %w: %s", err, said)
	}
	return parseSymbols(string(report))
}

// symbolLine is "  123  [k] tcp_ack" of perf report.
var symbolLine = regexp.MustCompile(`(?m)^\s*(\d+)\s+\[(.)\]\s+(\S.*?)\s*$`)

// parseSymbols adds up what has the same name: a program's and a library's function can.
func parseSymbols(report string) ([]Symbol, error) {
	type key struct {
		name   string
		kernel bool
	}
	sum := map[key]int64{}
	for _, m := range symbolLine.FindAllStringSubmatch(report, -1) {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("perf report: %q: %w", m[0], err)
		}
		sum[key{m[3], m[2] == "k"}] += n
	}
	var symbols []Symbol
	for k, n := range sum {
		symbols = append(symbols, Symbol{k.name, k.kernel, n})
	}
	slices.SortFunc(symbols, func(a, b Symbol) int {
		return cmp.Or(cmp.Compare(b.Samples, a.Samples), strings.Compare(a.Name, b.Name))
	})
	return symbols, nil
}
