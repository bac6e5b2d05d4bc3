package admin

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
)

// server is one that a command names.
type server struct {
	*backend.Server
	proxy  *Proxy
	config *config.Server
}

// server finds the one that the first argument names, "<backend>/<server>", either by its name or by "#" and its id; nil: there
// is none, and that was told.
func (s *session) server(arguments []string) *server {
	if len(arguments) == 0 {
		s.answer.fail("Require 'backend/server'.")
		return nil
	}
	backendName, name, found := strings.Cut(arguments[0], "/")
	if !found || backendName == "" || name == "" {
		s.answer.fail("Require 'backend/server'.")
		return nil
	}
	p := s.backendNamed(backendName)
	if p == nil {
		s.answer.fail("No such backend.")
		return nil
	}
	for _, x := range p.Backend.Servers() {
		if x.Name == name || "#"+strconv.Itoa(x.ID) == name {
			return &server{x, p, x.Config}
		}
	}
	s.answer.fail("No such server.")
	return nil
}

// addServer is "add server <backend>/<server> <address> [<keyword>...]".
func (s *session) addServer(arguments []string) {
	backendName, name, found := strings.Cut(first(arguments), "/")
	if !found || backendName == "" || name == "" {
		s.answer.fail("Require 'backend/server'.")
		return
	}
	p := s.backendNamed(backendName)
	if p == nil {
		s.answer.fail("No such backend.")
		return
	}
	notices, err := s.process.AddServer(p, append([]string{name}, arguments[1:]...))
	if err != nil {
		s.answer.fail("%v", err)
		return
	}
	for _, notice := range notices {
		s.answer.message(severityWarning, "%s", notice)
	}
	s.answer.message(severityNotice, "New server registered.")
}

func (s *session) delServer(arguments []string) {
	x := s.server(arguments)
	if x == nil {
		return
	}
	if err := s.process.RemoveServer(x.Server); err != nil {
		s.answer.fail("%s", removalText(err))
		return
	}
	s.answer.message(severityNotice, "Server deleted.")
}

func (s *session) enableAgent(x *server) {
	if !x.config.Check.Agent {
		s.answer.fail("Agent was not configured on this server, cannot enable.")
		return
	}
	x.SetAgentEnabled(true)
}

func (s *session) enableHealth(x *server) {
	if !x.config.Check.Enabled {
		s.answer.fail("Health checks are not configured on this server, cannot enable.")
		return
	}
	x.SetChecksEnabled(true)
}

func (s *session) getWeight(arguments []string) {
	if x := s.server(arguments); x != nil {
		st := x.Status()
		s.answer.message(severityInfo, "%d (initial %d)", st.Weight, st.InitialWeight)
	}
}

func (s *session) setWeightCommand(arguments []string) {
	if x := s.server(arguments); x != nil {
		s.setWeight(x, first(arguments[1:]))
	}
}

// setWeight takes an absolute weight, or percent of the configured one.
func (s *session) setWeight(x *server, text string) {
	digits, percent := strings.CutSuffix(text, "%")
	n, err := strconv.ParseInt(digits, 10, 32)
	initial := x.Status().InitialWeight
	switch {
	case text == "":
		s.answer.fail("Require <weight> or <weight%%>.")
		return
	case err != nil:
		s.answer.fail("Empty weight string empty or preceded by garbage")
		return
	case percent && n < 0:
		s.answer.fail("Relative weight must be positive.")
		return
	case percent:
		n = int64(backend.PercentOf(initial, int(n)))
	case n < 0 || n > backend.MaxWeight:
		s.answer.fail("Absolute weight can only be between 0 and 256 inclusive.")
		return
	}
	if x.proxy.Proxy.IsStatic() && n != 0 && int(n) != initial {
		s.answer.fail("Backend is using a static LB algorithm and only accepts weights '0%%' and '100%%'.")
		return
	}
	x.SetWeight(int(n))
}

