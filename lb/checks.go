package lb

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/check"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/flow"
	"github.com/sluice-lb/sluice/poller"
)

// errUnresolved is why a server without an address cannot be checked. It is in maintenance then, and is not.
var errUnresolved = errors.New("the server's name has no address")

// checks are the health checks of the process. What the configuration says of them becomes targets here: how a check gets to
// its server is set apart from how traffic does.
type checks struct {
	*check.Checker

	mu      sync.Mutex                        // orders changes of targets, and guards the two below
	servers map[*backend.Server]*check.Server // those that have checks
	own     map[*check.Server]*ownedByOperator
}

// ownedByOperator is what was set at run time, and stays when the server moves: invalid and 0 were not.
type ownedByOperator struct {
	addr, agentAddr netip.Addr
	port, agentPort uint16
}

// hold puts what the operator has set into an address.
func hold(to *poller.Addr, addr netip.Addr, port uint16) bool {
	if !addr.IsValid() && port == 0 || to.IsUnix() {
		return false
	}
	if !addr.IsValid() {
		addr = to.Addr()
	}
	if port == 0 {
		port = to.Port()
	}
	*to = poller.IP(netip.AddrPortFrom(addr, port))
	return addr.IsValid()
}

// redirect sends a server's health checks, or its agent, to another address or port; what is invalid or 0 stays as it is.
func (c *checks) redirect(server *backend.Server, agent bool, addr netip.Addr, port uint16) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.servers[server]
	if s == nil { // or it has just been removed
		return errors.New("there are no checks")
	}
	own := c.own[s]
	if own == nil {
		own = &ownedByOperator{}
		c.own[s] = own
	}
	setAddr, setPort, target, set := &own.addr, &own.port, s.Target(), s.SetTarget
	if agent {
		setAddr, setPort, target, set = &own.agentAddr, &own.agentPort, s.AgentTarget(), s.SetAgentTarget
	}
	if addr.IsValid() {
		*setAddr = addr
	}
	if port != 0 {
		*setPort = port
	}
	next := *target
	if hold(&next.Addr, addr, port) && addr.IsValid() {
		next.Err = nil
	}
	set(&next)
	return nil
}

