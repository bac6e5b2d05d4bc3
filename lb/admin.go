package lb

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/sluice-lb/sluice/lb/admin"
	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/flow"
	"github.com/sluice-lb/sluice/lb/page"
	"github.com/sluice-lb/sluice/lb/tcplog"
	"github.com/sluice-lb/sluice/netns"
	"github.com/sluice-lb/sluice/poller"
)

// administration ties the runtime command line to the rest: it is the admin.Process.
type administration struct {
	*Balancer
	cli     *admin.CLI
	proxies []*admin.Proxy
	states  map[*config.Proxy]*atomic.Uint32 // admin.FrontendState of each frontend
	pages   map[*config.Proxy]*webPage       // statistics listeners
	listens []*webPage                       // those of "stats listen"
	maxConn int64                            // as at start
	pipes   int

	mu       sync.Mutex // orders changes of addresses, and of frontends' states
	changing sync.Mutex // orders adding and removing servers
}

// openAdmin opens the stats sockets and the statistics listeners; without any there is no command line, and nothing is measured
// for it. It follows everything else that is opened.
func (b *Balancer) openAdmin(pipes int) error {
	g := &b.config.Global
	if !measured(b.config) {
		return nil
	}
	a := &administration{Balancer: b, states: make(map[*config.Proxy]*atomic.Uint32), pages: make(map[*config.Proxy]*webPage), maxConn: b.process.MaxConn, pipes: pipes}
	a.listProxies()
	a.cli = admin.New(admin.Options{Process: a, Failed: a.commandFailed, Timeout: g.StatsTimeout, MaxConn: g.StatsMaxConn})
	b.admin = a
	opened := make([]net.Listener, len(g.StatsSockets))
	openSockets := func(paths bool) error {
		for i := range g.StatsSockets {
			s := &g.StatsSockets[i]
			if (s.Bind.Address.Family == config.Unix) != paths {
				continue
			}
			listener, err := a.openSocket(s)
			if err != nil {
				return at(s.Pos, "stats socket %s: %w", s.Bind.Address, err)
			}
			opened[i] = listener
		}
		return nil
	}
	// A path is taken over from the process that listens there: last, so that a start that fails for another one's sake leaves it alone.
	err := openSockets(false)
	if err == nil {
		err = a.openPages()
	}
	if err == nil {
		err = openSockets(true)
	}
	for i, listener := range opened {
		if listener != nil {
			s := &g.StatsSockets[i]
			level, _ := admin.ParseLevel(s.Level)
			a.cli.Listen(listener, admin.Socket{Name: socketName(s.Bind.Address), Level: level, Output: admin.Output(s.SeverityOutput)})
		}
	}
	return err
}

// start begins to serve.
func (a *administration) start() {
	a.cli.Start()
	a.eachPage((*page.Server).Start)
}

// stopListening closes what listens; who is connected stays so.
func (a *administration) stopListening() {
	a.cli.StopListening()
	a.eachPage((*page.Server).StopListening)
}

// close ends everything.
func (a *administration) close() {
	a.cli.Close()
	a.eachPage((*page.Server).Close)
}

// commandFailed tells of a command that panicked.
func (a *administration) commandFailed(line string) {
	a.logger.Message(tcplog.Alert, line)
	a.say(config.Alert, line)
}

// openSocket opens a stats socket; one whose namespace is awaited gives a listener that has nothing yet.
func (a *administration) openSocket(s *config.StatsSocket) (net.Listener, error) {
	listen := func() (net.Listener, error) {
		socket, listener, err := openPlain(a.spaces, a.config, &config.Proxy{}, &s.Bind)
		if err == nil {
			socket.file.Close() // the listener has a descriptor of its own
		}
		return listener, err
	}
	listener, err := listen()
	var absent *netns.AbsentError
	if err != nil && !(s.Bind.NamespaceLate && errors.As(err, &absent)) {
		return nil, err
	}
	if s.Bind.Namespace != "" {
		listener = a.followSocket(s, listener, listen)
	}
	return listener, nil
}