// setters are what "set server" can change. They are given what stands behind the word.
var setters = map[string]func(s *session, x *server, arguments []string){
	"addr":       (*session).setAddress,
	"agent":      (*session).setAgent,
	"agent-addr": func(s *session, x *server, arguments []string) { s.setCheckAddress(x, true, arguments) },
	"agent-port": func(s *session, x *server, arguments []string) { s.setCheckPort(x, true, arguments) },
	"agent-send": (*session).setAgentSend,
	"check-addr": func(s *session, x *server, arguments []string) { s.setCheckAddress(x, false, arguments) },
	"check-port": func(s *session, x *server, arguments []string) { s.setCheckPort(x, false, arguments) },
	"fqdn":       (*session).setName,
	"health":     (*session).setHealth,
	"state":      (*session).setState,
	"weight":     func(s *session, x *server, arguments []string) { s.setWeight(x, first(arguments)) },
}

func first(arguments []string) string {
	if len(arguments) == 0 {
		return ""
	}
	return arguments[0]
}

func (s *session) setServer(arguments []string) {
	x := s.server(arguments)
	if x == nil {
		return
	}
	if len(arguments) > 1 {
		if set := setters[arguments[1]]; set != nil {
			set(s, x, arguments[2:])
			return
		}
	}
	names := make([]string, 0, len(setters))
	for name := range setters {
		names = append(names, name)
	}
	slices.Sort(names)
	s.answer.fail("usage: set server <backend>/<server> %s", strings.Join(names, " | "))
}

func (s *session) setState(x *server, arguments []string) {
	switch first(arguments) {
	case "ready":
		x.SetAdmin(backend.Ready)
	case "drain":
		x.SetAdmin(backend.Drain)
	case "maint":
		x.SetAdmin(backend.Maint)
	default:
		s.answer.fail("'set server <srv> state' expects 'ready', 'drain' and 'maint'.")
	}
}

func (s *session) setHealth(x *server, arguments []string) {
	health, ok := map[string]backend.Health{"up": backend.HealthUp, "stopping": backend.HealthStopping, "down": backend.HealthDown}[first(arguments)]
	switch {
	case !ok:
		s.answer.fail("'set server <srv> health' expects 'up', 'stopping', or 'down'.")
	case x.Tracks() != nil:
		s.answer.fail("cannot change health on a tracking server.")
	default:
		x.SetHealth(health)
	}
}

func (s *session) setAgent(x *server, arguments []string) {
	switch word := first(arguments); {
	case !x.AgentEnabled():
		s.answer.fail("agent checks are not enabled on this server.")
	case word == "up":
		x.AgentReported(backend.AgentReport{Result: byOperator, Weight: -1, MaxConn: -1, Health: backend.AgentUp})
	case word == "down":
		x.AgentReported(backend.AgentReport{Result: failedByOperator, Weight: -1, MaxConn: -1, Health: backend.AgentDown})
	default:
		s.answer.fail("'set server <srv> agent' expects 'up' or 'down'.")
	}
}

var (
	byOperator       = backend.CheckResult{Status: backend.CheckL7OK, Text: "changed from CLI", Duration: -1}
	failedByOperator = backend.CheckResult{Status: backend.CheckL7Failed, Text: "changed from CLI", Duration: -1}
)

// checkable tells whether a server has health checks, or an agent, of its own; false: it has none, and that was told.
func (s *session) checkable(x *server, agent bool) bool {
	switch {
	case agent && !x.config.Check.Agent:
		s.answer.fail("agent checks are not enabled on this server")
	case !agent && (!x.config.Check.Enabled || x.config.Track != ""):
		s.answer.fail("health checks are not enabled on this server")
	default:
		return true
	}
	return false
}

// setCheckAddress is "set server <b>/<s> check-addr <ip> [port <port>]", or the same for the agent.
func (s *session) setCheckAddress(x *server, agent bool, arguments []string) {
	if !s.checkable(x, agent) {
		return
	}
	ip, err := netip.ParseAddr(first(arguments))
	if err != nil || ip.Zone() != "" {
		s.answer.fail("invalid addr '%s'", first(arguments))
		return
	}
	port := uint16(0)
	if len(arguments) > 1 {
		var ok bool
		if arguments[1] != "port" {
			s.answer.fail("expects 'port', not '%s'", arguments[1])
			return
		}
		if port, ok = s.port(arguments[2:]); !ok {
			return
		}
	}
	s.setCheck(x, agent, ip, port)
}

