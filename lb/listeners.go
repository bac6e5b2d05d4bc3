package lb

import (
	"errors"
	"fmt"
	"math"
	"os/user"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/flow"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/lb/tcplog"
	"github.com/sluice-lb/sluice/netns"
	"github.com/sluice-lb/sluice/poller"
)

func (b *Balancer) openFrontends(loops int) error {
	var errs []error
	b.openLookup(b.loadProgram)
	for _, p := range b.config.Proxies {
		if p.IsPage() && !p.Disabled {
			for _, bind := range p.Binds {
				b.lookup.exceptBind(bind)
			}
		}
		if p.Disabled || p.Kind&config.Frontend == 0 || p.IsPage() {
			continue
		}
		f, err := b.newFrontend(p, loops)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		b.frontends[p.Name] = f
		for _, bind := range p.Binds {
			if err := b.openBind(p, f, bind, loops); err != nil {
				errs = append(errs, at(bind.Pos, "cannot listen for '%s' on %s: %w", p.Name, bind.Address, err))
			}
		}
	}
	if len(errs) == 0 {
		if err := b.lookup.prepare(); err != nil {
			errs = append(errs, fmt.Errorf("VIP lookup: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (b *Balancer) newFrontend(p *config.Proxy, loops int) (*flow.Frontend, error) {
	f := flow.NewFrontend(b.process, p.Name, loops)
	f.ID = p.ID
	f.Backend = b.backendOf(p)
	f.MaxConn = math.MaxInt64
	if p.MaxConn > 0 {
		f.MaxConn = int64(p.MaxConn)
	}
	if p.RateLimitSessions > 0 {
		f.Rate = &flow.Rate{PerSecond: uint32(p.RateLimitSessions)}
	}
	b.setPriority(f, p)
	o := p.Options
	f.ClientTimeout, f.ClientFinTimeout = milliseconds(p.Timeouts.Client), milliseconds(p.Timeouts.ClientFin)
	f.IndependentStreams, f.ContStats = o.IndependentStreams, o.ContStats
	f.SpliceRequest, f.SpliceResponse = o.SpliceRequest, o.SpliceResponse
	f.NoLinger, f.Redirect = o.NoLinger, o.Sockmap
	f.LogASAP, f.DontLogNull, f.DontLogNormal, f.SeparateErrors = o.LogASAP, o.DontLogNull, o.DontLogNormal, o.LogSeparateErrors
	if f.Log = b.loggers[p.Name]; f.Log == nil {
		return f, nil
	}
	if err := b.setFormats(f, p); err != nil {
		return nil, err
	}
	return f, nil
}

// setFormats chooses what the lines of f's flows look like.
func (b *Balancer) setFormats(f *flow.Frontend, p *config.Proxy) (err error) {
	f.DefaultBackend = p.DefaultBackend
	f.ErrorFormat = tcplog.Error
	switch {
	case p.LogJSON:
		f.ErrorFormat = tcplog.JSONError
		if f.Format, err = tcplog.ParseJSON(p.LogJSONItems, b.env); err != nil {
			return at(p.Pos, "log-format-json: %w", err)
		}
	case p.LogFormat != "":
		if f.Format, err = tcplog.ParseFormat(p.LogFormat, b.env); err != nil {
			return at(p.Pos, "log-format: %w", err)
		}
	case p.Options.TCPLog:
		f.Format = tcplog.TCP
	default:
		f.ConnectFormat = tcplog.Default
	}
	if p.ErrorLogFormat != "" {
		if f.ErrorFormat, err = tcplog.ParseFormat(p.ErrorLogFormat, b.env); err != nil {
			return at(p.Pos, "error-log-format: %w", err)
		}
	}
	for _, format := range []*tcplog.Format{f.Format, f.ConnectFormat, f.ErrorFormat} {
		f.LogFrontendAddr = f.LogFrontendAddr || format.NeedsFrontendAddr()
		f.LogBackendSource = f.LogBackendSource || format.NeedsBackendSource()
	}
	return nil
}

// backendOf is where p's flows go: the first use_backend, default_backend, or itself.
func (b *Balancer) backendOf(p *config.Proxy) *flow.Backend {
	if len(p.UseBackend) > 0 {
		return b.backends[p.UseBackend[0].Name]
	}
	if own := b.backends[p.Name]; p.Kind == config.Listen && (len(p.Servers) > 0 || own != nil && own.Direct != nil) {
		return own
	}
	if p.DefaultBackend != "" {
		return b.backends[p.DefaultBackend]
	}
	return b.backends[p.Name]
}

// setPriority gives f's flows their place in a queue. The backend's rules come after p's own; as they have no conditions, and
// all flows of p go to one backend, that is known here.
func (b *Balancer) setPriority(f *flow.Frontend, p *config.Proxy) {
	rules := []*config.Proxy{p}
	for _, q := range b.config.Proxies {
		if f.Backend != nil && q.Kind&config.Backend != 0 && q.Name == f.Backend.Name {
			rules = append(rules, q)
		}
	}
	for _, r := range rules {
		if r.PriorityClass != nil {
			f.Class = int16(*r.PriorityClass)
		}
		if r.PriorityOffset != nil {
			f.Offset = int32(*r.PriorityOffset)
		}
	}
}

// openBind opens the sockets of one bind and shares them out among its loops: one each with SO_REUSEPORT, as many as
// "shards" says, or a single one where the kernel cannot spread (unix sockets, inherited ones, noreuseport).
func (b *Balancer) openBind(p *config.Proxy, f *flow.Frontend, c *config.Bind, loops int) error {
	options, err := listenOptions(b.config, p, c)
	if err != nil {
		return err
	}
	members := bindLoops(c, loops)
	bind := &flow.Bind{
		Frontend: f, Name: c.Name, ID: c.ID, MaxConn: int64(c.MaxConn), AcceptProxy: c.AcceptProxy || c.ExpectProxyL4,
		Stats: stats.New(loops), Tenant: b.tenantOf(f, c),
	}
	if c.Namespace != "" {
		bind.Namespace = b.spaces.byName[c.Namespace].flows
	}
	f.Binds = append(f.Binds, bind)
	sockets := len(members)
	if c.Shards > 0 {
		sockets = min(c.Shards, len(members))
	}
	unix := c.Address.Family == config.Unix || c.Address.Family == config.Abstract
	if unix || c.Address.Family == config.Inherited || b.config.Global.NoReusePort {
		sockets = 1
	}
	options.ReusePort = !unix && !b.config.Global.NoReusePort
	addr, err := listenAddr(c.Address)
	if err != nil {
		return err
	}
	bind.IsUnix = addr.IsUnix()
	if len(c.Lookup) > 0 {
		groups, err := b.openLookupBind(f, c, sockets, options)
		for _, opened := range groups {
			b.steer(bind, c, opened, members, b.accept(bind, opened, members), loops)
		}
		return err
	}
	listen := func() ([]*poller.Listener, error) {
		return b.spaces.listenIn(c.Namespace, func() ([]*poller.Listener, error) { return listenAll(c, addr, options, sockets) })
	}
	opened, err := listen()
	var absent *netns.AbsentError
	if err != nil && !(c.NamespaceLate && errors.As(err, &absent)) {
		return err
	}
	b.listeners = append(b.listeners, opened...)
	moved := &acceptorsMoved{listen: listen, loops: members, acceptors: b.accept(bind, opened, members)}
	if c.Namespace != "" {
		b.followBind(p, c, opened, moved)
		if b.steering != nil {
			b.say(config.Warning, fmt.Sprintf("config : [%s:%d] : 'ebpf-steering reuseport' is off for %s, which is in a network namespace", c.Pos.File, c.Pos.Line, addr))
		}
		return nil
	}
	if len(opened) > 0 {
		b.lookup.except(opened[0].Addr())
	}
	b.steer(bind, c, opened, members, moved.acceptors, loops)
	return nil
}

// accept shares the sockets of one address out among the loops that accept there.
func (b *Balancer) accept(bind *flow.Bind, opened []*poller.Listener, members []int) []*flow.Acceptor {
	acceptors := make([]*flow.Acceptor, len(members))
	target := b.lookup.has(opened)
	for i, loop := range members {
		var ln *poller.Listener // none: its namespace is awaited
		if len(opened) > 0 {
			ln = opened[i*len(opened)/len(members)]
		}
		acceptors[i] = flow.NewAcceptor(b.process.Loops[loop], bind, ln)
		b.acceptors[loop] = append(b.acceptors[loop], acceptors[i])
		if target {
			b.lookup.acceptors[acceptors[i]] = true
		}
	}
	return acceptors
}

// steer lets a program choose among the sockets of one address, where "ebpf-steering" is on.
func (b *Balancer) steer(bind *flow.Bind, c *config.Bind, opened []*poller.Listener, members []int, acceptors []*flow.Acceptor, loops int) {
	if err := b.steering.group(bind.Frontend, opened, b.lookup.has(opened), members, acceptors, loops); err != nil {
		b.say(config.Warning, fmt.Sprintf("config : [%s:%d] : 'ebpf-steering reuseport' is off for %s: %v", c.Pos.File, c.Pos.Line, c.Address, err))
	}
}

// listenAll makes the sockets of one bind: all, or none.
func listenAll(c *config.Bind, addr poller.Addr, options poller.ListenOptions, sockets int) ([]*poller.Listener, error) {
	var opened []*poller.Listener
	for range sockets {
		var ln *poller.Listener
		var err error
		if c.Address.Family == config.Inherited {
			ln, err = poller.Adopt(c.Address.FD)
		} else {
			ln, err = poller.Listen(addr, options)
		}
		if err != nil {
			for _, other := range opened {
				other.Close()
			}
			return nil, err
		}
		opened = append(opened, ln)
		addr = ln.Addr() // port 0: the others take the first one's
	}
	return opened, nil
}

// bindLoops lists the loops, from 0, that accept for a bind.
func bindLoops(c *config.Bind, loops int) []int {
	var members []int
	for _, n := range c.Threads {
		if n <= loops {
			members = append(members, n-1)
		}
	}
	if len(members) == 0 {
		for i := range loops {
			members = append(members, i)
		}
	}
	return members
}

func listenOptions(cfg *config.Config, p *config.Proxy, c *config.Bind) (poller.ListenOptions, error) {
	o := poller.ListenOptions{
		Backlog: c.Backlog, V6Only: c.V6Only, V4V6: c.V4V6, DeferAccept: c.DeferAccept, FastOpen: c.FastOpen,
		Mode: c.Mode, UID: c.UID, GID: c.GID,
		SocketOptions: poller.SocketOptions{
			Interface: c.Interface, Transparent: c.Transparent, FreeBind: c.Transparent, UserTimeout: c.UserTimeout,
			MaxSegment: c.MSS, MD5Key: c.MD5Key, ReceiveBuffer: cfg.Global.Tune.RecvBufClient,
			SendBuffer: cfg.Global.Tune.SendBufClient, NoQuickAck: p.Options.SmartAccept,
		},
	}
	if c.TOS >= 0 {
		o.TOS, o.SetTOS = c.TOS, true
	}
	keepAlive(&o.SocketOptions, p.Options.TCPKAClient, p.KeepAliveClient)
	for _, backlog := range []int{p.Backlog, p.MaxConn} {
		if o.Backlog == 0 {
			o.Backlog = backlog
		}
	}
	return o, owner(c, &o)
}

func keepAlive(o *poller.SocketOptions, on bool, k config.KeepAlive) {
	if on {
		o.KeepAlive, o.KeepIdle, o.KeepInterval, o.KeepCount = true, k.Idle, k.Interval, k.Count
	}
}

// owner looks up the owner of a unix socket.
func owner(c *config.Bind, o *poller.ListenOptions) error {
	if c.User != "" {
		u, err := user.Lookup(c.User)
		if err != nil {
			return err
		}
		if o.UID, err = strconv.Atoi(u.Uid); err != nil {
			return fmt.Errorf("user '%s' has the id %s, which is no number", c.User, u.Uid)
		}
	}
	if c.Group != "" {
		g, err := user.LookupGroup(c.Group)
		if err != nil {
			return err
		}
		if o.GID, err = strconv.Atoi(g.Gid); err != nil {
			return fmt.Errorf("group '%s' has the id %s, which is no number", c.Group, g.Gid)
		}
	}
	return nil
}

// loopCPUs lists the CPUs of each loop. Without cpu-map, loops that are as many as the CPUs get one each; otherwise the
// kernel places them.
func loopCPUs(cfg *config.Config, loops int) ([][]int, error) {
	bound := make([][]int, loops)
	if len(cfg.Global.CPUMap) == 0 {
		cpus, err := poller.CPUs()
		if err != nil || len(cpus) != loops {
			return bound, err
		}
		for i := range bound {
			bound[i] = cpus[i : i+1]
		}
		return bound, nil
	}
	for _, m := range cfg.Global.CPUMap {
		threads := m.Threads
		if len(threads) == 0 {
			for i := range loops {
				threads = append(threads, i+1)
			}
		}
		for position, n := range threads {
			switch {
			case n > loops:
			case !m.Auto:
				bound[n-1] = m.CPUs
			case position < len(m.CPUs):
				bound[n-1] = m.CPUs[position : position+1]
			}
		}
	}
	available, err := poller.CPUs()
	if err != nil {
		return nil, err
	}
	for i, cpus := range bound {
		if len(cpus) > 0 && !slices.ContainsFunc(cpus, func(cpu int) bool { return slices.Contains(available, cpu) }) {
			return nil, fmt.Errorf("cpu-map binds thread %d to CPUs %v, none of which this process may use", i+1, cpus)
		}
	}
	return bound, nil
}

func milliseconds(d time.Duration) uint64 {
	if d <= 0 {
		return 0
	}
	return max(uint64(d/time.Millisecond), 1)
}