// followSocket has a stats socket follow its network namespace. It listens there already if now is not nil.
func (a *administration) followSocket(s *config.StatsSocket, now net.Listener, listen func() (net.Listener, error)) net.Listener {
	m := newMovable()
	if now != nil {
		m.move(now)
	}
	a.spaces.addPort(s.Bind.Namespace, &namespacePort{
		pos: s.Pos, where: "stats socket " + s.Bind.Address.String(),
		listen: func() error {
			next, err := listen()
			if err == nil {
				m.move(next)
			}
			return err
		},
		close: func() { m.move(nil) },
	}, now != nil)
	return m
}

// socketName is how "show cli sockets" names an address.
func socketName(a config.Address) string {
	switch a.Family {
	case config.Unix:
		return "unix@" + a.Path
	case config.Abstract:
		return "abns@" + a.Path
	case config.Inherited:
		return fmt.Sprintf("fd@%d", a.FD)
	}
	addr, err := listenAddr(a)
	if err != nil {
		return a.String()
	}
	if addr.Addr().Is6() {
		return "ipv6@" + addr.String()
	}
	return "ipv4@" + addr.String()
}

func (a *administration) listProxies() {
	for _, p := range a.config.Proxies {
		if p.Disabled {
			continue
		}
		x := &admin.Proxy{Proxy: p}
		if fb := a.backends[p.Name]; fb != nil && p.Kind&config.Backend != 0 {
			x.Backend, x.FullConn = fb.Backend, fullConn(a.config, p, a.maxConn)
		}
		if p.IsPage() {
			x.Frontend = a.pageFrontend(p)
		} else if f := a.frontends[p.Name]; f != nil && p.Kind&config.Frontend != 0 {
			x.Frontend = a.frontend(p, f)
		}
		a.proxies = append(a.proxies, x)
	}
}

func (a *administration) frontend(p *config.Proxy, f *flow.Frontend) *admin.Frontend {
	x := &admin.Frontend{
		Stats: f.Stats, Flows: &f.Flows, State: a.frontendState(p),
		Limit:      func() int { return int(min(f.Limit(), a.process.Limit())) },
		SetMaxConn: func(n int) { f.SetMaxConn(int64(n)) },
	}
	for i, bind := range f.Binds {
		x.Binds = append(x.Binds, admin.Bind{
			ID: bind.ID, Name: bind.Name, Address: p.Binds[i].Address.String(), Limit: int(bind.MaxConn), Stats: bind.Stats, Flows: &bind.Flows,
		})
	}
	return x
}

// frontendState makes what tells whether p's frontend accepts.
func (a *administration) frontendState(p *config.Proxy) func() admin.FrontendState {
	state := new(atomic.Uint32)
	a.states[p] = state
	return func() admin.FrontendState {
		if a.stopping.Load() {
			return admin.Stopped
		}
		return admin.FrontendState(state.Load())
	}
}

// onLoops runs do on each loop's thread and waits for all; false: the loops end, and some may not have run it.
func (b *Balancer) onLoops(do func(i int)) bool {
	var left atomic.Int64
	left.Store(int64(len(b.pollers)))
	all := make(chan struct{})
	for i, l := range b.pollers {
		o := &order{do: func() {
			do(i)
			if left.Add(-1) == 0 {
				close(all)
			}
		}}
		o.To = o
		l.Post(&o.Mail)
	}
	select {
	case <-all:
		return true
	case <-b.done:
		return false
	}
}

