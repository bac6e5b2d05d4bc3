package lb

import (
	"fmt"
	"net/netip"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/poller"
)

// initialNames says where the addresses of named servers come from at start.
type initialNames struct {
	// last gives the address that a server had when the state file was written; nil: there is no such file.
	last func(*config.Proxy, *config.Server) (netip.Addr, bool)
	// warn tells of a server that starts without an address although the system's resolver was asked. nil: nobody.
	warn func(config.Pos, string)
	// spaces are the network namespaces that servers may be in; nil: none.
	spaces *namespaces
}

// address goes through init-addr for a server with a name. The zero Addr without an error: it starts without one.
//
// The default is "last,libc", and for servers with name servers "none" after that: they will be resolved later. A service's
// name has no address that libc could find.
func (n initialNames) address(p *config.Proxy, s *config.Server) (poller.Addr, error) {
	if s.Address.Host == "" || s.Address.IP.IsValid() {
		return resolve(s.Address)
	}
	methods := s.InitAddr
	if len(methods) == 0 {
		methods = []string{"last", "libc"}
		if s.Resolvers != "" {
			methods = append(methods, "none")
		}
	}
	if s.SRV() {
		return poller.Addr{}, nil
	}
	var failure error
	for _, method := range methods {
		switch method {
		case "last":
			if n.last == nil {
				continue
			}
			if ip, ok := n.last(p, s); ok {
				return n.found(s, ip), nil
			}
		case "libc":
			addr, err := resolve(s.Address)
			if err == nil {
				return addr, nil
			}
			failure = err
		case "none":
			if failure != nil && n.warn != nil {
				n.warn(s.Pos, fmt.Sprintf("'server %s/%s' : could not resolve address '%s', disabling server.", p.Name, s.Name, s.Address.Host))
			}
			return poller.Addr{}, nil
		default:
			if ip, err := netip.ParseAddr(method); err == nil {
				return n.found(s, ip), nil
			}
		}
	}
	if failure == nil {
		failure = fmt.Errorf("no method found to resolve address '%s'", s.Address.Host)
	}
	return poller.Addr{}, failure
}

func (n initialNames) found(s *config.Server, ip netip.Addr) poller.Addr {
	return poller.IP(netip.AddrPortFrom(ip, port(s.Address)))
}

// port is the one of an address that does not depend on the client's.
func port(a config.Address) uint16 {
	if a.PortOffset {
		return 0
	}
	return uint16(a.Port)
}
