//go:build linux

package runner

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluice-lb/sluice/bench/scenario"
	"github.com/sluice-lb/sluice/bench/subject"
)

// capacities finds the rate that each subject's share is taken of, in p.rates. It gives false if nobody sets it.
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
		p.rates[s.Name] = rate
		if all == 0 || rate < all {
			all = rate
		}
	}
	if p.Of != "" {
		for _, s := range able {
			p.rates[s.Name] = all
		}
	}
	return found, nil
}

// capacityOf measures what a subject can do under the load in closed loop, once per load.
func (r *runner) capacityOf(ctx context.Context, p *place, s *subject.Subject) (float64, error) {
	text, err := json.Marshal(p.spec)
	if err != nil {
		return 0, err
	}
	key := fmt.Sprintf("%s %s %d %s", s.Name, p.network.name, loops(p.Scenario), text)
	if rate := r.capacity[key]; rate > 0 {
		return rate, nil
	}
	look, err := r.run(ctx, p, s, 0, nil)
	if err != nil {
		return 0, err
	}
	rate := float64(look.load.Requests) / look.load.Duration.Seconds()
	if rate == 0 {
		return 0, fmt.Errorf("no request was answered: %v", look.load.Errors)
	}
	r.capacity[key] = rate
	return rate, nil
}
