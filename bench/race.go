//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const raceHelp = `Usage: bench race [flags]

Sends requests over loopback through a balancer whose servers have "maxconn 1", and counts those that are stuck: that
wait until "timeout queue" although their server is free. Clients come in lanes, each with a listener and servers of its
own. In a lane every client makes one request at a random moment, and when all have ended they begin again: so nobody
comes later who could set a stuck request free by chance. With -load steady they begin again at once.

A list of values makes one row for each combination.

`

// raceOptions are the command line.
type raceOptions struct {
	balancers, recheck   []string
	loops, servers       []int
	lanes, clients       int
	requests             uint64
	seconds              time.Duration
	spread, timeoutQueue time.Duration
	load, balance        string
	yields               int
	config               string
	arguments            []string
	json                 bool
}

func parseRace(arguments []string, out io.Writer) (*raceOptions, error) {
	o := &raceOptions{}
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
	f.IntVar(&o.lanes, "lanes", 16, "lanes")
	f.IntVar(&o.clients, "clients", 0, "clients in a lane (default twice as many as servers)")
	f.Uint64Var(&o.requests, "requests", 1_000_000, "requests of a row; 0: until -seconds")
	seconds := f.Float64("seconds", 120, "most seconds of a row")
	f.DurationVar(&o.spread, "spread", 0, "requests begin within this time (default: as long as a request lasts)")
	f.DurationVar(&o.timeoutQueue, "timeout-queue", 2*time.Second, "the balancer's timeout queue")
	f.StringVar(&o.load, "load", "rounds", "rounds, or steady")
	f.StringVar(&o.balance, "balance", "roundrobin", "the balancer's algorithm; with source, requests wait at their server")
	f.IntVar(&o.yields, "yields", 0, "hold up one in so many atomic steps of sluice's queue, in a build for that")
	f.StringVar(&o.config, "config", "", "template of the balancer's configuration (default: one for sluice and haproxy)")
	words := f.String("arguments", "-db -f {config}", "the balancer's arguments")
	f.BoolVar(&o.json, "json", false, "write JSON")
	if err := f.Parse(arguments); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, usageError{err}
	}
	o.balancers, o.recheck, o.arguments = strings.Split(*balancers, ","), strings.Split(*recheck, ","), strings.Fields(*words)
	o.seconds = time.Duration(*seconds * float64(time.Second))
	var err error
	if o.loops, err = numbers(*loops); err == nil {
		o.servers, err = numbers(*servers)
	}
	switch {
	case err != nil:
	case f.NArg() > 0:
		err = fmt.Errorf("unexpected argument '%s'", f.Arg(0))
	case o.load != "rounds" && o.load != "steady":
		err = fmt.Errorf("-load is rounds or steady, not '%s'", o.load)
	case slices.ContainsFunc(o.recheck, func(s string) bool { return s != "on" && s != "off" }):
		err = fmt.Errorf("-recheck is a list of on and off, not '%s'", *recheck)
	case o.lanes < 1 || o.clients < 0 || o.seconds <= 0 || o.spread < 0 || o.yields < 0 || o.timeoutQueue < 100*time.Millisecond:
		err = errors.New("a number is out of range (timeout queue: at least 100ms)")
	}
	if err != nil {
		return nil, usageError{err}
	}
	return o, nil
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

// raceRow is one measurement.
type raceRow struct {
	Balancer   string            `json:"balancer"`
	Version    string            `json:"version"`
	Recheck    string            `json:"recheck,omitempty"` // of sluice
	Yields     int               `json:"yields,omitempty"`
	Loops      int               `json:"loops"`
	Servers    int               `json:"servers"`
	Lanes      int               `json:"lanes"`
	Clients    int               `json:"clients"`
	Load       string            `json:"load"`
	Balance    string            `json:"balance"`
	Rate       float64           `json:"requests_per_second"`
	OverLimit  uint64            `json:"over_limit"` // connections that a server had beyond maxconn
	loadResult                   // what the clients saw
	States     map[string]uint64 `json:"termination_states,omitempty"` // what the balancer logged, but for normal ends
	Lines      []string          `json:"log_lines,omitempty"`          // of those that timed out in the queue, the first few
	Queue      *queueCounters    `json:"queue,omitempty"`              // what sluice counted

	// With the ends of their confidence intervals.
	AtRiskPerThousand *[3]float64 `json:"at_risk_per_thousand,omitempty"` // nil: the balancer did not look, or does not tell
	StuckPerMillion   [3]float64  `json:"stuck_per_million"`
}

// estimate fills the rates. Requests that are stuck together are one incident, so the interval is that of incidents.
func (r *raceRow) estimate() {
	rate := func(k uint64, scale float64) [3]float64 {
		low, high := interval(k, r.Requests)
		return [3]float64{scale * float64(k) / float64(max(r.Requests, 1)), scale * low, scale * high}
	}
	if r.Queue != nil && r.Recheck != "off" {
		risk := rate(min(r.Queue.AtRisk, r.Requests), 1e3)
		r.AtRiskPerThousand = &risk
	}
	each := 1.0
	if r.Incidents > 0 {
		each = float64(r.Stuck) / float64(r.Incidents)
	}
	r.StuckPerMillion = rate(r.Incidents, 1e6*each)
	if r.Elapsed > 0 {
		r.Rate = float64(r.Requests) / r.Elapsed.Seconds()
	}
}

func raceCommand(ctx context.Context, arguments []string, out, remarks io.Writer) error {
	o, err := parseRace(arguments, out)
	if err != nil {
		return err
	}
	rows, err := race(ctx, o, remarks)
	if o.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return errors.Join(err, e.Encode(rows))
	}
	writeRows(out, rows)
	return err
}

// race gives the rows that were finished, and with ctx ended the one that was under way, too.
func race(ctx context.Context, o *raceOptions, remarks io.Writer) (rows []*raceRow, err error) {
	dir, err := os.MkdirTemp("", "bench-race")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	text := standardTemplate
	if o.config != "" {
		read, err := os.ReadFile(o.config)
		if err != nil {
			return nil, err
		}
		text = string(read)
	}
	for _, name := range o.balancers {
		s, err := findSubject(ctx, name, dir, o.arguments, o.yields > 0)
		if err != nil {
			return rows, err
		}
		variants := []string{""}
		if s.sluice {
			variants = o.recheck
		}
		for _, recheck := range variants {
			for _, loops := range o.loops {
				for _, servers := range o.servers {
					if ctx.Err() != nil {
						return rows, nil
					}
					r := &raceRow{
						Balancer: s.name, Version: s.version, Recheck: recheck, Loops: loops, Servers: servers, Lanes: o.lanes,
						Clients: o.clients, Load: o.load, Balance: o.balance,
					}
					if s.sluice {
						r.Yields = o.yields
					}
					if r.Clients == 0 {
						r.Clients = 2 * servers
					}
					fmt.Fprintf(remarks, "%s %s with %d loops, %d servers ...", r.Balancer, r.Recheck, loops, servers)
					if err := r.measure(ctx, o, s, dir, text); err != nil {
						fmt.Fprintln(remarks)
						return rows, err
					}
					fmt.Fprintf(remarks, " %d requests, %d stuck\n", r.Requests, r.Stuck)
					rows = append(rows, r)
				}
			}
		}
	}
	return rows, nil
}

// measure runs one row.
func (r *raceRow) measure(ctx context.Context, o *raceOptions, s *subject, dir, text string) error {
	from := newPorts()
	servers, err := newOrigins(from, r.Lanes*r.Servers, 1)
	if err != nil {
		return err
	}
	go servers.run()
	defer servers.stop()
	logs, err := newLogSink()
	if err != nil {
		return err
	}
	defer logs.close()
	c := settings{
		Loops: r.Loops, MaxConn: 1, Balance: o.balance, TimeoutQueue: o.timeoutQueue, LogPort: logs.port(),
		Experiment: s.sluice && (r.Recheck == "off" || r.Yields > 0), Recheck: r.Recheck, Yields: r.Yields,
	}
	var listening []int
	for i := range r.Lanes {
		port, err := from.free()
		if err != nil {
			return err
		}
		listening = append(listening, port)
		c.Lanes = append(c.Lanes, laneSettings{port, servers.ports[i*r.Servers:][:r.Servers]})
	}
	p, err := s.start(dir, text, c)
	if err != nil {
		return err
	}
	defer p.stop()
	l, err := newLoad(listening, r.Clients)
	if err != nil {
		return err
	}
	l.steady, l.spread, l.limit, l.queue = o.load == "steady", o.spread, o.requests, o.timeoutQueue
	limited, cancel := context.WithTimeout(ctx, o.seconds)
	defer cancel()
	if err := l.run(limited); err != nil {
		return err
	}
	r.loadResult = l.loadResult
	if s.sluice {
		if r.Queue, err = s.counters(p, r.Lanes); err != nil {
			return err
		}
	}
	p.stop() // its last log lines come
	logs.close()
	servers.stop()
	r.States, r.Lines, r.OverLimit = logs.states, logs.lines, servers.over
	r.estimate()
	return servers.err
}
