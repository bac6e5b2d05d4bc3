package lb

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/sluice-lb/sluice/ebpf"
	"github.com/sluice-lb/sluice/lb/admin"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/flow"
	"github.com/sluice-lb/sluice/poller"
)

// lookup is VIP lookup: the binds with prefixes and large ranges of ports. Their sockets listen on a port of the loopback's that the kernel
// chooses, and a program brings the connections. A nil one has none.
type lookup struct {
	kernel  *ebpf.Lookup
	missing error // why there is no kernel
	rules   []ebpf.Rule
	targets []lookupTarget // by their number
	// acceptors are those of the targets. Complete before the loops run.
	acceptors map[*flow.Acceptor]bool
}

type lookupTarget struct {
	frontend *flow.Frontend
	listener *poller.Listener // one of those on its address
}

// lookupGrace is how long the listeners of a lookup stay open when the process has ended it: for connections whose handshake had begun.
const lookupGrace = time.Second

// openLookup prepares VIP lookup, if a bind needs it. It must be called while the process has its privileges.
func (b *Balancer) openLookup(load ebpf.Loader) {
	n := 0
	for _, p := range b.config.Proxies {
		for _, bind := range p.Binds {
			if !p.Disabled && len(bind.Lookup) > 0 {
				n++
			}
		}
	}
	if n == 0 {
		return
	}
	b.lookup = &lookup{acceptors: make(map[*flow.Acceptor]bool)}
	b.lookup.kernel, b.lookup.missing = ebpf.OpenLookup(ebpf.LookupOptions{Targets: n, Load: load})
}

// openLookupBind opens the sockets of a bind with a lookup: n of them on one address. Without the kernel's help a bind with
// prefixes cannot be; large ranges of ports get sockets of their own, as small ones do: n for each port.
func (b *Balancer) openLookupBind(f *flow.Frontend, c *config.Bind, n int, o poller.ListenOptions) ([][]*poller.Listener, error) {
	l := b.lookup
	if l.kernel == nil {
		for _, a := range c.Lookup {
			if a.Prefix.IsValid() {
				return nil, l.missing
			}
		}
		b.say(config.Warning, fmt.Sprintf("config : [%s:%d] : a socket is opened for each port of each loop: %v", c.Pos.File, c.Pos.Line, l.missing))
		return b.openEachPort(c, n, o)
	}
	home := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if c.Address.IP.Is6() {
		home = netip.IPv6Loopback()
	}
	o.FreeBind = true // the loopback may be down
	// Only a port that was asked for by its number stays the same after "disable frontend" (bind(2)): so the first socket, for which the
	// kernel chooses one, is given up once another has it.
	first, err := poller.Listen(poller.IP(netip.AddrPortFrom(home, 0)), o)
	if err != nil {
		return nil, err
	}
	defer first.Close()
	addr := first.Addr()
	if !o.ReusePort {
		first.Close()
	}
	var opened []*poller.Listener
	for range n {
		ln, err := poller.Listen(addr, o)
		if err != nil {
			return nil, err
		}
		b.listeners = append(b.listeners, ln)
		opened = append(opened, ln)
	}
	target := len(l.targets)
	l.targets = append(l.targets, lookupTarget{f, opened[0]})
	for _, a := range c.Lookup {
		prefix := a.Prefix
		if !prefix.IsValid() {
			prefix = netip.PrefixFrom(a.IP, a.IP.BitLen())
		}
		l.rules = append(l.rules, ebpf.Rule{Prefix: prefix, First: uint16(a.Port), Last: uint16(a.PortEnd), Target: target})
		b.warnUnlessLocal(c, prefix)
	}
	// Nobody is meant to come by the sockets' own address.
	l.add(addr.AddrPort, ebpf.RefuseTarget)
	return [][]*poller.Listener{opened}, nil
}

