package lb

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/flow"
	resolver "github.com/sluice-lb/sluice/lb/resolve"
)

// What the operator does to names: servers with "resolvers" that come and go, and servers that are given another name. Such a server is
// the only one of its group; a question that several groups have is asked once, which lb/resolve sees to.

// add begins to ask for the name of a server that was added. Call it once the server can be seen.
func (n *names) add(p *config.Proxy, server *backend.Server) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	target := flow.TargetOf(server)
	s := &namedServer{
		names: n, proxy: p, config: server.Config, server: server, asked: server.Config.Address.Host, host: server.Config.Address.Host,
		addr: target.Addr.Addr(), port: port(server.Config.Address), resolved: !target.Unresolved, introduced: true,
	}
	if err := s.ask(s.host); err != nil {
		return err
	}
	n.backends[p.Name] = append(n.backends[p.Name], s)
	n.servers.Store(server, s)
	return nil
}

// ask makes a group of s alone that asks for a name. Called under the names' mu.
func (s *namedServer) ask(name string) error {
	g := &nameGroup{
		names: s.names, servers: []*namedServer{s},
		query: resolver.Query{Section: s.config.Resolvers, Name: name, PreferIPv4: s.config.Resolve.Prefer == "ipv4"},
	}
	before := s.watch.Load()
	if err := g.begin(); err != nil {
		s.watch.Store(before)
		return err
	}
	s.group = g
	return nil
}

// leave takes s out of its group, which ends with its last server. Called under the names' mu.
func (s *namedServer) leave() {
	g := s.group
	if g.servers = slices.DeleteFunc(g.servers, func(x *namedServer) bool { return x == s }); len(g.servers) == 0 {
		s.watch.Load().Stop()
	}
	g.free = slices.DeleteFunc(g.free, func(x *namedServer) bool { return x == s })
}

// again gives the servers of g their share of the last answer anew: one that is no longer among them may have left them an address.
// Called under the names' mu.
func (g *nameGroup) again() {
	if len(g.servers) > 0 && !g.query.Service && !g.servers[0].told.Valid.IsZero() && g.servers[0].told.Known() {
		g.host(g.servers[0].told)
	}
}

// remove ends the asking for a server that is no more.
func (n *names) remove(server *backend.Server) {
	s := n.of(server)
	if s == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s.leave()
	n.servers.Delete(server)
	n.backends[s.proxy.Name] = slices.DeleteFunc(n.backends[s.proxy.Name], func(x *namedServer) bool { return x == s })
	s.group.again()
}

// rename has another name asked for. The server keeps its address until the first answer. It gives the name before.
func (n *names) rename(server *backend.Server, name string) (before string, err error) {
	s := n.of(server)
	if s == nil {
		return "", refusal("set server <b>/<s> fqdn failed because no resolution is configured.")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.group.query.Service {
		return "", refusal("set server <b>/<s> fqdn failed because the server stands for a service.")
	}
	if before = s.asked; before == name {
		return before, nil
	}
	had, watched := s.group, s.watch.Load()
	if err := s.ask(name); err != nil {
		return "", fmt.Errorf("invalid fqdn '%s': %w", name, err)
	}
	next, watching := s.group, s.watch.Load()
	s.group = had
	s.watch.Store(watched)
	s.leave()
	s.group = next
	s.watch.Store(watching)
	s.asked, s.host = name, name
	had.again()
	return before, nil
}

// SetName changes the name that a server's address comes from.
func (a *administration) SetName(s *backend.Server, name string) (before string, err error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	return a.names.rename(s, name)
}

// SetAgentSend changes what a server's agent is told.
func (a *administration) SetAgentSend(s *backend.Server, text string) error {
	c := a.checks
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.servers[s]
	if of == nil {
		return errors.New("agent checks are not enabled on this server")
	}
	of.SetAgentSend(text)
	return nil
}
