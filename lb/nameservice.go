package lb

import (
	"fmt"
	"net/netip"
	"slices"

	resolver "github.com/sluice-lb/sluice/lb/resolve"
)

// removed is the reason of a server whose target has left its service.
const removed = "entry removed from SRV record"

// service gives the servers of a service their targets: one each, and to those that have theirs still the same. What is
// left without a target waits in line, the one that lost its first goes first.
func (g *nameGroup) service(a resolver.Answer) {
	if nothingNew(&a) {
		for _, s := range g.servers {
			s.told = a
		}
		return
	}
	targets := a.Services
	if !a.Known() {
		targets = nil
	}
	for _, s := range g.servers {
		s.told = a
		if s.host != "" && !slices.ContainsFunc(targets, s.standsFor) {
			s.lose(removed)
			s.host, s.port = "", 0
			g.free = append(g.free, s)
		}
	}
	for _, target := range targets {
		s := g.serverFor(target)
		if s == nil {
			continue // more targets than servers
		}
		if !s.config.Resolve.NoWeight {
			if weight := serviceWeight(target.Weight); weight != s.server.Weight() {
				s.server.SetWeight(weight)
			}
		}
		if s.came = target.Additional; !s.came {
			s.introduce()
		}
		if target.Asked {
			s.take(target.Host, target.Host.First && !g.shared(target, s), "No IP for server ", target.Target)
		}
	}
}

func (s *namedServer) standsFor(t resolver.Service) bool {
	return s.host == t.Target && s.port == t.Port
}

// serverFor is the server that stands for a target, or else the next free one, which then does; nil: all have others.
func (g *nameGroup) serverFor(t resolver.Service) *namedServer {
	if i := slices.IndexFunc(g.servers, func(s *namedServer) bool { return s.standsFor(t) }); i >= 0 {
		return g.servers[i]
	}
	if len(g.free) == 0 {
		return nil
	}
	s := g.free[0]
	g.free = slices.Delete(g.free, 0, 1)
	s.host, s.port, s.addr, s.introduced = t.Target, t.Port, netip.Addr{}, false
	return s
}

// introduce logs the target that a server has got: before its address, unless that came along with it.
func (s *namedServer) introduce() {
	if !s.introduced {
		s.introduced = true
		s.names.tell(s.proxy, fmt.Sprintf("%s/%s changed its FQDN from (null) to %s by 'SRV record'", s.proxy.Name, s.config.Name, s.host), true)
	}
}

// shared tells whether a server before s stands for the same host: the log names that one's source.
func (g *nameGroup) shared(t resolver.Service, s *namedServer) bool {
	for _, x := range g.servers {
		if x == s {
			return false
		}
		if x.host == t.Target {
			return true
		}
	}
	return false
}
