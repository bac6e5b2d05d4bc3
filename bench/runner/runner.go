//go:build linux

// Package runner carries scenarios out: it starts origins, subjects and load, reads what they use while the load runs, and
// collects the runs.
//
//	for each scenario
//	    start the origins, find each subject's capacity if the scenario needs it
//	    once for each subject, if the scenario is detailed: count its system calls, and sample where it is
//	    for each round
//	        for each subject, beginning with another one each round
//	            start it, start the load, let it warm up, measure, stop both
//
// A subject is started anew for each run, so that nothing is left of the last one, and what differs from start to start
// (the layout of memory above all) is part of the spread and not a property of the subject.
package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/sluice-lb/sluice/bench/load"
	"github.com/sluice-lb/sluice/bench/origin"
	"github.com/sluice-lb/sluice/bench/result"
	"github.com/sluice-lb/sluice/bench/scenario"
	"github.com/sluice-lb/sluice/bench/subject"
)

// Options say what to run.
type Options struct {
	Scenarios []scenario.Scenario
	Subjects  []*subject.Subject
	Missing   []subject.Missing
	Rounds    int
	Secondary int           // rounds of scenarios without a target; 0: Rounds
	Length    time.Duration // measured, of a run
	Warmup    time.Duration
	Tolerate  float64 // see result.File
	Calls     bool    // count system calls, and
	Profile   bool    // sample the subjects, where that is possible, in the scenarios that are detailed
	Compare   bool    // put the load beside wrk and iperf3, too
	Directory string  // for files; made and removed by the caller

	// Step is told before each run: how many of them are done, how many there are, and what comes. May be nil.
	Step func(done, total int, what string)
	// Keep is given what there is after each scenario. May be nil.
	Keep func(*result.File)
}

type runner struct {
	Options
	file  *result.File
	self  string // this program
	cores result.Cores

	networks map[bool]*network   // by whether it is veth
	capacity map[string]capacity // by subject and load
	done     int
}

// Run measures. When ctx ends it gives what there is, and no error. It leaves no process and no namespace behind.
func Run(ctx context.Context, o Options) (*result.File, error) {
	r := &runner{Options: o, networks: map[bool]*network{}, capacity: map[string]capacity{}}
	r.cores = share(o.Scenarios, runtime.NumCPU())
	r.file = &result.File{
		Version: result.Version, Started: time.Now().UTC(), Command: append([]string{"bench"}, os.Args[1:]...), Machine: describe(ctx), Rounds: o.Rounds, Length: o.Length, Warmup: o.Warmup,
		Tolerate: o.Tolerate, Cores: r.cores,
	}
	for _, s := range o.Subjects {
		path := s.Path
		if filepath.Dir(path) == o.Directory { // built for this run, and gone with it
			path = ""
		}
		r.file.Subjects = append(r.file.Subjects, result.Subject{Name: s.Name, Kind: s.Kind, Feature: s.Feature(), Path: path, Version: s.Version})
	}
	for _, m := range o.Missing {
		r.file.Missing = append(r.file.Missing, result.Missing(m))
	}
	var err error
	if r.self, err = os.Executable(); err != nil {
		return r.file, err
	}
	defer func() {
		for _, n := range r.networks {
			n.close()
		}
	}()
	r.instruments(ctx)
	if o.Compare {
		err = r.compare(ctx)
	}
	if err == nil {
		err = r.all(ctx)
	}
	r.file.Ended = time.Now().UTC()
	if ctx.Err() != nil {
		r.file.Interrupted, err = true, nil
	}
	return r.file, err
}

// all runs the scenarios. Those of memory come first, before connections in TIME_WAIT fill the kernel's caches; the file has them in
// the order of the list.
func (r *runner) all(ctx context.Context) error {
	order := make([]int, len(r.Scenarios))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return first(r.Scenarios[a].Memory) - first(r.Scenarios[b].Memory) })
	finished := map[int]*result.Scenario{}
	for _, i := range order {
		s := &r.Scenarios[i]
		out := &result.Scenario{Name: s.Name, Title: s.Title, Why: s.Why, Unit: string(s.Unit), Main: s.Main, Target: s.Target, Loops: loops(s), Configurations: map[string]string{}, Latency: map[string]string{}}
		finished[i] = out
		err := r.scenario(ctx, s, out)
		r.file.Scenarios = nil
		for _, i := range slices.Sorted(maps.Keys(finished)) {
			r.file.Scenarios = append(r.file.Scenarios, *finished[i])
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		if r.Keep != nil {
			r.Keep(r.file)
		}
	}
	return nil
}

func first(yes bool) int {
	if yes {
		return 0
	}
	return 1
}

func loops(s *scenario.Scenario) int { return max(1, s.Loops) }

// place is a scenario on its way.
type place struct {
	*scenario.Scenario
	out     *result.Scenario
	network *network
	origins *origins
	spec    load.Spec          // without target and rate
	rates   map[string]float64 // with Capacity: of which share is taken, by subject
	setter  *subject.Subject   // of them, where one sets the rate for all
}

