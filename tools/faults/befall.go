package main

import (
	"fmt"
	"strings"
	"time"
)

// result is what came of one fault.
type result struct {
	fault
	from, to time.Time // requests that began then count
	sides    []outcome // in the order of the sides
}

// outcome is what one program made of a fault.
type outcome struct {
	down, up []time.Duration // from the fault, and from its end, to the line in the log
	missing  []string        // lines that did not come
	wrong    []string        // lines that give another reason
	unseen   int             // servers that checks that only connect took for well all the time
	tallies  [len(listeners)]tally
}

// settle is the time after a fault in which nothing is done, so that late requests count with it.
const settle = 1500 * time.Millisecond

// befall lets a fault happen to servers of both sides, waits until all logs say so, ends it, and waits again.
func (p plan) befall(f fault, all []*side, first int) (*result, error) {
	r := &result{fault: f, from: time.Now(), sides: make([]outcome, len(all))}
	apply := func(do func(*server) error) ([][]time.Time, error) {
		times := make([][]time.Time, len(all))
		for n := first; n < p.each*len(p.faults); n += len(p.faults) {
			for k, s := range all { // twins one right after the other
				times[k] = append(times[k], time.Now())
				if err := do(s.servers[n]); err != nil {
					return nil, err
				}
			}
		}
		return times, nil
	}
	began, err := apply(f.begin)
	if err != nil {
		return nil, err
	}
	limit := p.settings.untilDown(f.fails(p.settings)).most + p.grace + time.Second
	for k, s := range all {
		o := &r.sides[k]
		for i, at := range began[k] {
			for _, l := range listeners {
				o.down = s.await(at, limit, fmt.Sprintf("Server %s/%s is DOWN", l.name, s.servers[first+i*len(p.faults)].name), f.reason, o.down, o)
			}
		}
	}
	time.Sleep(max(0, time.Until(r.from.Add(p.hold))))
	for k, s := range all {
		for i, at := range began[k] {
			if _, seen := s.find(at, fmt.Sprintf("Server connects/%s is DOWN", s.servers[first+i*len(p.faults)].name)); !seen {
				r.sides[k].unseen++
			}
		}
	}
	ended, err := apply(f.end)
	if err != nil {
		return nil, err
	}
	limit = p.settings.untilUp(f.fails(p.settings)).most + p.grace + time.Second
	for k, s := range all {
		o := &r.sides[k]
		for i, at := range ended[k] {
			for _, l := range listeners {
				o.up = s.await(at, limit, fmt.Sprintf("Server %s/%s is UP", l.name, s.servers[first+i*len(p.faults)].name), "", o.up, o)
			}
		}
	}
	time.Sleep(settle)
	r.to = time.Now()
	return r, nil
}

// await adds the time from at to the line that begins with text, which must have a reason in it.
func (s *side) await(at time.Time, limit time.Duration, text, reason string, times []time.Duration, o *outcome) []time.Duration {
	for deadline := at.Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if l, found := s.find(at, text); found {
			if !strings.Contains(l.text, reason) {
				o.wrong = append(o.wrong, l.text)
			}
			return append(times, l.at.Sub(at))
		}
		if time.Now().After(deadline) {
			o.missing = append(o.missing, text)
			return times
		}
	}
}

// count takes the requests of the fault's time, once all have ended.
func (r *result) count(all []*side) {
	for k, s := range all {
		for i, l := range s.loads {
			r.sides[k].tallies[i] = l.between(r.from, r.to)
		}
	}
}

// flapping is what came of one server that went and came.
type flapping struct {
	damped   bool
	from, to time.Time
	sides    []flaps
}

// flaps is what one program made of that.
type flaps struct {
	downs   int           // DOWN lines of the first listener's backend
	back    time.Duration // from the last time that it came to its last UP; 0: it did not come up any more
	said    []string      // what was said about damping
	tallies [len(listeners)]tally
}

// flap lets the n-th server of some sides go and come, and waits until it is up for good.
func (p plan) flap(who []*side, n int, damped bool) (*flapping, error) {
	f := &flapping{damped: damped, from: time.Now(), sides: make([]flaps, len(who))}
	var last time.Time
	for range p.flaps {
		for _, do := range []func(*server) error{flapped.begin, flapped.end} {
			last = time.Now()
			for _, s := range who {
				if err := do(s.servers[n]); err != nil {
					return nil, err
				}
			}
			time.Sleep(time.Until(last.Add(p.period)))
		}
	}
	f.to = time.Now()
	for k, s := range who {
		o := &f.sides[k]
		title := fmt.Sprintf("Server %s/%s ", listeners[0].name, s.servers[n].name)
		var later []time.Duration
		ups := 0
		for _, l := range s.since(f.from) {
			if strings.HasPrefix(l.text, title+"is UP") && l.at.After(last) {
				ups++
				o.back = l.at.Sub(last)
			}
		}
		if ups == 0 { // a server that is damped comes up later
			if later = s.await(last, time.Minute, title+"is UP", "", nil, &outcome{}); len(later) > 0 {
				o.back = later[0]
			}
		}
		for _, l := range s.since(f.from) {
			switch {
			case strings.HasPrefix(l.text, title+"is DOWN"):
				o.downs++
			case strings.HasPrefix(l.text, title+"changed "):
				o.said = append(o.said, l.text)
			}
		}
	}
	return f, nil
}

func (f *flapping) count(all []*side) {
	for k := range f.sides {
		for i, l := range all[k].loads {
			f.sides[k].tallies[i] = l.between(f.from, f.to)
		}
	}
}
