//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-lb/sluice/bench/race"
	subjects "github.com/sluice-lb/sluice/bench/subject"
)

const raceHelp = `Usage: bench race [flags]

Sends requests over loopback through a balancer whose servers have "maxconn 1", and counts those that are stuck: that
wait until "timeout queue" although their server is free. Clients come in lanes, each with a listener and servers of its
own. In a lane every client makes one request at a random moment, and when all have ended they begin again: so nobody
comes later who could set a stuck request free by chance. With -load steady they begin again at once.

A list of values makes one row for each combination.

`

func raceCommand(ctx context.Context, arguments []string, out, remarks io.Writer) error {
	o, inJSON, err := parseRace(arguments, out)
	if err != nil {
		return err
	}
	rows, err := race.Run(ctx, o, remarks)
	if inJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return errors.Join(err, e.Encode(rows))
	}
	race.Write(out, rows)
	return err
}

// parseRace reads the command line.
func parseRace(arguments []string, out io.Writer) (race.Options, bool, error) {
	o := race.Options{}
	f := flag.NewFlagSet("race", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() {
		io.WriteString(out, raceHelp)
		f.PrintDefaults()
	}
	balancers := f.String("balancer", "sluice", "`list` of sluice (built from this tree), haproxy, or paths of programs")
	recheck := f.String("recheck", "on", "sluice's tune.queue-recheck: `list` of on and off")
	loops := f.String("loops", "4", "`list` of loops or threads of the balancer")
	servers := f.String("servers", "1", "`list` of servers in a lane")
	f.IntVar(&o.Lanes, "lanes", 16, "lanes")
	f.IntVar(&o.Clients, "clients", 0, "clients in a lane (default twice as many as servers)")
	f.Uint64Var(&o.Requests, "requests", 1_000_000, "requests of a row; 0: until -seconds")
	seconds := f.Float64("seconds", 120, "most seconds of a row")
	f.DurationVar(&o.Spread, "spread", 0, "requests begin within this time (default: as long as a request lasts)")
	f.DurationVar(&o.TimeoutQueue, "timeout-queue", 2*time.Second, "the balancer's timeout queue")
	f.StringVar(&o.Load, "load", "rounds", "rounds, or steady")
	f.StringVar(&o.Balance, "balance", "roundrobin", "the balancer's algorithm; with source, requests wait at their server")
	f.IntVar(&o.Yields, "yields", 0, "hold up one in so many atomic steps of sluice's queue, in a build for that")
	f.StringVar(&o.Config, "config", "", "template of the balancer's configuration (default: one for sluice and haproxy)")
	words := f.String("arguments", strings.Join(subjects.HAProxyArguments, " "), "the balancer's arguments")
	inJSON := f.Bool("json", false, "write JSON")
	if err := f.Parse(arguments); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, false, err
		}
		return o, false, usageError{err}
	}
	o.Balancers, o.Recheck, o.Arguments = strings.Split(*balancers, ","), strings.Split(*recheck, ","), strings.Fields(*words)
	o.Longest = time.Duration(*seconds * float64(time.Second))
	var err error
	if o.Loops, err = numbers(*loops); err == nil {
		o.Servers, err = numbers(*servers)
	}
	switch {
	case err != nil:
	case f.NArg() > 0:
		err = fmt.Errorf("unexpected argument '%s'", f.Arg(0))
	case o.Load != "rounds" && o.Load != "steady":
		err = fmt.Errorf("-load is rounds or steady, not '%s'", o.Load)
	case slices.ContainsFunc(o.Recheck, func(s string) bool { return s != "on" && s != "off" }):
		err = fmt.Errorf("-recheck is a list of on and off, not '%s'", *recheck)
	case o.Lanes < 1 || o.Clients < 0 || o.Longest <= 0 || o.Spread < 0 || o.Yields < 0 || o.TimeoutQueue < 100*time.Millisecond:
		err = errors.New("a number is out of range (timeout queue: at least 100ms)")
	}
	if err != nil {
		return o, false, usageError{err}
	}
	return o, *inJSON, nil
}

func numbers(list string) ([]int, error) {
	var all []int
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("'%s' is not a list of numbers above 0", list)
		}
		all = append(all, n)
	}
	return all, nil
}
