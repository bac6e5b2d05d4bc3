// Command versus measures what a connection's bytes cost in sluice and in HAProxy, on one machine, in one run.
//
//	go run ./tools/versus [-rounds 7] [-seconds 4] [-only keepalive,close,bulk1,bulk8] [-write docs/performance.md]
//	go run ./tools/versus -strace      # system calls per request, connection and MB
//	go run ./tools/versus -perf        # where the time goes, by symbol
//
// Both balancers read the same configuration, each with one thread pinned to one core; the load and the origin share
// another core. What is measured is the CPU time of the balancer's threads (schedstat, in ns), divided by the work done.
// A round measures both, one after the other; who goes first changes with each round. The verdict is the median of the
// rounds' ratios, so slow changes of the machine cancel out. Runs in which the load met errors, or the balancer had to
// wait for its core, are marked and left out together with their partner.
//
// Everything it starts, it ends by pid, also on Ctrl-C; its files are in one temporary directory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// usuallyTolerated is the default of -tolerate. Above it the page says that the machine was not quiet.
const usuallyTolerated = 0.05

type options struct {
	rounds      int
	seconds     float64 // of one wrk run
	gib         float64 // of one bulk run
	only        string
	binary      string // sluice; empty: built from the working directory
	haproxy     string
	balancerCPU int
	loadCPU     int
	tolerate    float64 // share of a run that a balancer may wait for its core
	seed        uint64
	write       string
	strace      bool
	perf        bool
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == roleWord {
		if err := playRole(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "versus:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 7, "rounds; each measures both balancers")
	flag.Float64Var(&o.seconds, "seconds", 4, "length of one run under wrk")
	flag.Float64Var(&o.gib, "gib", 1, "size of one bulk run in GiB, over all streams")
	flag.StringVar(&o.only, "only", "", "what to measure, of "+strings.Join(groups(), ",")+"; empty: all")
	flag.StringVar(&o.binary, "binary", "", "sluice's binary; empty: built from the working directory")
	flag.StringVar(&o.haproxy, "haproxy", firstOf(os.Getenv("HAPROXY"), "haproxy"), "HAProxy's binary; also the variable HAPROXY")
	flag.IntVar(&o.balancerCPU, "cpu", 0, "core of the balancers")
	flag.IntVar(&o.loadCPU, "load-cpu", 1, "core of the load and the origins")
	flag.Float64Var(&o.tolerate, "tolerate", usuallyTolerated, "share of a run that a balancer may have waited for its core")
	flag.Uint64Var(&o.seed, "seed", 1, "of the bootstrap")
	flag.StringVar(&o.write, "write", "", "replace the text between the markers in this file, too")
	flag.BoolVar(&o.strace, "strace", false, "count system calls instead (strace -c -f)")
	flag.BoolVar(&o.perf, "perf", false, "profile instead (perf record)")
	flag.Parse()

	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, &o); err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			err = errors.New("interrupted")
		}
		fmt.Fprintln(os.Stderr, "versus:", err)
		cancel()
		os.Exit(1)
	}
}

func run(ctx context.Context, o *options) error {
	if flag.NArg() > 0 || o.rounds < 1 || o.seconds <= 0 || o.gib <= 0 || o.strace && o.perf {
		return errors.New("wrong arguments; see -h")
	}
	chosen, err := choose(o.only)
	if err != nil {
		return err
	}
	// A bound for everything: twice what the runs should take, and a minute.
	limit := time.Duration(float64(len(chosen)*(o.rounds+2)*2)*max(o.seconds, 5*o.gib)*2)*time.Second + time.Minute
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer b.close()
	var text, part string
	switch {
	case o.strace:
		part = "system calls"
		text, err = b.countCalls(chosen)
	case o.perf:
		part = "profile"
		text, err = b.profile(chosen)
	default:
		part = "results"
		text, err = b.compare(chosen)
	}
	if err != nil {
		return err
	}
	fmt.Print(text)
	if o.write != "" {
		return replaceInFile(o.write, part, text)
	}
	return nil
}

// choose gives the scenarios of the groups named in a comma-separated list.
func choose(only string) ([]*scenario, error) {
	if only == "" {
		return scenarios, nil
	}
	names := strings.Split(only, ",")
	for _, n := range names {
		if !slices.Contains(groups(), n) {
			return nil, fmt.Errorf("-only: %q is none of %s", n, strings.Join(groups(), ", "))
		}
	}
	var chosen []*scenario
	for _, s := range scenarios {
		if slices.Contains(names, s.group) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

func firstOf(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
