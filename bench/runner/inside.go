//go:build linux

package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-lb/sluice/bench/measure"
	"github.com/sluice-lb/sluice/bench/result"
	"github.com/sluice-lb/sluice/bench/subject"
)

// instrument looks into a subject while it works, and slows it down by that: such a run is not timed.
type instrument interface {
	Begin() error
	End() error
	Stop(ctx context.Context) error // fills the run
}

// attach puts an instrument on processes.
type attach func(pids []int) (instrument, error)

// inside is what instruments fill.
type inside struct {
	*result.Run
	calls float64
}

type counting struct {
	*measure.Calls
	into *inside
}

func (c counting) Stop(context.Context) error {
	counts, err := c.Calls.Stop()
	c.into.calls, c.into.Calls = float64(counts.All), counts.ByName
	return err
}

type sampling struct {
	*measure.Profile
	into *inside
}

// topSymbols is the number of symbols that are kept.
const topSymbols = 30

func (p sampling) Stop(ctx context.Context) error {
	symbols, err := p.Profile.Stop(ctx)
	if err != nil {
		return err
	}
	profile := &result.Profile{}
	for i, s := range symbols {
		profile.Samples += s.Samples
		if !s.Kernel {
			profile.Outside += s.Samples
		}
		if i < topSymbols {
			profile.Top = append(profile.Top, result.Symbol(s))
		}
	}
	if profile.Samples < leastSamples {
		return fmt.Errorf("perf took %d samples, %d are needed", profile.Samples, leastSamples)
	}
	p.into.Profile = profile
	return nil
}

// leastSamples is the number below which shares are chance.
const leastSamples = 100

// instruments are what this machine allows.
func (r *runner) instruments(ctx context.Context) {
	say := func(what string, err error) {
		r.file.Missing = append(r.file.Missing, result.Missing{Name: what, Reason: err.Error()})
	}
	if r.Calls {
		if err := measure.CanCountCalls(ctx); err != nil {
			r.Calls = false
			say("system calls", err)
		} else if !measure.CanNameCalls() {
			say("system calls by name", errors.New("the kernel has no tracepoints for them, or does not show them"))
		}
	}
	if r.Profile {
		if err := measure.CanProfile(ctx, r.Directory); err != nil {
			r.Profile = false
			say("profiles", err)
		}
	}
}

// lookInside counts a subject's system calls and samples it, each in a run of its own. What fails is left out, and said.
func (r *runner) lookInside(ctx context.Context, p *place, s *subject.Subject, rate float64) error {
	if r.Calls {
		err := r.through(ctx, p, s, rate, func(into *inside, pids []int) (instrument, error) {
			calls, err := measure.PrepareCalls(pids)
			return counting{calls, into}, err
		})
		if err := p.excuse(ctx, s, "system calls", err); err != nil {
			return err
		}
	}
	if r.Profile {
		err := r.through(ctx, p, s, rate, func(into *inside, pids []int) (instrument, error) {
			profile, err := measure.PrepareProfile(pids, r.Directory)
			return sampling{profile, into}, err
		})
		return p.excuse(ctx, s, "profile", err)
	}
	return nil
}

func (p *place) excuse(ctx context.Context, s *subject.Subject, what string, err error) error {
	if err != nil && ctx.Err() == nil {
		p.out.Missing = append(p.out.Missing, result.Missing{Name: s.Name + ", " + what, Reason: err.Error()})
	}
	return ctx.Err()
}

// through is a run with an instrument. Nothing but what that shows is taken from it.
func (r *runner) through(ctx context.Context, p *place, s *subject.Subject, rate float64, prepare func(*inside, []int) (instrument, error)) error {
	run := &inside{Run: &result.Run{Round: -1, Subject: s.Name, Started: time.Now().UTC(), Values: map[string]float64{}}}
	look, err := r.run(ctx, p, s, rate, func(pids []int) (instrument, error) { return prepare(run, pids) })
	if err != nil {
		return err
	}
	run.Length, run.Units = look.load.Duration, p.Units(look.load)
	if run.Units == 0 {
		return errors.New("nothing was done")
	}
	if n := sum(look.load.Errors); float64(n) > float64(look.load.Requests)/1000 {
		return errors.New("the load met errors: " + list(look.load.Errors))
	}
	if run.Profile == nil {
		run.Values["calls"] = run.calls / run.Units
	}
	p.out.Runs = append(p.out.Runs, *run.Run)
	return nil
}