// setCheckPort is "set server <b>/<s> check-port <port>", or the same for the agent.
func (s *session) setCheckPort(x *server, agent bool, arguments []string) {
	if !s.checkable(x, agent) {
		return
	}
	if port, ok := s.port(arguments); ok {
		s.setCheck(x, agent, netip.Addr{}, port)
	}
}

func (s *session) setAgentSend(x *server, arguments []string) {
	if !s.checkable(x, true) {
		return
	}
	if len(arguments) == 0 {
		s.answer.fail("'set server <srv> agent-send' expects a string.")
		return
	}
	if err := s.process.SetAgentSend(x.Server, arguments[0]); err != nil {
		s.answer.fail("%v", err)
	}
}

// setName is "set server <b>/<s> fqdn <name>".
func (s *session) setName(x *server, arguments []string) {
	if len(arguments) == 0 {
		s.answer.fail("set server <b>/<s> fqdn requires a FQDN.")
		return
	}
	before, err := s.process.SetName(x.Server, arguments[0])
	switch {
	case err != nil:
		s.answer.fail("%v", err)
	case before == arguments[0]:
		s.answer.message(severityNotice, "no need to change the FDQN")
	default:
		s.answer.message(severityNotice, "%s/%s changed its FQDN from %s to %s by 'stats socket command'", x.proxy.Name, x.Name, before, arguments[0])
	}
}

func (s *session) setCheck(x *server, agent bool, address netip.Addr, port uint16) {
	if err := s.process.SetCheck(x.Server, agent, address, port); err != nil {
		s.answer.fail("%v", err)
	}
}

// port reads the first argument; false: it is none, and that was told.
func (s *session) port(arguments []string) (uint16, bool) {
	n, err := strconv.Atoi(first(arguments))
	switch {
	case err != nil:
		s.answer.fail("provided port is not an integer")
	case n < 1 || n > 65535:
		s.answer.fail("provided port is invalid")
	default:
		return uint16(n), true
	}
	return 0, false
}

// setAddress is "set server <b>/<s> addr <ip> [port <port>]".
func (s *session) setAddress(x *server, arguments []string) {
	if len(arguments) == 0 {
		s.answer.fail("set server <b>/<s> addr requires an address and optionally a port.")
		return
	}
	old, unix := s.process.Address(x.Server)
	ip, err := netip.ParseAddr(arguments[0])
	switch {
	case err != nil || ip.Zone() != "":
		s.answer.fail("Invalid addr '%s' by 'stats socket command'", arguments[0])
		return
	case unix != "":
		s.answer.fail("Update for the current server address family is only supported through configuration file by 'stats socket command'")
		return
	case x.config.Address.PortOffset && len(arguments) > 1:
		s.answer.fail("the port of this server follows that of the client and cannot be set by 'stats socket command'")
		return
	}
	port := old.Port()
	if len(arguments) > 1 {
		n, err := strconv.ParseUint(first(arguments[2:]), 10, 16)
		if arguments[1] != "port" || err != nil || n == 0 {
			s.answer.fail("problem converting port '%s' to an int by 'stats socket command'", first(arguments[2:]))
			return
		}
		port = uint16(n)
	}
	to := netip.AddrPortFrom(ip, port)
	var changed []string
	if from := old.Addr(); from != ip {
		changed = append(changed, "IP changed from '"+shown(from)+"' to '"+ip.String()+"'")
	} else {
		changed = append(changed, "no need to change the addr")
	}
	if len(arguments) > 1 {
		if old.Port() != port {
			changed = append(changed, "port changed from '"+strconv.Itoa(int(old.Port()))+"' to '"+strconv.Itoa(int(port))+"'")
		} else {
			changed = append(changed, "no need to change the port")
		}
	}
	if old != to {
		if err := s.process.SetAddress(x.Server, to); err != nil {
			s.answer.fail("%v", err)
			return
		}
	}
	s.answer.message(severityNotice, "%s by 'stats socket command'", strings.Join(changed, ", "))
}

// shown is an address as messages have it.
func shown(a netip.Addr) string {
	if !a.IsValid() {
		return "(none)"
	}
	return a.String()
}