// SetFrontend pauses, resumes or ends a frontend. All of its acceptors rest before the first port is closed, and all ports
// are open before the first of them accepts.
func (a *administration) SetFrontend(p *admin.Proxy, to admin.FrontendState) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w := a.pages[p.Proxy]; w != nil {
		if err := w.set(to); err != nil {
			return err
		}
		a.states[p.Proxy].Store(uint32(to))
		a.sayState(p.Proxy, to)
		return nil
	}
	f := a.frontends[p.Name]
	var failed atomic.Pointer[error]
	each := func(do func(*flow.Acceptor) error) bool {
		return a.onLoops(func(i int) {
			for _, acceptor := range a.acceptors[i] {
				if acceptor.Frontend() != f {
					continue
				}
				if err := do(acceptor); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	quietly := func(do func(*flow.Acceptor)) func(*flow.Acceptor) error {
		return func(x *flow.Acceptor) error { do(x); return nil }
	}
	switch to {
	case admin.Stopped:
		each(quietly((*flow.Acceptor).Stop))
	case admin.Paused:
		_ = each(quietly((*flow.Acceptor).Hold)) && each((*flow.Acceptor).Suspend)
	case admin.Open:
		if each((*flow.Acceptor).Listen) && failed.Load() == nil {
			if err := a.lookup.restore(f); err != nil {
				failed.Store(&err)
				break
			}
			if err := a.steering.restore(f); err != nil {
				a.say(config.Warning, fmt.Sprintf("Proxy %s: 'ebpf-steering' is off for it: %v", f.Name, err))
			}
			each(quietly((*flow.Acceptor).Accept))
		}
	}
	if err := failed.Load(); err != nil { // as it was: neither half open nor half closed
		if to == admin.Paused {
			each((*flow.Acceptor).Listen)
			each(quietly((*flow.Acceptor).Accept))
		} else {
			each((*flow.Acceptor).Suspend)
		}
		return *err
	}
	a.states[p.Proxy].Store(uint32(to))
	a.sayState(p.Proxy, to)
	return nil
}

// sayState tells what became of a frontend, in order with what is said of servers.
func (a *administration) sayState(p *config.Proxy, to admin.FrontendState) {
	kind := "frontend"
	if p.Kind == config.Listen {
		kind = "proxy"
	}
	text := a.stoppedText(p)
	switch to {
	case admin.Paused:
		text = fmt.Sprintf("Paused %s %s.", kind, p.Name)
	case admin.Open:
		text = fmt.Sprintf("Resumed %s %s.", kind, p.Name)
	}
	a.loggers[p.Name].Message(tcplog.Warning, text)
	select {
	case a.news.lines <- saying{config.Warning, text}:
	default:
		a.news.lost.Add(1)
	}
}

// shutDown tells whether the operator has shut p's frontend down.
func (a *administration) shutDown(p *config.Proxy) bool {
	return a != nil && a.states[p] != nil && a.states[p].Load() == uint32(admin.Stopped)
}

// SetMaxConn changes the limit of the process.
func (a *administration) SetMaxConn(n int) {
	if n == 0 {
		n = int(a.maxConn)
	}
	a.process.SetMaxConn(int64(n))
}

// SetRates changes the limits of new connections and sessions per second.
func (a *administration) SetRates(connections, sessions int) {
	if connections >= 0 {
		a.process.ConnectionRate.SetPerSecond(uint32(connections))
	}
	if sessions >= 0 {
		a.process.SessionRate.SetPerSecond(uint32(sessions))
	}
}

// SetCheck changes where the checks of a server go.
func (a *administration) SetCheck(s *backend.Server, agent bool, address netip.Addr, port uint16) error {
	return a.checks.redirect(s, agent, address, port)
}

// SetAddress changes where flows and checks go. A server whose name is resolved keeps the address until the next answer.
func (a *administration) SetAddress(s *backend.Server, to netip.AddrPort) error {
	if a.names.relocate(s, to) {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t := *flow.TargetOf(s)
	place(&t, s.Config.Address, poller.IP(to))
	flow.SetTarget(s, &t)
	a.checks.moved(s, to)
	s.SetResolved(true, "")
	return nil
}

// relocate moves a server with "resolvers"; false: this is none.
func (n *names) relocate(server *backend.Server, to netip.AddrPort) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.of(server)
	if s == nil {
		return false
	}
	s.move(to.Addr(), to.Port())
	s.resolved = true
	server.SetResolved(true, "")
	return true
}

// Address is where flows to a server go.
func (a *administration) Address(s *backend.Server) (netip.AddrPort, string) {
	t := flow.TargetOf(s)
	switch {
	case t.Addr.IsUnix():
		return netip.AddrPort{}, t.Addr.Path
	case t.Unresolved:
		return netip.AddrPort{}, ""
	}
	return t.Addr.AddrPort, ""
}

// ShutServerSessions ends the flows of a server, soon.
func (a *administration) ShutServerSessions(s *backend.Server) { a.process.ShutServer(s, 'K') }

// ShutSession ends one flow.
func (a *administration) ShutSession(id uint64) bool {
	found := make(chan bool, 1)
	if !a.process.Shut(id, func(ok bool) { found <- ok }) {
		return false
	}
	select {
	case ok := <-found:
		return ok
	case <-a.done:
		return false
	}
}
