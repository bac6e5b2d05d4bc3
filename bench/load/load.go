//go:build linux

package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/sluice-lb/sluice/bench/places"
)

// Run makes the load that spec asks for and gives what it measured. It ends early, with what there is, when ctx ends; that is no error.
// An error is a spec that cannot be run, or that the machine lacks what the generator itself needs; what the target does wrong is in
// Result.Errors. One Run at a time in a process: User, System and CoresBusy are the process's and the machine's.
func Run(ctx context.Context, spec Spec) (Result, error) {
	spec, err := spec.withDefaults()
	if err != nil {
		return Result{}, err
	}
	r, err := newRun(ctx, spec)
	if err != nil {
		return Result{}, err
	}
	loops := make([]*loop, spec.Threads)
	for i := range loops {
		if loops[i], err = newLoop(r, i); err != nil {
			return Result{}, err
		}
		defer loops[i].free() // when none runs any more
	}
	defer places.Hold(spec.Threads)()
	r.start()
	failed := make(chan error, len(loops))
	var running sync.WaitGroup
	for _, l := range loops {
		running.Go(func() {
			if err := l.run(); err != nil {
				failed <- err
			}
		})
	}
	result, err := r.conduct(ctx, loops, failed)
	running.Wait()
	if err != nil {
		return result, err
	}
	select {
	case err = <-failed:
		return result, err
	default:
		return result, r.gather(&result, loops)
	}
}

// conduct moves the run from warming up to measuring to its end, and takes the readings at those edges.
func (r *run) conduct(ctx context.Context, loops []*loop, failed chan error) (result Result, err error) {
	wake := func() {
		for _, l := range loops {
			l.wake()
		}
	}
	notify := r.spec.Notify
	if notify == nil {
		notify = func(string) {}
	}
	begins := time.NewTimer(time.Duration(r.begin.Load() - r.now()))
	defer begins.Stop()
	allOpen := r.allOpen
	for measuring := false; !measuring; {
		select {
		case <-allOpen:
			allOpen = nil
			notify(EventOpen)
			wake() // the schedule may start
			if r.spec.holds() {
				now := r.now() + int64(r.spec.Warmup)
				r.end.Store(now + int64(r.spec.Duration))
				r.begin.Store(now)
				wake()
				begins.Reset(r.spec.Warmup)
			}
		case <-begins.C:
			measuring = true
		case <-ctx.Done():
			r.begin.Store(never)
			r.end.Store(0)
			wake()
			return result, nil
		case err := <-failed:
			r.end.Store(0)
			wake()
			return result, err
		}
	}
	notify(EventMeasure)
	before := r.cores.read()
	ends := time.NewTimer(time.Duration(r.end.Load() - r.now()))
	defer ends.Stop()
	for measuring := true; measuring; {
		select {
		case <-ends.C:
			measuring = false
		case <-allOpen:
			allOpen = nil
			notify(EventOpen)
			wake() // the schedule may start
		case <-ctx.Done():
			r.end.Store(min(r.end.Load(), r.now()))
			measuring = false
		case err = <-failed:
			r.end.Store(0)
			measuring = false
		}
	}
	after := r.cores.read()
	notify(EventEnd)
	wake()
	result.Duration = time.Duration(r.end.Load() - r.begin.Load())
	result.User, result.System = (after.user - before.user).Seconds(), (after.system - before.system).Seconds()
	if all := after.all - before.all; all > 0 {
		result.CoresBusy = 1 - float64(after.idle-before.idle)/float64(all)
	}
	return result, err
}

// gather puts together what the loops, which have ended, counted.
func (r *run) gather(result *Result, loops []*loop) (err error) {
	result.Errors = map[string]uint64{}
	latency, lateness := loops[0].latency, loops[0].lateness
	for i, l := range loops {
		if i > 0 {
			latency.Merge(l.latency)
			lateness.Merge(l.lateness)
		}
		result.Requests += l.requests
		result.Connections += l.connections
		result.BytesIn += l.bytesIn
		result.BytesOut += l.bytesOut
		result.BulkIn += l.bulkIn
		result.BulkOut += l.bulkOut
		result.Queued += l.queued
		for kind, count := range l.errors {
			result.Errors[kind] += count
		}
		if result.Duration > 0 {
			result.Busy = max(result.Busy, float64(l.used)/float64(result.Duration))
		}
		for j := range l.timeline {
			if time.Duration(j)*tick >= result.Duration {
				break
			}
			if j == len(result.Timeline) {
				result.Timeline = append(result.Timeline, Tick{})
			}
			result.Timeline[j].Requests += l.timeline[j].Requests
			result.Timeline[j].Errors += l.timeline[j].Errors
			result.Timeline[j].Connections += l.timeline[j].Connections
		}
	}
	result.Saturated = result.Busy >= 0.95 || result.CoresBusy >= 0.95
	if result.Latency, err = distribution(latency); err != nil {
		return fmt.Errorf("load: latency: %w", err)
	}
	if result.Lateness, err = distribution(lateness); err != nil {
		return fmt.Errorf("load: lateness: %w", err)
	}
	result.PerTarget, err = perTarget(loops)
	return err
}

// Message is a line that Serve writes. One field is set.
type Message struct {
	Event  string  `json:",omitempty"`
	Result *Result `json:",omitempty"`
	Error  string  `json:",omitempty"`
}

// Serve is Run for a process of its own: it reads a Spec in JSON from in and writes lines of JSON to out, each a Message. The last has
// the Result or the Error. Its error is that out could not be written to.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	encoder := json.NewEncoder(out)
	var spec Spec
	if err := json.NewDecoder(in).Decode(&spec); err != nil {
		return encoder.Encode(Message{Error: fmt.Sprintf("load: the spec: %v", err)})
	}
	// An event that cannot be written is noticed by the result, which follows on the same pipe. Run tells events from this goroutine.
	spec.Notify = func(event string) { _ = encoder.Encode(Message{Event: event}) }
	result, err := Run(ctx, spec)
	if err != nil {
		return encoder.Encode(Message{Error: err.Error()})
	}
	return encoder.Encode(Message{Result: &result})
}