// owned gives what the operator has set for a server.
func (c *checks) owned(server *backend.Server) ownedByOperator {
	if c == nil {
		return ownedByOperator{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if own := c.own[c.servers[server]]; own != nil {
		return *own
	}
	return ownedByOperator{}
}

// openChecks prepares the checks of every server that has some. Nothing runs until Start. It follows
// openBackends and openNames.
func (b *Balancer) openChecks() error {
	g := &b.config.Global
	node := g.Node
	if node == "" {
		node, _ = os.Hostname()
	}
	b.checks = &checks{
		Checker: check.New(check.Options{
			Spread: g.SpreadChecks, MaxSpread: g.MaxSpreadChecks, BufferSize: g.Tune.BufSize, Node: node, Process: os.Getpid(),
			Seed: uint64(time.Now().UnixNano()), External: g.ExternalCheck, InsecureForkWanted: g.InsecureForkWanted,
			PreserveEnvironment: g.PreserveEnvironment,
		}),
		servers: make(map[*backend.Server]*check.Server), own: make(map[*check.Server]*ownedByOperator),
	}
	var errs []error
	for _, p := range b.config.Proxies {
		fb := b.backends[p.Name]
		if fb == nil || p.Disabled || p.Kind&config.Backend == 0 {
			continue
		}
		for _, s := range fb.Servers() {
			if err := b.checks.add(fb.Backend, s, p, flow.TargetOf(s)); err != nil {
				errs = append(errs, at(s.Config.Pos, "server '%s/%s': %w", p.Name, s.Name, err))
			}
		}
	}
	if b.names != nil {
		b.names.moved = append(b.names.moved, b.checks.moved)
	}
	return errors.Join(errs...)
}

// checked tells whether a server has checks of its own. One that tracks another has that one's.
func checked(s *config.Server) bool { return s.Check.Enabled && s.Track == "" || s.Check.Agent }

// checkDescriptors is how many descriptors the checks of a backend have open at most: each check at most one, an external one
// those of a child that is being started.
func checkDescriptors(p *config.Proxy) int {
	n := 0
	for _, s := range p.Servers {
		if s.Check.Enabled && s.Track == "" {
			n++
			if p.Health.Kind == config.CheckExternal {
				n += externalDescriptors
			}
		}
		if s.Check.Agent {
			n++
		}
	}
	return n
}

// externalDescriptors: /dev/null three times, the pipe that tells of a failed start, the child's handle.
const externalDescriptors = 6

// add prepares the checks of a server, if it has some.
func (c *checks) add(b *backend.Backend, s *backend.Server, p *config.Proxy, traffic *flow.Target) error {
	cfg := s.Config
	if !checked(cfg) {
		return nil
	}
	target, err := checkTarget(cfg, traffic)
	if err != nil {
		return err
	}
	if cfg.Check.Enabled && target.Err == nil && !target.Addr.IsUnix() && target.Addr.Port() == 0 && !bringsPort(p) {
		return errors.New("there is no port to check: neither the server, nor 'port', nor the first 'connect' rule has one")
	}
	var agent *check.Target
	if cfg.Check.Agent {
		if agent, err = agentTarget(cfg, traffic); err != nil {
			return err
		}
	}
	added, err := c.Add(b, s, p, cfg, target, agent)
	if err != nil {
		return err
	}
	if cfg.Check.Enabled {
		s.OnHasten = added.Hasten
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.servers[s] = added
	return nil
}

// remove ends the checks of a server that is no more.
func (c *checks) remove(s *backend.Server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if had := c.servers[s]; had != nil {
		c.Remove(had)
		delete(c.own, had)
		delete(c.servers, s)
	}
}

// bringsPort tells whether the script begins by connecting to a port that it names.
func bringsPort(p *config.Proxy) bool {
	if p.Health.Kind == config.CheckExternal {
		return true
	}
	for _, r := range p.Health.Rules {
		if r.Action == config.ActionConnect {
			return r.Connect.Port != "" || r.Connect.Address != nil && r.Connect.Address.Port != 0
		}
	}
	return false
}

// checkTarget says how the health checks of s reach it: as its traffic does, but for what "addr", "port" and the "check-"
// settings say. With one of the first two it is another service that is asked, which gets no PROXY header unless
// "check-send-proxy" says so.
func checkTarget(s *config.Server, traffic *flow.Target) (*check.Target, error) {
	t := &check.Target{
		Source: traffic.Source, Options: traffic.Options, Traffic: traffic.Addr, In: checkedIn(traffic),
		SOCKS4: traffic.SOCKS4, ViaSOCKS4: s.Check.ViaSocks4, ProxyVersion: max(s.SendProxy, 1), ProxyCRC32C: s.ProxyV2.CRC32C,
	}
	if s.Check.SendProxy || s.SendProxy != 0 && s.Check.Address == nil && s.Check.Port == 0 {
		t.SendProxy = t.ProxyVersion
	}
	t.Options.FastOpen = false // a check may have nothing to say, and nothing would be sent
	if traffic.SourceUse != flow.OwnSource {
		t.Options.Transparent, t.Options.FreeBind = false, false // there is no client whose address could be borrowed
	}
	addr := traffic.Addr
	if s.Check.Address != nil {
		var err error
		if addr, err = resolve(*s.Check.Address); err != nil {
			return nil, fmt.Errorf("addr: %w", err)
		}
	} else if traffic.Unresolved {
		t.Err = errUnresolved
	}
	t.Addr = addr
	if port := checkPort(s); port != 0 && !addr.IsUnix() {
		t.Addr = poller.IP(netip.AddrPortFrom(addr.Addr(), port))
	}
	return t, nil
}

// checkedIn is where the sockets of checks are made: where those of the traffic are, but in the process's own network namespace where
// each client brings one ("namespace *"), as in HAProxy.
func checkedIn(traffic *flow.Target) poller.Sockets {
	if traffic.Namespace == nil {
		return nil
	}
	return traffic.Namespace.Sockets()
}

// checkPort is the port that s is checked at, wherever its address is; zero: there is none, for traffic goes to the port
// that the client came to.
func checkPort(s *config.Server) uint16 {
	switch {
	case s.Check.Port != 0:
		return uint16(s.Check.Port)
	case s.Check.Address != nil && s.Check.Address.Port != 0:
		return uint16(s.Check.Address.Port)
	case s.Address.PortOffset:
		return 0
	}
	return uint16(s.Address.Port)
}

// agentTarget says how the agent of s is reached: "agent-addr" or the server's address, "agent-port", and nothing of what is
// put around the server's traffic.
func agentTarget(s *config.Server, traffic *flow.Target) (*check.Target, error) {
	t := &check.Target{Source: traffic.Source, Options: traffic.Options, Traffic: traffic.Addr, In: checkedIn(traffic)}
	t.Options.FastOpen = false
	if traffic.SourceUse != flow.OwnSource {
		t.Options.Transparent, t.Options.FreeBind = false, false
	}
	addr := traffic.Addr
	switch {
	case s.Check.AgentAddr != nil:
		var err error
		if addr, err = resolve(*s.Check.AgentAddr); err != nil {
			return nil, fmt.Errorf("agent-addr: %w", err)
		}
	case traffic.Unresolved:
		t.Err = errUnresolved
	}
	t.Addr = addr
	if !addr.IsUnix() {
		t.Addr = poller.IP(netip.AddrPortFrom(addr.Addr(), uint16(s.Check.AgentPort)))
	}
	return t, nil
}

// moved lets the checks of a server follow it to a new address and port. Those that have an address or port of their own
// keep it. An invalid address: it has none now.
func (c *checks) moved(server *backend.Server, to netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, cfg := c.servers[server], server.Config
	if s == nil {
		return
	}
	var own ownedByOperator
	if set := c.own[s]; set != nil {
		own = *set
	}
	if t := s.Target(); t != nil {
		next := *t
		next.Traffic = poller.IP(to)
		if cfg.Check.Address == nil {
			port := to.Port()
			if cfg.Check.Port != 0 {
				port = uint16(cfg.Check.Port)
			}
			next.Err = follow(&next.Addr, to.Addr(), port)
		}
		if hold(&next.Addr, own.addr, own.port) && own.addr.IsValid() {
			next.Err = nil
		}
		s.SetTarget(&next)
	}
	if t := s.AgentTarget(); t != nil {
		next := *t
		next.Traffic = poller.IP(to)
		if cfg.Check.AgentAddr == nil {
			next.Err = follow(&next.Addr, to.Addr(), uint16(cfg.Check.AgentPort))
		}
		if hold(&next.Addr, own.agentAddr, own.agentPort) && own.agentAddr.IsValid() {
			next.Err = nil
		}
		s.SetAgentTarget(&next)
	}
}

func follow(addr *poller.Addr, ip netip.Addr, port uint16) error {
	if !ip.IsValid() {
		return errUnresolved
	}
	*addr = poller.IP(netip.AddrPortFrom(ip, port))
	return nil
}