func (r *runner) scenario(ctx context.Context, s *scenario.Scenario, out *result.Scenario) error {
	p := &place{Scenario: s, out: out}
	var err error
	if p.network, err = r.network(ctx, s.Veth); err != nil {
		if s.Veth && ctx.Err() == nil {
			out.Missing = append(out.Missing, result.Missing{Name: "all subjects", Reason: err.Error()})
			r.done += len(r.taking(s)) * r.rounds(s)
			return nil
		}
		return err
	}
	out.Network = p.network.name
	p.prepare(r)
	if out.Load, err = json.Marshal(p.spec); err != nil {
		return err
	}
	if err := r.startOrigins(ctx, p); errors.Is(err, exec.ErrNotFound) {
		out.Missing = append(out.Missing, result.Missing{Name: "all subjects", Reason: "nginx is not installed"})
		r.done += len(r.taking(s)) * r.rounds(s)
		return nil
	} else if err != nil {
		return err
	}
	defer func() { p.origins.stop() }() // storm replaces them
	subjects, err := r.able(ctx, p)
	if err != nil || len(subjects) == 0 {
		return err
	}
	for round := range r.rounds(s) {
		if err := r.refresh(ctx, p, subjects); err != nil {
			return err
		}
		for turn := range subjects {
			subject := subjects[(round+turn)%len(subjects)]
			if err := r.one(ctx, p, subject, round); err != nil {
				return fmt.Errorf("%s: %w", subject.Name, err)
			}
		}
	}
	return nil
}

// taking gives the subjects that a scenario is for.
func (o *Options) taking(s *scenario.Scenario) (part []*subject.Subject) {
	for _, x := range o.Subjects {
		switch {
		case x.Feature() != "" && !slices.Contains(s.Features, x.Kind):
		case x.Feature() == "" && len(s.Features) > 0 && x.Kind != "sluice" && x.Kind != "haproxy":
		default:
			part = append(part, x)
		}
	}
	return part
}

// Total is the number of runs that are timed.
func (o *Options) Total() (n int) {
	for i := range o.Scenarios {
		n += len(o.taking(&o.Scenarios[i])) * o.rounds(&o.Scenarios[i])
	}
	return n
}

// Looks is the number of all runs, those included that find capacities, count system calls and sample, and the time that is needed for
// all beside their lengths, about.
func (o *Options) Looks() (n int, beside time.Duration) {
	n = o.Total()
	for i := range o.Scenarios {
		s := &o.Scenarios[i]
		subjects := len(o.taking(s))
		switch {
		case s.Capacity > 0 && s.Of == "":
			n += subjects * o.rounds(s)
		case s.Capacity > 0:
			n += subjects + o.rounds(s)
		}
		if s.Detailed() && o.Calls {
			n += subjects
			beside += time.Duration(subjects) * 1500 * time.Millisecond // perf takes its tracepoints down one after the other
		}
		if s.Detailed() && o.Profile {
			n += subjects
			beside += time.Duration(subjects) * 1000 * time.Millisecond // perf looks up symbols
		}
	}
	return n, beside + time.Duration(n)*overhead
}

// overhead is what a run takes beside its warm-up and its measured time: to start and end three processes.
const overhead = 350 * time.Millisecond

func (o *Options) rounds(s *scenario.Scenario) int {
	n := o.Rounds
	if s.Target == 0 && o.Secondary > 0 {
		n = min(n, o.Secondary)
	}
	if s.Rounds > 0 {
		n = min(n, s.Rounds)
	}
	return n
}

func (r *runner) network(ctx context.Context, isolated bool) (*network, error) {
	if n := r.networks[isolated]; n != nil {
		return n, nil
	}
	var n *network
	var err error
	if isolated {
		n, err = veth(ctx)
	} else {
		n, err = loopback()
	}
	if err == nil {
		r.networks[isolated] = n
	}
	return n, err
}

// prepare fits the load to what this machine allows.
func (p *place) prepare(r *runner) {
	p.spec = p.Load
	p.spec.Duration, p.spec.Warmup = max(r.Length, p.Length), r.Warmup
	// Half of the load's cores are left for the origins. A thread without a connection would be of no use.
	p.spec.Threads = max(1, min(len(r.cores.Load)/2, p.spec.Connections))
	if p.Memory {
		// A flow is two descriptors in a balancer, and some reserve more.
		var limit syscall.Rlimit
		if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
			p.spec.Connections = min(p.spec.Connections, int(limit.Cur*3/8))
		}
	}
}

// connections is how many a subject must be able to take.
func (p *place) connections() int { return p.spec.Connections + p.spec.BulkConnections + 64 }

func (r *runner) startOrigins(ctx context.Context, p *place) (err error) {
	if p.Web {
		p.origins, err = r.serveWeb(ctx, p.network)
		return err
	}
	spec := origin.Spec{Kind: p.Origin, Delay: p.Delay}
	if spec.Kind == "" {
		spec.Kind = origin.Request
	}
	for range max(1, p.Servers) {
		spec.Listen = append(spec.Listen, netipPort(p.network.back))
	}
	p.origins, err = r.serve(p.network.origin, spec)
	return err
}

// able gives the subjects that take part, and leaves the reasons of the others.
func (r *runner) able(ctx context.Context, p *place) ([]*subject.Subject, error) {
	var able []*subject.Subject
	leave := func(s *subject.Subject, reason string) {
		p.out.Missing = append(p.out.Missing, result.Missing{Name: s.Name, Reason: reason})
		r.done += r.rounds(p.Scenario)
	}
	for _, s := range r.taking(p.Scenario) {
		switch {
		case p.ServerMaxConn > 0 && !s.Queues():
			leave(s, "it holds no connections back")
		case p.RestartAfter > 0 && s.Direct():
			leave(s, "there is nothing between load and origin")
		default:
			able = append(able, s)
		}
	}
	if p.Capacity > 0 {
		found, err := r.capacities(ctx, p, able)
		if err != nil || found {
			return able, err
		}
		p.out.Missing = append(p.out.Missing, result.Missing{Name: "all subjects", Reason: "nobody is there whose capacity sets the rate (" + p.Of + ")"})
		r.done += len(able) * r.rounds(p.Scenario)
		return nil, nil
	}
	return able, nil
}
