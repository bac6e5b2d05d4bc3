package lb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/flow"
	"github.com/sluice-lb/sluice/poller"
)

// newFlowBackend adds to a backend how each of its servers is reached. Servers without an address are in maintenance.
func newFlowBackend(cfg *config.Config, p *config.Proxy, servers *backend.Backend, names initialNames) (*flow.Backend, error) {
	o, t := p.Options, p.Timeouts
	fb := &flow.Backend{
		Backend: servers, ID: p.ID,
		Retries: p.Retries, RedispatchEvery: p.Redispatch,
		Timeouts: flow.Timeouts{
			Server: milliseconds(t.Server), ServerFin: milliseconds(t.ServerFin), Connect: milliseconds(t.Connect),
			Queue: milliseconds(t.Queue), Tunnel: milliseconds(t.Tunnel),
		},
		AbortOnClose: o.AbortOnClose, IndependentStreams: o.IndependentStreams, NoLinger: o.NoLinger,
		SpliceRequest: o.SpliceRequest, SpliceResponse: o.SpliceResponse, Redirect: o.Sockmap,
	}
	if p.NoRetry {
		fb.Retries = 0
	}
	if p.ForcePersist {
		fb.RedispatchEvery = 0
	}
	var errs []error
	for _, s := range servers.Servers() {
		target, err := newTarget(cfg, p, s.Config, names)
		if err != nil {
			errs = append(errs, at(s.Config.Pos, "server '%s': %w", s.Name, err))
		}
		if target.Unresolved {
			s.SetResolved(false, "")
		}
		flow.SetTarget(s, target)
	}
	if p.Dispatch != nil || len(p.Servers) == 0 && o.Transparent {
		direct := &config.Server{TOS: -1, Address: config.Address{IP: netip.IPv4Unspecified()}}
		if p.Dispatch != nil {
			direct.Address = *p.Dispatch
		}
		var err error
		if fb.Direct, err = newTarget(cfg, p, direct, names); err != nil {
			errs = append(errs, at(p.Pos, "dispatch: %w", err))
		}
	}
	return fb, errors.Join(errs...)
}

// newTarget says how to reach s. A name that does not resolve is an error unless init-addr allows a server without an
// address: the target is then unresolved.
func newTarget(cfg *config.Config, p *config.Proxy, s *config.Server, names initialNames) (*flow.Target, error) {
	t := &flow.Target{
		SendProxy: s.SendProxy, ProxyCRC32C: s.ProxyV2.CRC32C, ProxyUnique: s.ProxyV2.UniqueID, ProxyAuthority: s.ProxyV2.Authority,
		SmartConnect: p.Options.SmartConnect,
		Options: poller.ConnectOptions{
			FastOpen: s.FastOpen,
			SocketOptions: poller.SocketOptions{
				Interface: s.Interface, UserTimeout: s.UserTimeout, MD5Key: s.MD5Key,
				ReceiveBuffer: cfg.Global.Tune.RecvBufServer, SendBuffer: cfg.Global.Tune.SendBufServer,
			},
		},
	}
	if s.TOS >= 0 {
		t.Options.TOS, t.Options.SetTOS = s.TOS, true
	}
	keepAlive(&t.Options.SocketOptions, p.Options.TCPKAServer, p.KeepAliveServer)
	if err := names.spaces.place(t, s); err != nil {
		return t, err
	}
	addr, err := names.address(p, s)
	if err != nil {
		return t, err
	}
	place(t, s.Address, addr)
	if s.Socks4 != nil {
		addr, err := resolve(*s.Socks4)
		if err != nil {
			return t, fmt.Errorf("socks4: %w", err)
		}
		t.SOCKS4 = addr
	}
	source := s.Source
	if source == nil {
		source = p.Source
	}
	return t, setSource(t, source)
}

