package lb

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/flow"
	resolver "github.com/sluice-lb/sluice/lb/resolve"
	"github.com/sluice-lb/sluice/lb/tcplog"
	"github.com/sluice-lb/sluice/poller"
)

// names carries what the name servers answer to the servers: where flows and checks go, what is in maintenance for want of
// an address, and the lines in the logs.
//
// Flows that are there are not touched by any of it. A server that loses its address gets no new ones.
type names struct {
	set *resolver.Set
	// tell hands a line to a proxy's log and to standard error, in order with those about health; it must not block.
	tell func(p *config.Proxy, text string, onlyLog bool)
	// moved is told each change of a server's address and port, after its flows' target: for checks. It must not block.
	moved []func(s *backend.Server, to netip.AddrPort)

	// servers finds a *namedServer by its *backend.Server: under backends' locks too, where mu must not be taken.
	servers sync.Map

	mu       sync.Mutex // servers of one backend may ask different sections, each of which has a goroutine of its own
	backends map[string][]*namedServer
}

// namedServer is a server with "resolvers". The mu of its names guards it.
type namedServer struct {
	names  *names
	proxy  *config.Proxy
	config *config.Server
	server *backend.Server
	group  *nameGroup
	watch  atomic.Pointer[resolver.Watch] // read by hasten too

	asked    string     // the name that is asked for: the configured one, until the operator gives another
	host     string     // what it has its address from; of a service's server: its target, or empty
	addr     netip.Addr // invalid: none
	port     uint16
	resolved bool // not in maintenance for want of an address
	told     resolver.Answer

	// Of a service's server.
	came       bool // its target's address came along with the service's answer
	introduced bool // the log has had its target
}

// openNames prepares to ask for the names of the servers that have "resolvers".
func (b *Balancer) openNames() error {
	n, err := newNames(b.config, b.backends)
	if err != nil {
		return err
	}
	n.tell = b.notice
	for _, fb := range b.backends {
		if len(b.config.Resolvers) == 0 {
			break
		}
		tell := fb.OnEvent
		fb.OnEvent = func(e backend.Event) {
			if tell != nil {
				tell(e)
			}
			n.hasten(e)
		}
	}
	b.names = n
	return nil
}

// newNames prepares what cfg wants to know, without asking yet. backends are those whose servers are resolved.
func newNames(cfg *config.Config, backends map[string]*flow.Backend) (*names, error) {
	set, err := resolver.New(cfg.Resolvers, resolver.Options{Address: nameServerAddress})
	if err != nil {
		var placed *resolver.Error
		if errors.As(err, &placed) {
			return nil, at(placed.Pos, "%w", placed.Err)
		}
		return nil, err
	}
	n := &names{set: set, backends: make(map[string][]*namedServer)}
	var errs []error
	for _, p := range cfg.Proxies {
		fb := backends[p.Name]
		if fb == nil || p.Disabled || p.Kind&config.Backend == 0 {
			continue
		}
		for _, group := range n.groups(p, fb) {
			if err := group.begin(); err != nil {
				errs = append(errs, at(group.servers[0].config.Pos, "server '%s': %w", group.servers[0].config.Name, err))
			}
			for _, s := range group.servers {
				n.servers.Store(s.server, s)
			}
		}
	}
	return n, errors.Join(errs...)
}

func nameServerAddress(a config.Address) (netip.AddrPort, error) {
	addr, err := resolve(a)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if addr.IsUnix() {
		return netip.AddrPort{}, errors.New("unix sockets are not supported")
	}
	return addr.AddrPort, nil
}

// nameGroup is the servers of one backend that have the same question: they share its answer.
type nameGroup struct {
	names   *names
	query   resolver.Query
	servers []*namedServer
	free    []*namedServer // of a service: those without a target, the longest without first
}

// groups sorts the servers of p by their questions.
func (n *names) groups(p *config.Proxy, fb *flow.Backend) []*nameGroup {
	found := make(map[resolver.Query]*nameGroup)
	var all []*nameGroup
	for _, server := range fb.Servers() {
		c := server.Config
		if c.Resolvers == "" || c.Address.Host == "" || c.Address.IP.IsValid() {
			continue
		}
		query := resolver.Query{Section: c.Resolvers, Name: c.Address.Host, Service: c.SRV(), PreferIPv4: c.Resolve.Prefer == "ipv4"}
		g := found[query]
		if g == nil {
			g = &nameGroup{names: n, query: query}
			found[query] = g
			all = append(all, g)
		}
		target := flow.TargetOf(server)
		s := &namedServer{
			names: n, proxy: p, config: c, server: server, group: g, host: c.Address.Host,
			addr: target.Addr.Addr(), port: port(c.Address), resolved: !target.Unresolved,
		}
		s.asked = c.Address.Host
		if s.introduced = true; query.Service {
			s.host, s.port = "", 0
		}
		g.servers = append(g.servers, s)
		n.backends[p.Name] = append(n.backends[p.Name], s)
	}
	return all
}

