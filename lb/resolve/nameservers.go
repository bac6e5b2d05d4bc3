package resolve

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/sluice-lb/sluice/lb/config"
)

// endpoint is where a name server is asked.
type endpoint struct {
	name string
	addr netip.AddrPort
	tcp  bool
}

// dnsPort is where name servers listen.
const dnsPort = 53

// systemServers is how many name servers resolv.conf has at most: MAXNS of resolv.conf(5).
const systemServers = 3

// Descriptors is how many a section opens at most: to each name server its sockets, and a connection that may follow another.
func Descriptors(c *config.Resolvers) int {
	n := len(c.NameServers)
	if c.ParseResolvConf {
		n += systemServers
	}
	return n * (maxSockets + 2)
}

// nameServers are those of a section, and those of resolv.conf if it wants them.
func nameServers(c *config.Resolvers, o Options) ([]endpoint, error) {
	var all []endpoint
	for _, n := range c.NameServers {
		addr := netip.AddrPortFrom(n.Address.IP, uint16(n.Address.Port))
		if o.Address != nil {
			var err error
			if addr, err = o.Address(n.Address); err != nil {
				return nil, &Error{n.Pos, fmt.Errorf("nameserver '%s': %w", n.Name, err)}
			}
		}
		if !addr.Addr().IsValid() {
			return nil, &Error{n.Pos, fmt.Errorf("nameserver '%s' has no address", n.Name)}
		}
		if addr.Port() == 0 {
			addr = netip.AddrPortFrom(addr.Addr(), dnsPort)
		}
		all = append(all, endpoint{n.Name, addr, n.TCP})
	}
	if !c.ParseResolvConf {
		return all, nil
	}
	// Only its name servers matter: see resolv.conf(5).
	file, err := dns.ClientConfigFromFile(o.ResolvConf)
	if err != nil {
		if c.Implicit {
			return all, nil
		}
		return nil, &Error{c.Pos, fmt.Errorf("resolvers '%s': parse-resolv-conf: %w", c.Name, err)}
	}
	for _, text := range file.Servers {
		ip, err := netip.ParseAddr(text)
		if err != nil || slices.ContainsFunc(all, func(e endpoint) bool { return e.name == text }) {
			continue // what the system's resolver passes over, too
		}
		all = append(all, endpoint{text, netip.AddrPortFrom(ip, dnsPort), false})
	}
	return all, nil
}

// Error is a complaint about a line of the configuration.
type Error struct {
	Pos config.Pos
	Err error
}

// Error gives the complaint with its place.
func (e *Error) Error() string { return fmt.Sprintf("[%s:%d] : %v", e.Pos.File, e.Pos.Line, e.Err) }

// Unwrap gives the complaint alone.
func (e *Error) Unwrap() error { return e.Err }
