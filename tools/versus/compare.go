package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// measured is one run of one balancer.
type measured struct {
	units    float64
	length   time.Duration
	used     usage
	balancer core // what the balancer's core did meanwhile
	load     core // the same of the load's
	wrong    string
}

// cost is CPU time per unit, in the scenario's unit of time.
func (m *measured) cost(s *scenario) float64 { return float64(m.used.ran) / m.units / float64(s.in) }

// waitedShare is how much of the run the balancer's threads were ready but another process had the core; more than 1 if
// several of them were.
func (m *measured) waitedShare() float64 { return float64(m.used.waited) / float64(m.length) }

// round is a run of each balancer, in the order of bench.subjects.
type round [2]measured

func (r *round) wrong() bool { return r[0].wrong != "" || r[1].wrong != "" }

// compare measures every scenario and gives the text for people.
func (b *bench) compare(chosen []*scenario) (string, error) {
	results := make([][]round, len(chosen))
	for i, s := range chosen {
		var err error
		if results[i], err = b.rounds(s); err != nil {
			return "", fmt.Errorf("%s: %w", s.title, err)
		}
	}
	var text strings.Builder
	b.describe(&text)
	b.tables(&text, chosen, results)
	b.describeConfiguration(&text)
	return text.String(), nil
}

// rounds measures one scenario. Both balancers are up all the time; the one that is not measured is idle.
func (b *bench) rounds(s *scenario) ([]round, error) {
	var processes [2]*service
	var ports [2]int
	for i, subject := range b.subjects {
		var err error
		if processes[i], ports[i], err = b.startSubject(subject, s.origin(b)); err != nil {
			return nil, err
		}
		defer processes[i].stop()
		if _, _, err = s.load(b.ctx, b, ports[i], b.options.seconds/4); err != nil { // warm up
			return nil, err
		}
	}
	var rounds []round
	for n := range b.options.rounds {
		var r round
		for turn := range 2 {
			i := (n + turn) % 2
			m, err := b.measure(s, processes[i], ports[i])
			if err != nil {
				return nil, err
			}
			r[i] = m
		}
		for i, m := range r {
			fmt.Fprintf(os.Stderr, "%s, round %d, %s: %.4g %s/%s, %.4g/s, %s\n", s.title, n+1, b.subjects[i].name,
				m.cost(s), s.inName, s.unit, m.units/m.length.Seconds(), firstOf(m.wrong, "well"))
		}
		rounds = append(rounds, r)
	}
	return rounds, nil
}

// settle is how long the machine rests before a run, so that what the last one left behind is over.
const settle = 150 * time.Millisecond

func (b *bench) measure(s *scenario, process *service, port int) (measured, error) {
	var m measured
	select {
	case <-time.After(settle):
	case <-b.ctx.Done():
		return m, b.ctx.Err()
	}
	before, err := b.look(process)
	if err != nil {
		return m, err
	}
	start := time.Now()
	m.units, m.wrong, err = s.load(b.ctx, b, port, b.options.seconds)
	if err != nil {
		return m, err
	}
	m.length = time.Since(start)
	after, err := b.look(process)
	if err != nil {
		return m, err
	}
	m.used = after.used.minus(before.used)
	m.balancer, m.load = after.balancer.minus(before.balancer), after.load.minus(before.load)
	if m.wrong == "" {
		m.wrong = disturbed(&m, b.options.tolerate)
	}
	return m, process.alive()
}

// disturbed says why a run does not count although the load was well: the balancer did not have its core to itself.
func disturbed(m *measured, tolerate float64) string {
	if waited := m.waitedShare(); waited > tolerate {
		return fmt.Sprintf("waited for its core %.0f %% of the time", 100*waited)
	}
	if stolen := m.balancer.stolenShare(); stolen > tolerate {
		return fmt.Sprintf("the hypervisor took %.0f %% of its core", 100*stolen)
	}
	return ""
}

type looked struct {
	used           usage
	balancer, load core
}

func (b *bench) look(process *service) (l looked, err error) {
	if l.used, err = readUsage(process.pid()); err != nil {
		return l, err
	}
	if l.balancer, err = readCore(b.options.balancerCPU); err != nil {
		return l, err
	}
	l.load, err = readCore(b.options.loadCPU)
	return l, err
}