func (g *nameGroup) begin() error {
	take := g.host
	if g.query.Service {
		take = g.service
		g.free = append(g.free, g.servers...)
	}
	watch, err := g.names.set.Watch(g.query, func(a resolver.Answer) {
		g.names.mu.Lock()
		defer g.names.mu.Unlock()
		take(a)
	})
	for _, s := range g.servers {
		s.watch.Store(watch)
	}
	if err == nil && slices.ContainsFunc(g.servers, func(s *namedServer) bool { return s.resolved }) {
		watch.Assume() // init-addr has given addresses
	}
	return err
}

// host gives the servers of a name their addresses.
func (g *nameGroup) host(a resolver.Answer) {
	for i, s := range g.servers {
		s.take(a, i == 0 && a.First, "No IP for server ", "")
	}
}

// take gives a server its share of an answer. by is how the log calls the source if the server is the question's first;
// none is the reason if the answer has no address for it.
func (s *namedServer) take(a resolver.Answer, first bool, none, name string) {
	s.told = a
	if nothingNew(&a) {
		return
	}
	if !a.Known() {
		s.lose(a.Failure.String())
		return
	}
	addr := chooseAddress(s.config.Resolve, s.addr, a.Addrs, s.takenByAnother)
	if !addr.IsValid() {
		s.lose(none)
		return
	}
	if addr != s.addr {
		by := "DNS cache"
		if first {
			by = a.By
		}
		if s.came {
			by = "DNS additional record"
		}
		s.names.tell(s.proxy, fmt.Sprintf("%s/%s changed its IP from %s to %v by %s.", s.proxy.Name, s.config.Name, s.shown(), addr, by), false)
	}
	s.introduce()
	s.move(addr, s.port)
	s.resolved = true
	s.server.SetResolved(true, name) // it may be in maintenance by the state file
}

// nothingNew tells that a name could not be asked for since the start, and that what servers start with is to be held.
func nothingNew(a *resolver.Answer) bool { return a.Stale && a.Valid.IsZero() }

// shown is the server's address as log lines have it.
func (s *namedServer) shown() string {
	if !s.addr.IsValid() {
		return "(none)"
	}
	return s.addr.String()
}

// takenByAnother tells whether another server of the backend with the same name has an address.
func (s *namedServer) takenByAnother(addr netip.Addr) bool {
	for _, x := range s.names.backends[s.proxy.Name] {
		if x != s && x.resolved && x.addr == addr && x.host == s.host {
			return true
		}
	}
	return false
}

// move has new flows and checks go to an address.
func (s *namedServer) move(addr netip.Addr, port uint16) {
	to := netip.AddrPortFrom(addr, port)
	t := *flow.TargetOf(s.server)
	if s.addr == addr && t.Addr == poller.IP(to) && !t.Unresolved {
		return
	}
	s.addr, s.port = addr, port
	place(&t, s.config.Address, poller.IP(to))
	flow.SetTarget(s.server, &t)
	for _, f := range s.names.moved {
		f(s.server, to)
	}
}

// lose takes a server out for want of an address. A flow that has just been given to it may still connect where it was.
func (s *namedServer) lose(why string) {
	s.introduce()
	s.addr, s.resolved = netip.Addr{}, false
	s.server.SetResolved(false, why)
}

// hasten has a server's name asked for when a check of it ran into the time-out of its connect, instead of when it is due:
// it may have moved. It is called under the backend's lock.
func (n *names) hasten(e backend.Event) {
	if s := n.of(e.Server); s != nil && e.Check.Status == backend.CheckL4Timeout {
		s.watch.Load().Again()
	}
}

// of finds what is known of a server's name; nil: it has none that is asked for. Any goroutine may call it.
func (n *names) of(server *backend.Server) *namedServer {
	s, _ := n.servers.Load(server)
	named, _ := s.(*namedServer)
	return named
}

// NameStatus is what is known of a server's name.
type NameStatus struct {
	Backend, Server string
	Name            string     // that is asked for
	Target          string     // of a service: the host that the server stands for; empty: none
	Addr            netip.Addr // invalid: none
	Port            uint16
	Failure         resolver.Failure
	Stale           bool      // the last answer was a failure, and Addr is held from before
	Valid           time.Time // of the last valid answer; zero: none yet
}

// Names tells what is known of all servers with "resolvers", in the order of the configuration.
func (b *Balancer) Names() []NameStatus {
	n := b.names
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []NameStatus
	for _, p := range b.config.Proxies {
		for _, s := range n.backends[p.Name] {
			status := NameStatus{
				Backend: p.Name, Server: s.config.Name, Name: s.asked, Addr: s.addr, Port: s.port,
				Failure: s.told.Failure, Stale: s.told.Stale, Valid: s.told.Valid,
			}
			if s.config.SRV() {
				status.Target = s.host
			}
			all = append(all, status)
		}
	}
	return all
}

// Resolvers is a snapshot of the counters of all name servers.
func (b *Balancer) Resolvers() []resolver.SectionStatus {
	if b.names == nil {
		return nil
	}
	return b.names.set.Status()
}

// notice hands a line about a server's name to its proxy's log and to whoever reads standard error.
func (b *Balancer) notice(p *config.Proxy, text string, onlyLog bool) {
	b.loggers[p.Name].Message(tcplog.Notice, text)
	if onlyLog {
		return
	}
	select {
	case b.news.lines <- saying{config.Warning, text}:
	default:
		b.news.lost.Add(1)
	}
}