// place sets where t goes: to addr, which stands for the configured address a; the zero Addr: nowhere yet.
func place(t *flow.Target, a config.Address, addr poller.Addr) {
	t.Addr, t.Unresolved = addr, addr == poller.Addr{}
	t.PortOffset, t.OffsetPort = a.Port, a.PortOffset
	if t.Unresolved {
		return
	}
	if a.PortOffset {
		t.Addr = poller.IP(netip.AddrPortFrom(addr.Addr(), 0))
	}
	t.ClientIP = !addr.IsUnix() && addr.Addr().IsUnspecified()
}

func setSource(t *flow.Target, source *config.Source) error {
	if source == nil {
		return nil
	}
	if source.Interface != "" {
		t.Options.Interface = source.Interface
	}
	addr, err := resolve(source.Address)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if source.Address.PortEnd > source.Address.Port {
		t.Options.Ports = poller.NewPortRange(uint16(source.Address.Port), uint16(source.Address.PortEnd))
	}
	if !addr.Addr().IsUnspecified() || addr.Port() != 0 {
		t.Source = addr
	}
	switch source.UseSource {
	case "client":
		t.SourceUse = flow.ClientSource
	case "clientip":
		t.SourceUse = flow.ClientIPSource
	case "address":
		if t.Source, err = resolve(*source.UseAddress); err != nil {
			return fmt.Errorf("usesrc: %w", err)
		}
	}
	if source.UseSource != "" {
		t.Options.Transparent, t.Options.FreeBind = true, true
	}
	return nil
}

// resolveTime bounds one name's resolution at start.
const resolveTime = 5 * time.Second

// resolve gives the socket address of a configured one, asking the system's resolver for names. Of several addresses it
// takes the first that the prefix allows.
func resolve(a config.Address) (poller.Addr, error) {
	switch a.Family {
	case config.Unix:
		return poller.Addr{Path: a.Path}, nil
	case config.Abstract:
		return poller.Addr{Path: "@" + a.Path}, nil
	}
	ip := a.IP
	if !ip.IsValid() {
		if a.Host == "" {
			ip = unspecified(a.Family)
		} else {
			network := map[config.Family]string{config.IPv4: "ip4", config.IPv6: "ip6"}[a.Family]
			if network == "" {
				network = "ip"
			}
			ctx, cancel := context.WithTimeout(context.Background(), resolveTime)
			defer cancel()
			found, err := net.DefaultResolver.LookupNetIP(ctx, network, a.Host)
			if err != nil || len(found) == 0 {
				return poller.Addr{}, fmt.Errorf("cannot resolve '%s'", a.Host)
			}
			// IPv4 first, as HAProxy's gethostbyname does.
			if i := slices.IndexFunc(found, func(x netip.Addr) bool { return x.Unmap().Is4() }); i > 0 {
				found[0] = found[i]
			}
			ip = found[0].Unmap()
		}
	}
	port := a.Port
	if a.PortOffset {
		port = 0
	}
	return poller.IP(netip.AddrPortFrom(ip, uint16(port))), nil
}

func unspecified(f config.Family) netip.Addr {
	if f == config.IPv6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// listenAddr is resolve for binds.
func listenAddr(a config.Address) (poller.Addr, error) {
	if a.Family == config.Inherited {
		return poller.Addr{}, nil
	}
	return resolve(a)
}

// fullConn is the number of flows at which the dynamic limits of p's servers reach maxconn: as configured, or a tenth of
// the maxconn of all frontends that lead to p.
func fullConn(cfg *config.Config, p *config.Proxy, processMax int64) int {
	if p.FullConn > 0 {
		return p.FullConn
	}
	total := 0
	for _, f := range cfg.Proxies {
		if f.Kind&config.Frontend == 0 || f.Disabled {
			continue
		}
		leads := f == p || f.DefaultBackend == p.Name
		for _, u := range f.UseBackend {
			leads = leads || u.Name == p.Name
		}
		if !leads {
			continue
		}
		if f.MaxConn > 0 {
			total += f.MaxConn
		} else {
			total += int(processMax)
		}
	}
	return max((total+9)/10, 1)
}
