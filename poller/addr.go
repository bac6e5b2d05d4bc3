package poller

import (
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// Addr is a socket's address: IP and port, or the path of a unix socket. An abstract unix name starts with "@". The zero
// Addr is no address.
type Addr struct {
	netip.AddrPort
	Path string
}

// IP returns the Addr of an IP address and port.
func IP(ap netip.AddrPort) Addr { return Addr{AddrPort: ap} }

// IsUnix reports whether a is a unix socket's address. An unnamed one has the path "@".
func (a Addr) IsUnix() bool { return a.Path != "" }

// String gives ip:port, [ip6]:port or the path.
func (a Addr) String() string {
	if a.IsUnix() {
		return "unix:" + a.Path
	}
	if !a.IsValid() {
		return "-"
	}
	return a.AddrPort.String()
}

// Family is the address family: AF_UNIX, AF_INET, or AF_INET6.
func (a Addr) Family() int { return a.family() }

func (a Addr) family() int {
	switch {
	case a.IsUnix():
		return unix.AF_UNIX
	case a.Addr().Is4() || a.Addr().Is4In6():
		return unix.AF_INET
	default:
		return unix.AF_INET6
	}
}

// sockaddr is room for any address the kernel takes or gives (struct sockaddr_storage).
type sockaddr = unix.RawSockaddrAny

// encode writes a to raw in the kernel's layout and returns its length.
func (a Addr) encode(raw *sockaddr) (uint32, Errno) {
	switch a.family() {
	case unix.AF_UNIX:
		sa := (*unix.RawSockaddrUnix)(rawPointer(raw))
		sa.Family = unix.AF_UNIX
		if len(a.Path) >= len(sa.Path) {
			return 0, EINVAL
		}
		for i := range len(a.Path) {
			sa.Path[i] = int8(a.Path[i])
		}
		if a.Path[0] == '@' {
			// Abstract: a leading zero byte, and every byte of the length counts (unix(7)). HAProxy's abns@ names fill the
			// whole address with zeros, and so do ours, so that the two can talk.
			clear(sa.Path[len(a.Path):])
			sa.Path[0] = 0
			return unix.SizeofSockaddrUnix, 0
		}
		sa.Path[len(a.Path)] = 0
		return uint32(3 + len(a.Path)), 0
	case unix.AF_INET:
		sa := (*unix.RawSockaddrInet4)(rawPointer(raw))
		*sa = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: swap(a.Port()), Addr: a.Addr().As4()}
		return unix.SizeofSockaddrInet4, 0
	default:
		sa := (*unix.RawSockaddrInet6)(rawPointer(raw))
		*sa = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: swap(a.Port()), Addr: a.Addr().As16()}
		if zone := a.Addr().Zone(); zone != "" {
			sa.Scope_id = zoneIndex(zone)
		}
		return unix.SizeofSockaddrInet6, 0
	}
}

// decode reads an address of length bytes that the kernel wrote to raw. An IPv4 client of an IPv6 listener has an
// IPv4-mapped address, and keeps it: logs and PROXY headers show it so, as with HAProxy.
func decode(raw *sockaddr, length uint32) Addr {
	switch raw.Addr.Family {
	case unix.AF_INET:
		sa := (*unix.RawSockaddrInet4)(rawPointer(raw))
		return IP(netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), swap(sa.Port)))
	case unix.AF_INET6:
		sa := (*unix.RawSockaddrInet6)(rawPointer(raw))
		ip := netip.AddrFrom16(sa.Addr)
		if sa.Scope_id != 0 && !ip.Is4In6() {
			ip = ip.WithZone(strconv.Itoa(int(sa.Scope_id)))
		}
		return IP(netip.AddrPortFrom(ip, swap(sa.Port)))
	case unix.AF_UNIX:
		if length <= 2 {
			return unnamed
		}
		sa := (*unix.RawSockaddrUnix)(rawPointer(raw))
		path := make([]byte, 0, length)
		for i := range int(length) - 2 {
			c := byte(sa.Path[i])
			if c == 0 && i > 0 {
				break
			}
			if c == 0 {
				c = '@'
			}
			path = append(path, c)
		}
		return Addr{Path: string(path)}
	}
	return Addr{}
}

var unnamed = Addr{Path: "@"}

// swap changes between host and network byte order; both supported architectures are little-endian.
func swap(port uint16) uint16 { return port<<8 | port>>8 }

// anyAddr is the wildcard of an address family.
func anyAddr(family int) Addr {
	if family == unix.AF_INET6 {
		return IP(netip.AddrPortFrom(netip.IPv6Unspecified(), 0))
	}
	return IP(netip.AddrPortFrom(netip.IPv4Unspecified(), 0))
}
