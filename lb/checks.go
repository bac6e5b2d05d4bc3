package lb

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
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
	servers map[*config.Proxy][]*check.Server // by the server's index; nil: it has no checks
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
		servers: make(map[*config.Proxy][]*check.Server),
	}
	var errs []error
	for _, p := range b.config.Proxies {
		fb := b.backends[p.Name]
		if fb == nil || p.Disabled || p.Kind&config.Backend == 0 {
			continue
		}
		b.checks.servers[p] = make([]*check.Server, len(p.Servers))
		for i, s := range p.Servers {
			if !checked(s) {
				continue
			}
			added, err := b.checks.add(fb.Backend, fb.Servers[i], p, s, fb.Targets[i].Load())
			if err != nil {
				errs = append(errs, at(s.Pos, "server '%s/%s': %w", p.Name, s.Name, err))
				continue
			}
			b.checks.servers[p][i] = added
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

func (c *checks) add(b *backend.Backend, s *backend.Server, p *config.Proxy, cfg *config.Server, traffic *flow.Target) (*check.Server, error) {
	target, err := checkTarget(cfg, traffic)
	if err != nil {
		return nil, err
	}
	if cfg.Check.Enabled && target.Err == nil && !target.Addr.IsUnix() && target.Addr.Port() == 0 && !bringsPort(p) {
		return nil, errors.New("there is no port to check: neither the server, nor 'port', nor the first 'connect' rule has one")
	}
	var agent *check.Target
	if cfg.Check.Agent {
		if agent, err = agentTarget(cfg, traffic); err != nil {
			return nil, err
		}
	}
	added, err := c.Add(b, s, p, cfg, target, agent)
	if err == nil && cfg.Check.Enabled {
		s.OnHasten = added.Hasten
	}
	return added, err
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
		Source: traffic.Source, Options: traffic.Options, Traffic: traffic.Addr,
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
	t := &check.Target{Source: traffic.Source, Options: traffic.Options, Traffic: traffic.Addr}
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
func (c *checks) moved(p *config.Proxy, index int, to netip.AddrPort) {
	servers := c.servers[p]
	if index >= len(servers) || servers[index] == nil {
		return
	}
	s, cfg := servers[index], p.Servers[index]
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
		s.SetTarget(&next)
	}
	if t := s.AgentTarget(); t != nil {
		next := *t
		next.Traffic = poller.IP(to)
		if cfg.Check.AgentAddr == nil {
			next.Err = follow(&next.Addr, to.Addr(), uint16(cfg.Check.AgentPort))
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
