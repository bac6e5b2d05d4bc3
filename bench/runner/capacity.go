//go:build linux

package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluice-lb/sluice/bench/measure"
	"github.com/sluice-lb/sluice/bench/scenario"
	"github.com/sluice-lb/sluice/bench/subject"
)

// capacities finds the rate that each subject's share is taken of, in p.rates. It gives false if nobody sets it.
//
// A subject's capacity is what its cores would do if they did nothing else: its loops, divided by the CPU that a unit costs it under
// the load in closed loop. The rate of that loop is not taken, as it may be the generator's limit, not the subject's. Where the
// lowest capacity counts, the generator's counts too, so that the share of it is one that can be offered.
func (r *runner) capacities(ctx context.Context, p *place, able []*subject.Subject) (found bool, err error) {
	p.rates = map[string]float64{}
	all := 0.0
	for _, s := range able {
		switch {
		case p.Of == scenario.Lowest && s.Direct(), p.Of != "" && p.Of != scenario.Lowest && (s.Kind != p.Of || found):
			continue
		}
		found = true
		rate, err := r.capacityOf(ctx, p, s)
		if err != nil {
			return found, fmt.Errorf("%s: capacity: %w", s.Name, err)
		}
		mine := rate.subject
		if p.Of == scenario.Lowest {
			mine = min(mine, rate.generator)
		}
		p.rates[s.Name] = mine
		if all == 0 || mine < all {
			all, p.setter = mine, s
		}
	}
	if p.Of != "" {
		p.rateForAll(able, all)
	}
	return found, nil
}

func (p *place) rateForAll(able []*subject.Subject, rate float64) {
	for _, s := range able {
		p.rates[s.Name] = rate
	}
}

// refresh finds capacities again that are no longer fresh, before a round: of each subject, or of the one that sets the rate. Machines change
// their speed, virtual ones by a half within a minute; half of a capacity of then may be all of it now.
func (r *runner) refresh(ctx context.Context, p *place, able []*subject.Subject) error {
	switch {
	case p.Capacity == 0:
		return nil
	case p.Of == "":
		_, err := r.capacities(ctx, p, able)
		return err
	}
	_, err := r.capacities(ctx, p, []*subject.Subject{p.setter})
	p.rateForAll(able, p.rates[p.setter.Name])
	return err
}

// fresh is how long a capacity is taken to be true.
const fresh = 15 * time.Second

// shortestLook is the measured time that a capacity is found in at least.
const shortestLook = 300 * time.Millisecond

// capacity is units per second.
type capacity struct {
	subject, generator float64
	found              time.Time
}

// capacityOf measures what a subject can do under the load in closed loop, and what load and origin can, if that is not known from a moment ago.
func (r *runner) capacityOf(ctx context.Context, p *place, s *subject.Subject) (capacity, error) {
	text, err := json.Marshal(p.spec)
	if err != nil {
		return capacity{}, err
	}
	key := fmt.Sprintf("%s %s %d %s", s.Name, p.network.name, loops(p.Scenario), text)
	if rate, known := r.capacity[key]; known && time.Since(rate.found) < fresh {
		return rate, nil
	}
	longer := *p
	longer.spec.Duration = max(p.spec.Duration, shortestLook)
	look, err := r.run(ctx, &longer, s, 0, nil)
	if err != nil {
		return capacity{}, err
	}
	if look.load.Requests == 0 {
		return capacity{}, fmt.Errorf("no request was answered: %v", look.load.Errors)
	}
	span := measure.Between(look.before.machine, look.after.machine)
	units := float64(look.load.Requests) * span.Length.Seconds() / look.load.Duration.Seconds()
	rate := full(units, span.Length, look.after.subject.Minus(look.before.subject).Ran, span.BusyShare(r.cores.Load...), loops(p.Scenario))
	rate.found = time.Now()
	r.capacity[key] = rate
	return rate, nil
}

// full takes a rate to the limit of those who made it: the subject, which ran for so long on its cores, and the generator, whose
// cores were busy for a share of the time. Neither is taken to more than twice what was seen. Without a subject (ran is 0) there is one limit.
func full(units float64, length, ran time.Duration, busy float64, loops int) capacity {
	rate := units / length.Seconds()
	c := capacity{generator: rate / max(0.5, min(1, busy))}
	c.subject = c.generator
	if ran > 0 {
		c.subject = rate / max(0.5, min(1, ran.Seconds()/length.Seconds()/float64(loops)))
	}
	return c
}
