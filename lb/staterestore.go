package lb

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/flow"
	resolver "github.com/sluice-lb/sluice/lb/resolve"
	"github.com/sluice-lb/sluice/lb/statefile"
)

// restoreStates gives the servers the states that were read. What changes is logged, as any change of state is; mail is for
// what happens from now on.
func (b *Balancer) restoreStates() {
	for _, p := range b.config.Proxies {
		fb := b.backends[p.Name]
		if fb == nil {
			continue
		}
		for _, server := range fb.Servers() {
			s := server.Config
			e := b.states.entries[s]
			if e == nil {
				continue
			}
			if s.SRV() {
				b.names.recall(server, e)
			}
			if !server.Restore(saved(e)) {
				b.say(config.Warning, fmt.Sprintf("server-state partially applied for server '%s/%s', health checks are not enabled on this server", p.Name, s.Name))
			}
			if port := s.Address.Port; !s.SRV() && !s.Address.PortOffset && port != 0 && e.Port != 0 && e.Port != port {
				b.say(config.Warning, fmt.Sprintf("server '%s/%s' had port %d when its state was saved: the configured one, %d, is used", p.Name, s.Name, e.Port, port))
			}
		}
	}
}

// recall has the server of a service start where it was ("init-addr last"): it stands for the same target as before, so that
// the first answer changes nothing if it is the same. Call it before the names are asked for.
func (n *names) recall(server *backend.Server, e *statefile.Entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.of(server)
	if s == nil || e.Name == "" || !e.Address.IsValid() || e.Port == 0 {
		return
	}
	target := resolver.Service{Target: strings.ToLower(strings.TrimSuffix(e.Name, ".")), Port: uint16(e.Port)}
	last := len(s.config.InitAddr) == 0 || slices.Contains(s.config.InitAddr, "last")
	free := slices.Index(s.group.free, s)
	if !last || free < 0 || slices.ContainsFunc(s.group.servers, func(x *namedServer) bool { return x.standsFor(target) }) {
		return
	}
	s.group.free = slices.Delete(s.group.free, free, free+1)
	s.host, s.resolved = target.Target, true
	s.move(e.Address, target.Port)
	s.server.SetResolved(true, s.host)
	s.watch.Load().Assume()
}

// saved translates an entry.
func saved(e *statefile.Entry) backend.Saved {
	v := backend.Saved{
		Operation: backend.Operation(e.Operation), Maintained: e.Admin&statefile.AnyMaint != 0,
		Weight: e.Weight, InitialWeight: e.InitialWeight, SinceChange: e.SinceChange, Health: e.Health,
		WasChecked: e.Check&statefile.CheckConfigured != 0, ChecksOff: off(e.Check), AgentOff: off(e.Agent),
	}
	v.Status, _ = backend.ParseCheckStatus(e.CheckStatus)
	for theirs, ours := range adminFlags {
		if e.Admin&theirs != 0 {
			v.Admin |= ours
		}
	}
	return v
}

// off tells whether checks were there and turned off at run time.
func off(s statefile.CheckState) bool {
	return s&statefile.CheckConfigured != 0 && s&statefile.CheckEnabled == 0
}

var adminFlags = map[statefile.Admin]backend.Flags{
	statefile.ForcedMaint: backend.ForcedMaint, statefile.InheritedMaint: backend.InheritedMaint,
	statefile.ConfiguredMaint: backend.ConfiguredMaint, statefile.ResolutionMaint: backend.ResolutionMaint,
	statefile.ForcedDrain: backend.ForcedDrain, statefile.InheritedDrain: backend.InheritedDrain,
}

var checkResults = map[backend.CheckOutcome]statefile.CheckResult{
	backend.CheckNeutral: statefile.ResultUnknown, backend.CheckPassed: statefile.ResultPassed,
	backend.CheckConditional: statefile.ResultConditional, backend.CheckFailed: statefile.ResultFailed,
}

