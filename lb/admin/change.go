package admin

import (
	"strconv"
	"strings"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
)

// changes are the commands that change something.
func changes() []*command {
	onServer := func(do func(s *session, x *server)) func(*session, []string) {
		return func(s *session, arguments []string) {
			if x := s.server(arguments); x != nil {
				do(s, x)
			}
		}
	}
	return []*command{
		{"add guard deny", "<address>|<prefix>", "drop all packets of these sources", Admin, (*session).addGuardDeny},
		{"add server", "<backend>/<server> <address> [<keyword>...]", "a new server, in maintenance and unchecked until it is enabled", Admin, (*session).addServer},
		{"clear counters", "[all]", "forget maxima, or with 'all' (level admin) everything that was counted", Operator, (*session).clearCounters},
		{"del guard deny", "<address>|<prefix>", "drop them no more", Admin, (*session).delGuardDeny},
		{"del server", "<backend>/<server>", "remove a server that is in maintenance and has no flows", Admin, (*session).delServer},
		{"disable agent", "<backend>/<server>", "ask the server's agent no more", Admin, onServer(func(s *session, x *server) { x.SetAgentEnabled(false) })},
		{"disable frontend", "<frontend>", "free the frontend's ports for a while", Admin, (*session).disableFrontend},
		{"disable health", "<backend>/<server>", "check the server no more", Admin, onServer(func(s *session, x *server) { x.SetChecksEnabled(false) })},
		{"disable server", "<backend>/<server>", "put the server into maintenance", Admin, onServer(func(s *session, x *server) { x.SetAdmin(backend.Maint) })},
		{"enable agent", "<backend>/<server>", "ask the server's agent again", Admin, onServer((*session).enableAgent)},
		{"enable frontend", "<frontend>", "listen again", Admin, (*session).enableFrontend},
		{"enable health", "<backend>/<server>", "check the server again", Admin, onServer((*session).enableHealth)},
		{"enable server", "<backend>/<server>", "end maintenance and drain", Admin, onServer(func(s *session, x *server) { x.SetAdmin(backend.Ready) })},
		{"operator", "", "give up all above level operator", User, func(s *session, _ []string) { s.level = min(s.level, Operator) }},
		{"set maxconn frontend", "<frontend> <number>", "connections of a frontend at once", Admin, (*session).setMaxConnFrontend},
		{"set maxconn global", "<number>", "connections of the process at once, 0: as at start", Admin, (*session).setMaxConnGlobal},
		{"set maxconn server", "<backend>/<server> <number>", "connections to a server at once", Admin, (*session).setMaxConnServer},
		{"set rate-limit", "connections|sessions global <number>", "new connections of the process per second, 0: no limit", Admin, (*session).setRateLimit},
		{"set server", "<backend>/<server> <what> <value>", "a server's addr, agent, agent-addr, agent-port, agent-send, check-addr, check-port, fqdn, health, state, weight", Admin, (*session).setServer},
		{"set severity-output", "none|number|string", "how messages show their severity on this connection", User, (*session).setSeverity},
		{"set timeout cli", "<seconds>", "idle time after which this connection ends", User, (*session).setTimeout},
		{"set weight", "<backend>/<server> <number>[%]", "a server's weight", Admin, (*session).setWeightCommand},
		{"shutdown frontend", "<frontend>", "stop listening for good", Admin, (*session).shutdownFrontend},
		{"shutdown session", "<id>", "end one flow", Admin, (*session).shutdownSession},
		{"shutdown sessions server", "<backend>/<server>", "end a server's flows", Admin, func(s *session, arguments []string) {
			if x := s.server(arguments); x != nil {
				s.process.ShutServerSessions(x.Server)
			}
		}},
		{"wait", "{-h|<delay>} [<condition> [<arguments>]]", "do nothing for so long, or until something is the case", User, (*session).wait},
		{"user", "", "give up all above level user", User, func(s *session, _ []string) { s.level = User }},
	}
}

func (s *session) clearCounters(arguments []string) {
	all := len(arguments) > 0 && arguments[0] == "all"
	if all && s.level < Admin {
		s.answer.fail("Permission denied")
		return
	}
	for _, p := range s.process.Proxies() {
		if f := p.Frontend; f != nil {
			f.Flows.ClearHighest()
			for _, b := range f.Binds {
				b.Flows.ClearHighest()
				if all {
					b.Stats.Clear()
				}
			}
			if all {
				f.Stats.Clear()
			}
		}
		switch {
		case p.Backend == nil:
		case all:
			p.Backend.Clear()
		default:
			p.Backend.ClearHighest()
		}
	}
	for _, t := range s.process.Tenants() {
		if t.Flows.ClearHighest(); all {
			t.Stats.Clear()
		}
	}
	s.cli.rates.clear(all)
	s.process.ClearMaxima()
}

// frontend finds the frontend that is named; nil: there is none, and that was told.
func (s *session) frontend(arguments []string) *Proxy {
	if len(arguments) == 0 {
		s.answer.fail("A frontend name is expected.")
		return nil
	}
	p := s.frontendNamed(arguments[0])
	if p == nil {
		s.answer.fail("No such frontend.")
	}
	return p
}

