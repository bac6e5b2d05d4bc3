//go:build linux

package runner

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/sluice-lb/sluice/bench/load"
	"github.com/sluice-lb/sluice/bench/measure"
	"github.com/sluice-lb/sluice/bench/result"
	"github.com/sluice-lb/sluice/bench/subject"
)

// looked is everything that is read at a moment.
type looked struct {
	subject, origin measure.Process
	softirq         measure.Process // the kernel's threads on the subject's cores that do its network's work
	machine         measure.Machine
}

// seen is one run as it was.
type seen struct {
	load          *load.Result
	before, after looked
	memory        [2]measure.Memory // before the load, and at the end of it
	restarted     time.Duration     // from the begin of the measured time until the origin was back
}

// one is a timed run.
func (r *runner) one(ctx context.Context, p *place, s *subject.Subject, round int) error {
	if r.Step != nil {
		r.Step(r.done, r.Total(), fmt.Sprintf("%s, round %d, %s", p.Name, round+1, s.Name))
	}
	rate := p.Capacity * p.rates[s.Name]
	if round == 0 && p.Detailed() && !s.Direct() {
		if err := r.lookInside(ctx, p, s, rate); err != nil {
			return err
		}
	}
	started := time.Now().UTC()
	look, err := r.run(ctx, p, s, rate, nil)
	if without := new(subject.WithoutFeature); errors.As(err, &without) {
		if missing := (result.Missing{Name: s.Name, Reason: without.Reason}); !slices.Contains(p.out.Missing, missing) {
			p.out.Missing = append(p.out.Missing, missing)
		}
		r.done++
		return nil
	}
	if err != nil {
		return err
	}
	run := r.evaluate(p, s, look)
	run.Round, run.Started = round, started
	if rate > 0 {
		run.Values["offered"] = rate
	}
	p.out.Runs = append(p.out.Runs, *run)
	r.done++
	return p.keepLatency(run, look.load.Latency)
}

// keepLatency adds a run's distribution to its subject's.
func (p *place) keepLatency(run *result.Run, one load.Latency) error {
	if one.Histogram == "" || !run.Counts("p99") {
		return nil
	}
	all := one
	if before := p.out.Latency[run.Subject]; before != "" {
		var err error
		if all, err = load.Merge(load.Latency{Count: 1, Histogram: before}, one); err != nil {
			return fmt.Errorf("merge latencies: %w", err)
		}
	}
	p.out.Latency[run.Subject] = all.Histogram
	return nil
}

// run starts a subject, puts the load on it, and stops it. With an instrument the run is not timed.
func (r *runner) run(ctx context.Context, p *place, s *subject.Subject, rate float64, attach attach) (*seen, error) {
	listen, err := p.network.listen()
	if err != nil {
		return nil, err
	}
	patient, err := p.patient(listen)
	if err != nil {
		return nil, err
	}
	room, setup := p.network.subject, subject.Setup{
		Listen: listen, Patient: patient, Servers: p.origins.spec.Listen, Loops: loops(p.Scenario), Connections: p.connections(), ServerMaxConn: p.ServerMaxConn,
		CPUs: r.cores.Subjects[loops(p.Scenario)], Directory: r.Directory, Interface: p.network.device,
	}
	if s.Feature() == "namespace" { // it stands outside
		outside, err := r.network(ctx, false)
		if err != nil {
			return nil, err
		}
		room, setup.Namespace, setup.Inside = outside.subject, p.network.subject.Namespace(), p.network.subject
	}
	running, err := s.Start(ctx, room, setup)
	if err != nil {
		return nil, err
	}
	spec := p.spec
	spec.Rate = rate
	var pids []int
	if running != nil {
		defer running.Stop()
		pids = running.PIDs
		p.out.Configurations[s.Name] = running.Configuration
		spec.Target = listen
		if patient.IsValid() {
			spec.Targets = []netip.AddrPort{patient}
		}
	} else {
		spec.Target, spec.Targets = p.origins.spec.Listen[0], p.origins.spec.Listen[1:]
	}
	look := &seen{}
	if p.Memory {
		if err := sleep(ctx, settle); err != nil {
			return nil, err
		}
		if look.memory[0], err = measure.ReadMemory(pids); err != nil {
			return nil, err
		}
	}
	if err := r.watch(ctx, p, spec, pids, look, attach); err != nil {
		return nil, err
	}
	if running != nil {
		err = running.Alive()
	}
	return look, err
}

// settle is how long a fresh process rests before its memory is looked at.
const settle = 100 * time.Millisecond

// watch runs the load and looks at its beginning and its end.
func (r *runner) watch(ctx context.Context, p *place, spec load.Spec, pids []int, look *seen, attach attach) (err error) {
	var inside instrument
	if attach != nil {
		if inside, err = attach(pids); err != nil {
			return err
		}
	}
	var restart *restart
	ended := false
	look.load, err = r.generate(ctx, p.network.load, spec, func(event string) (err error) {
		switch event {
		case load.EventMeasure:
			if inside != nil {
				return inside.Begin()
			}
			if p.RestartAfter > 0 {
				restart = r.restartOrigins(ctx, p)
			}
			look.before, err = r.look(p, pids)
		case load.EventEnd:
			ended = true
			if inside != nil {
				return inside.End()
			}
			if look.after, err = r.look(p, pids); err == nil && p.Memory {
				look.memory[1], err = measure.ReadMemory(pids)
			}
		}
		return err
	})
	if restart != nil {
		var failed error
		look.restarted, failed = restart.wait()
		err = errors.Join(err, failed)
	}
	if inside != nil {
		err = errors.Join(err, inside.Stop(ctx))
	}
	if err == nil && !ended {
		err = errNoEvent
	}
	return err
}

var errNoEvent = errors.New("the load did not tell when it measured")

func (r *runner) look(p *place, pids []int) (l looked, err error) {
	if l.subject, err = measure.ReadProcesses(pids); err != nil {
		return l, err
	}
	if l.softirq, err = measure.ReadProcesses(softirqThreads(r.cores.Subjects[loops(p.Scenario)])); err != nil {
		return l, err
	}
	if p.RestartAfter == 0 { // else it is another process at the end
		if l.origin, err = measure.ReadProcesses([]int{p.origins.PID()}); err != nil {
			return l, err
		}
	}
	l.machine, err = measure.ReadMachine()
	return l, err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func netipPort(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, 0) }

// restart is an origin's end and new beginning while the load runs.
type restart struct {
	done chan struct{}
	back time.Duration // valid once done is closed, like err
	err  error
}

// restartOrigins kills the origins after a while, as a crash would, and starts others on the same addresses.
func (r *runner) restartOrigins(ctx context.Context, p *place) *restart {
	x := &restart{done: make(chan struct{})}
	began := time.Now()
	go func() {
		defer close(x.done)
		if x.err = sleep(ctx, time.Duration(p.RestartAfter*float64(p.spec.Duration))); x.err != nil {
			return
		}
		spec := p.origins.spec
		p.origins.Kill()
		p.origins.stop()
		sleep(ctx, p.RestartGap)
		var next *origins
		if next, x.err = r.serve(p.network.origin, spec); x.err == nil {
			p.origins = next
		}
		x.back = time.Since(began)
	}()
	return x
}

func (x *restart) wait() (time.Duration, error) {
	<-x.done
	return x.back, x.err
}
