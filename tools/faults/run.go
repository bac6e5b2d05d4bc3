package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// plan is what a fault run does.
type plan struct {
	settings settings
	faults   []fault
	each     int           // servers that a fault befalls at once
	well     int           // servers that nothing befalls
	rate     int           // requests per second, to each listener
	retries  int           // of a request's connect
	grace    time.Duration // by which a line may come late
	hold     time.Duration // a fault lasts at least that long
	flaps    int           // times that a server goes and comes; 0: none does
	period   time.Duration // between its going and coming
	damp     string        // of the server that flaps last
}

// wholeRun has twenty servers: three for each fault, two that flap, three that stay well.
var wholeRun = plan{
	settings: settings{
		inter: time.Second, fast: 250 * time.Millisecond, down: 500 * time.Millisecond, rise: 2, fall: 3,
		connect: 400 * time.Millisecond, check: 600 * time.Millisecond,
	},
	faults: faults, each: 3, well: 3, rate: 100, retries: 3, grace: time.Second / 2, hold: 4 * time.Second,
	flaps: 6, period: 2 * time.Second, damp: "damp 4 within 1m for 20s up-to 5m",
}

// listeners are where the load arrives; without and with "option redispatch".
var listeners = [...]struct{ name, port, lines string }{
	{"plain", ":8001", "    no option redispatch\n"},
	{"again", ":8002", "    option redispatch 1\n"},
}

// side is one program with its servers and its load.
type side struct {
	*program
	host    string // of its listeners
	servers []*server
	loads   []*load // one for each listener
}

// sides makes both programs' servers, without starting anything. The n-th server of each is the other's twin.
func (p plan) sides(kinds []kind) []*side {
	var all []*side
	for k := range kinds {
		s := &side{host: fmt.Sprintf("127.0.0.%d", k+2)}
		for range p.each { // those of one fault are no neighbours, or a redispatched request would go from one to the next
			for _, f := range p.faults {
				s.add(k, f.cabled)
			}
		}
		for range p.well {
			s.add(k, false)
		}
		for range min(p.flaps, 2) {
			s.add(k, false)
		}
		for i := range listeners {
			s.loads = append(s.loads, &load{address: s.host + listeners[i].port, rate: p.rate, limit: p.rate * 240})
		}
		all = append(all, s)
	}
	return all
}

// add makes one more server; k is the side's number.
func (s *side) add(k int, cabled bool) {
	n := len(s.servers) + 1
	o := &server{name: fmt.Sprintf("s%d", n), address: fmt.Sprintf("127.0.%d.%d", k+1, n), ports: []string{mainPort}}
	if cabled {
		o.cabled = fmt.Sprintf("near%d-%d", k, n)
		o.ours, o.address = fmt.Sprintf("10.%d.%d.1", k+1, n), fmt.Sprintf("10.%d.%d.2", k+1, n)
	}
	s.servers = append(s.servers, o)
}

// config writes the side's configuration. The backend "connects" carries no load: its checks only connect.
func (p plan) config(s *side, log string) string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }
	c := p.settings
	var b strings.Builder
	fmt.Fprintf(&b, "global\n    log %s local0\n    nbthread 2\ndefaults\n    mode tcp\n    retries %d\n", log, p.retries)
	fmt.Fprintf(&b, "    timeout client 10s\n    timeout server 3s\n    timeout connect %s\n    timeout check %s\n", ms(c.connect), ms(c.check))
	fmt.Fprintf(&b, "    default-server check inter %s fastinter %s downinter %s rise %d fall %d\n", ms(c.inter), ms(c.fast), ms(c.down), c.rise, c.fall)
	for _, l := range listeners {
		fmt.Fprintf(&b, "frontend to-%s\n    bind %s%s\n    default_backend %s\n", l.name, s.host, l.port, l.name)
		fmt.Fprintf(&b, "backend %s\n    log global\n%s    option tcp-check\n    tcp-check send PING\\r\\n\n    tcp-check expect string PONG\n", l.name, l.lines)
		for i, o := range s.servers {
			more := ""
			if p.flaps > 0 && i == len(s.servers)-1 && s.name == "sluice" {
				more = " " + p.damp
			}
			fmt.Fprintf(&b, "    server %s %s%s%s\n", o.name, o.address, mainPort, more)
		}
	}
	b.WriteString("backend connects\n    log global\n")
	for _, o := range s.servers {
		fmt.Fprintf(&b, "    server %s %s%s\n", o.name, o.address, mainPort)
	}
	return b.String()
}

// begin starts the origins, the programs and the load, and waits until all are in their stride.
func (p plan) begin(dir string, kinds []kind, all []*side) error {
	for k, s := range all {
		for _, o := range s.servers {
			if err := o.start(); err != nil {
				return err
			}
		}
		prog, log, err := receive(kinds[k])
		if err != nil {
			return err
		}
		s.program = prog
		if err := s.start(dir, p.config(s, log), s.host+listeners[0].port); err != nil {
			return err
		}
	}
	for _, s := range all {
		for _, l := range s.loads {
			l.start()
		}
	}
	time.Sleep(2*p.settings.inter + p.settings.check) // every server has been checked twice
	return nil
}

// finish ends everything, and tells what was not well about a program's end.
func finish(all []*side) error {
	var errs []error
	for _, s := range all {
		for _, l := range s.loads {
			if l.quit != nil {
				l.stop()
			}
		}
	}
	for _, s := range all {
		if s.program != nil {
			errs = append(errs, s.stop())
		}
		for _, o := range s.servers {
			o.end()
		}
	}
	return errors.Join(errs...)
}

// faultRun takes both programs through the plan and returns the tables. Text that comes with an error is a table in which
// something is out of its bounds.
func faultRun(dir string, kinds []kind, p plan) (string, error) {
	if err := arrive(); err != nil {
		return "", err
	}
	dir, _ = filepath.Abs(dir)
	all := p.sides(kinds)
	results, flaps, err := p.suffer(dir, kinds, all)
	if err := errors.Join(err, finish(all)); err != nil {
		return "", err
	}
	for i := range results {
		results[i].count(all)
	}
	for i := range flaps {
		flaps[i].count(all)
	}
	text, wrong := p.report(all, results, flaps)
	return text, wrong
}

// suffer does one fault after the other.
func (p plan) suffer(dir string, kinds []kind, all []*side) (results []*result, flaps []*flapping, err error) {
	if err := p.begin(dir, kinds, all); err != nil {
		return nil, nil, err
	}
	for i, f := range p.faults {
		r, err := p.befall(f, all, i)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", f.name, err)
		}
		results = append(results, r)
	}
	for n := range min(p.flaps, 2) {
		who := all
		if n == 1 { // with damp, which is sluice's
			who = all[:1]
		}
		f, err := p.flap(who, len(all[0].servers)-2+n, n == 1)
		if err != nil {
			return nil, nil, fmt.Errorf("flapping: %w", err)
		}
		flaps = append(flaps, f)
	}
	return results, flaps, nil
}