// WriteServerState writes the states of all servers, or those of the backend with the given name or id, as a server state
// file: what "show servers state" shows. The error is the writer's, or that there is no such backend. Any goroutine may call it.
func (b *Balancer) WriteServerState(w io.Writer, only string) error {
	names := make(map[[2]string]NameStatus) // by backend and server
	for _, name := range b.Names() {
		names[[2]string{name.Backend, name.Server}] = name
	}
	var wanted []*config.Proxy
	for _, p := range b.config.Proxies {
		if b.backends[p.Name] != nil && (only == "" || only == p.Name || only == strconv.Itoa(p.ID)) {
			wanted = append(wanted, p)
		}
	}
	if only != "" && len(wanted) == 0 {
		return fmt.Errorf("there is no backend '%s'", only)
	}
	return statefile.WriteEach(w, func(yield func(statefile.Entry) bool) {
		for _, p := range wanted {
			fb := b.backends[p.Name]
			for _, server := range fb.Servers() {
				s := server.Config
				e := stateOf(p, s, server.Status(), flow.TargetOf(server))
				b.checks.owned(server).show(&e)
				if name, asked := names[[2]string{p.Name, s.Name}]; s.SRV() {
					e.Name, e.SRVRecord = name.Target, s.Address.Host
				} else if asked {
					e.Name = name.Name
				}
				if !yield(e) {
					return
				}
			}
		}
	})
}

// show puts what the operator has set into a server's entry.
func (own ownedByOperator) show(e *statefile.Entry) {
	if own.addr.IsValid() {
		e.CheckAddress = own.addr
	}
	if own.agentAddr.IsValid() {
		e.AgentAddress = own.agentAddr
	}
	e.CheckPort, e.AgentPort = cmp.Or(int(own.port), e.CheckPort), cmp.Or(int(own.agentPort), e.AgentPort)
}

// stateOf gathers one server's entry.
func stateOf(p *config.Proxy, s *config.Server, st backend.Status, target *flow.Target) statefile.Entry {
	e := statefile.Entry{
		BackendID: p.ID, Backend: p.Name, BackendIDForced: p.IDGiven, ServerID: s.ID, Server: s.Name, ServerIDForced: s.IDGiven,
		Operation: statefile.Operation(st.Operation), Weight: st.Weight, InitialWeight: st.InitialWeight,
		SinceChange: st.SinceChange, CheckStatus: st.Check.Status.Name(), CheckResult: checkResults[st.Check.Status.Outcome()], Health: st.Health,
		Port: s.Address.Port, CheckPort: s.Check.Port, AgentPort: s.Check.AgentPort,
	}
	for theirs, ours := range adminFlags {
		if st.Admin&ours != 0 {
			e.Admin |= theirs
		}
	}
	if !target.Addr.IsUnix() && !target.Unresolved {
		e.Address = target.Addr.Addr().Unmap()
		if port := target.Addr.Port(); port != 0 {
			e.Port = int(port)
		}
	}
	if s.Address.Host != "" && !s.Address.IP.IsValid() {
		e.Name = s.Address.Host
	}
	// HAProxy's checks are paused by maintenance, where there are any or the configuration brought it about.
	paused := st.Admin&(backend.ForcedMaint|backend.ResolutionMaint) != 0 && (s.Check.Enabled || st.Admin&backend.ConfiguredMaint != 0)
	if s.Track == "" { // otherwise the checks are another's
		e.Check = checkState(s.Check.Enabled, st.Checked, paused)
		if e.Agent = checkState(s.Check.Agent, st.Agented, false); e.Agent != 0 {
			e.Agent |= statefile.CheckAgent
		}
	}
	if a := s.Check.Address; a != nil {
		e.CheckAddress = a.IP
	}
	if a := s.Check.AgentAddr; a != nil {
		e.AgentAddress = a.IP
	}
	return e
}

func checkState(configured, enabled, paused bool) (flags statefile.CheckState) {
	if configured {
		flags |= statefile.CheckConfigured
	}
	if enabled {
		flags |= statefile.CheckEnabled
	}
	if paused {
		flags |= statefile.CheckPaused
	}
	return flags
}