func (s *session) disableFrontend(arguments []string) {
	p := s.frontend(arguments)
	if p == nil {
		return
	}
	switch p.Frontend.State() {
	case Stopped:
		s.answer.fail("Frontend was previously shut down, cannot disable.")
	case Paused:
		s.answer.message(severityNotice, "All sockets are already disabled.")
	default:
		s.setFrontend(p, Paused)
	}
}

func (s *session) enableFrontend(arguments []string) {
	p := s.frontend(arguments)
	if p == nil {
		return
	}
	switch p.Frontend.State() {
	case Stopped:
		s.answer.fail("Frontend was previously shut down, cannot enable.")
	case Open:
		s.answer.message(severityNotice, "All sockets are already enabled.")
	default:
		s.setFrontend(p, Open)
	}
}

func (s *session) shutdownFrontend(arguments []string) {
	p := s.frontend(arguments)
	if p == nil {
		return
	}
	if p.Frontend.State() == Stopped {
		s.answer.message(severityNotice, "Frontend was already shut down.")
		return
	}
	s.setFrontend(p, Stopped)
}

func (s *session) setFrontend(p *Proxy, to FrontendState) {
	if err := s.process.SetFrontend(p, to); err != nil {
		s.answer.fail("Failed to change the frontend: %v.", err)
	}
}

// number reads a number that is not negative.
func number(arguments []string, i int) (int, bool) {
	if i >= len(arguments) {
		return 0, false
	}
	n, err := strconv.ParseInt(arguments[i], 10, 32)
	return int(n), err == nil && n >= 0
}

func (s *session) setMaxConnFrontend(arguments []string) {
	p := s.frontend(arguments)
	if p == nil {
		return
	}
	n, ok := number(arguments, 1)
	if !ok {
		s.answer.fail("Integer value expected.")
		return
	}
	p.Frontend.SetMaxConn(n)
}

func (s *session) setMaxConnServer(arguments []string) {
	x := s.server(arguments)
	if x == nil {
		return
	}
	if len(arguments) < 2 {
		s.answer.fail("Require <maxconn>.")
		return
	}
	n, ok := number(arguments, 1)
	if !ok {
		s.answer.fail("maxconn string empty or preceded by garbage")
		return
	}
	x.SetMaxConn(n)
}

func (s *session) setMaxConnGlobal(arguments []string) {
	n, ok := number(arguments, 0)
	switch {
	case !ok:
		s.answer.fail("Expects an integer value.")
	case n > s.process.Info().HardMaxConn:
		s.answer.fail("Value out of range.")
	default:
		s.process.SetMaxConn(n)
	}
}

func (s *session) setRateLimit(arguments []string) {
	what := first(arguments)
	if what != "connections" && what != "sessions" || len(arguments) < 2 || arguments[1] != "global" {
		s.answer.fail("'set rate-limit' only supports :\n   - 'connections global' and\n   - 'sessions global', the new ones of the process per second")
		return
	}
	n, ok := number(arguments, 2)
	switch {
	case !ok:
		s.answer.fail("Expects an integer value.")
	case what == "connections":
		s.process.SetRates(n, -1)
	default:
		s.process.SetRates(-1, n)
	}
}

func (s *session) setSeverity(arguments []string) {
	if len(arguments) > 0 {
		switch o := Output(arguments[0]); o {
		case "none", "number", "string":
			s.output = o
			return
		}
	}
	s.answer.fail("one of 'none', 'number', 'string' is a required argument")
}

// units of a time, the longer ones first.
var units = []struct {
	suffix string
	unit   time.Duration
}{{"us", time.Microsecond}, {"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}, {"", 0}}

// span reads a time, in the given unit unless it has its own; false: it is none, 0, or more than a year.
func span(text string, unit time.Duration) (time.Duration, bool) {
	for _, u := range units {
		if u.suffix == "" {
			u.unit = unit
		}
		digits, found := strings.CutSuffix(text, u.suffix)
		n, err := strconv.ParseUint(digits, 10, 31)
		if found && err == nil && n > 0 && time.Duration(n) <= 365*24*time.Hour/u.unit {
			return time.Duration(n) * u.unit, true
		}
	}
	return 0, false
}

func (s *session) setTimeout(arguments []string) {
	if len(arguments) == 0 {
		s.answer.fail("Expects an integer value.")
		return
	}
	if d, ok := span(arguments[0], time.Second); ok {
		s.timeout = max(d, time.Millisecond)
		return
	}
	s.answer.fail("Invalid timeout value.")
}

func (s *session) shutdownSession(arguments []string) {
	if len(arguments) > 0 {
		if id, ok := parseID(arguments[0]); ok {
			if !s.process.ShutSession(id) {
				s.answer.fail("No such session (use 'show sess').")
			}
			return
		}
	}
	s.answer.fail("Session pointer expected (use 'show sess').")
}