// openEachPort opens n sockets for each port of a bind's ranges.
func (b *Balancer) openEachPort(c *config.Bind, n int, o poller.ListenOptions) (opened [][]*poller.Listener, err error) {
	for _, a := range c.Lookup {
		for port := a.Port; port <= a.PortEnd; port++ {
			of := make([]*poller.Listener, n)
			for i := range of {
				if of[i], err = poller.Listen(poller.IP(netip.AddrPortFrom(a.IP, uint16(port))), o); err != nil {
					return nil, fmt.Errorf("port %d: %w", port, err)
				}
				b.listeners = append(b.listeners, of[i])
			}
			opened = append(opened, of)
		}
	}
	return opened, nil
}

// warnUnlessLocal tells of a prefix whose packets the kernel does not take for its own: an address that a local route covers can be
// bound to. With IPv6 that is not so.
func (b *Balancer) warnUnlessLocal(c *config.Bind, prefix netip.Prefix) {
	if prefix.Addr().Is6() {
		return
	}
	probe, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(prefix.Addr(), 0)))
	if err == nil {
		probe.Close()
	}
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		b.say(config.Warning, fmt.Sprintf("config : [%s:%d] : no route takes %v for this machine's own, so its packets may never be looked up: try 'ip route add local %v dev lo'",
			c.Pos.File, c.Pos.Line, prefix, prefix))
	}
}

// add makes a rule for one address and port.
func (l *lookup) add(addr netip.AddrPort, target int) {
	ip := addr.Addr().Unmap()
	l.rules = append(l.rules, ebpf.Rule{Prefix: netip.PrefixFrom(ip, ip.BitLen()), First: addr.Port(), Last: addr.Port(), Target: target})
}

// has tells whether sockets are a target's.
func (l *lookup) has(opened []*poller.Listener) bool {
	return l != nil && len(l.targets) > 0 && len(opened) > 0 && l.targets[len(l.targets)-1].listener == opened[0]
}

// except lets a socket of the process's own keep its address, though a prefix may cover it.
func (l *lookup) except(addr poller.Addr) {
	if l == nil || l.kernel == nil || addr.IsUnix() || !addr.IsValid() || addr.AddrPort.Addr().IsUnspecified() {
		return
	}
	l.add(addr.AddrPort, ebpf.PassTarget)
}

// exceptBind is except for a bind whose sockets are opened elsewhere.
func (l *lookup) exceptBind(c *config.Bind) {
	if a := c.Address; a.IP.IsValid() && a.Port > 0 {
		l.except(poller.IP(netip.AddrPortFrom(a.IP, uint16(a.Port))))
	}
}

// prepare tells the program everything; it does nothing yet. Call it when all binds are open.
func (l *lookup) prepare() error {
	if l == nil || l.kernel == nil {
		return nil
	}
	for n, t := range l.targets {
		if err := l.kernel.Target(n, t.listener.FD()); err != nil {
			return err
		}
	}
	return l.kernel.Set(l.rules)
}

// activate begins or ends the lookup. An older process's stays in force until it begins, and ours is passed over once a younger one's has begun.
func (l *lookup) activate(on bool) {
	if l != nil && l.kernel != nil {
		l.kernel.Activate(on)
	}
}

// restore gives the program the sockets of a frontend again, which have stopped listening and begun anew.
func (l *lookup) restore(f *flow.Frontend) error {
	if l == nil || l.kernel == nil {
		return nil
	}
	for n, t := range l.targets {
		if t.frontend == f {
			if err := l.kernel.Target(n, t.listener.FD()); err != nil {
				return err
			}
		}
	}
	return nil
}

// late tells whether an acceptor goes on for a while when the process stops.
func (l *lookup) late(a *flow.Acceptor) bool { return l != nil && l.acceptors[a] }

func (l *lookup) close() {
	if l != nil && l.kernel != nil {
		l.kernel.Close()
	}
}

// view is what the operator sees; nil: there is no lookup.
func (l *lookup) view() *admin.Lookup {
	if l == nil || l.kernel == nil {
		return nil
	}
	c := l.kernel.Counts()
	return &admin.Lookup{Rules: len(l.rules), Targets: len(l.targets), Given: c.Given, Passed: c.Passed, Refused: c.Refused, Gone: c.Gone}
}
