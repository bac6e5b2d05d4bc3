package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// AddressOptions says which forms of address a keyword takes. The zero value takes one host without a port.
type AddressOptions struct {
	AllowPort      bool // "host:port"; the port may be missing
	RequirePort    bool // a port from 1 up must be there, but for unix, abstract and inherited sockets
	AllowRange     bool // "host:80-90"
	AllowOffset    bool // "host:+10", "host:-10"
	AllowInherited bool // fd@N
	AllowUnix      bool // unix@PATH, abns@NAME and absolute paths
	AllowPrefix    bool // "192.0.2.0/24:80", "[2001:db8::]/64:80"; with AllowPort, "*" for all ports, too
}

const maxPort = 65535

// Addresses of a Unix socket hold at most 108 bytes (unix(7)); one of them is the NUL that ends a path, or that an
// abstract name starts with.
const maxUnixPath = 107

// The prefixes that name a family for stream sockets, without "stream+" which may stand before them.
var families = map[string]Family{
	"ip": AnyFamily, "tcp": AnyFamily,
	"ipv4": IPv4, "tcp4": IPv4,
	"ipv6": IPv6, "tcp6": IPv6,
	"unix": Unix, "uxst": Unix,
	"abns": Abstract,
	"fd":   Inherited,
}

// Prefixes that HAProxy has for what a TCP balancer does not do.
var datagramPrefixes = map[string]bool{"udp": true, "udp4": true, "udp6": true, "uxdg": true, "quic4": true, "quic6": true}

// ParseAddresses reads a list of addresses with commas between them; one more comma may stand at its end, as in HAProxy.
// The error is that of the first address that has one.
func ParseAddresses(text string, o AddressOptions) ([]Address, error) {
	var all []Address
	for _, part := range strings.Split(strings.TrimSuffix(text, ","), ",") {
		a, err := ParseAddress(part, o)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// ParseAddress reads one address:
//
//	[ipv4@|ipv6@|ip@|tcp@|tcp4@|tcp6@] [HOST["/"BITS]] [":" [PORT["-"LAST] | "*" | "+"OFFSET | "-"OFFSET]]
//	unix@PATH   /PATH   abns@NAME   fd@NUMBER
//
// HOST is a name, an IPv4 address, an IPv6 address with or without brackets, or "*", which like an empty one is the
// unspecified address. What follows the last colon is the port, so an IPv6 address without brackets must be followed by a
// colon wherever a port may stand. Names are not resolved and variables not looked up: see [ExpandAddress].
func ParseAddress(text string, o AddressOptions) (Address, error) {
	if text == "" {
		return Address{}, errors.New("empty address (is an environment variable missing?)")
	}
	if strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '$' }) >= 0 {
		return Address{}, fmt.Errorf("an address cannot hold a control character or a '$': %q", text)
	}
	family, rest, err := cutPrefix(text)
	if err != nil {
		return Address{}, err
	}
	switch family {
	case Unix, Abstract:
		return unixAddress(family, rest, text, o)
	case Inherited:
		return inheritedAddress(rest, text, o)
	}
	host, port, err := cutPort(rest, text, o)
	if err != nil {
		return Address{}, err
	}
	if port == "" && o.RequirePort {
		return Address{}, fmt.Errorf("a port is missing in '%s'", text)
	}
	a := Address{Family: family}
	host, bits, prefixed := strings.Cut(host, "/")
	if prefixed && !o.AllowPrefix {
		return Address{}, fmt.Errorf("a prefix is not possible here: '%s'", text)
	}
	if err := a.setHost(host, text); err != nil {
		return Address{}, err
	}
	if prefixed {
		if err := a.setPrefix(bits, text); err != nil {
			return Address{}, err
		}
	}
	if err := a.setPort(port, text, o); err != nil {
		return Address{}, err
	}
	return a, nil
}

// cutPrefix finds the family that a prefix or a leading slash gives.
func cutPrefix(text string) (Family, string, error) {
	full, rest, found := strings.Cut(text, "@")
	name, _ := strings.CutPrefix(full, "stream+")
	switch family, known := families[name]; {
	case strings.HasPrefix(text, "/"):
		return Unix, text, nil
	case !found:
		return AnyFamily, text, nil
	case known:
		return family, rest, nil
	case datagramPrefixes[name], strings.HasPrefix(full, "dgram+"):
		return 0, "", fmt.Errorf("'%s@' names a datagram socket in '%s', but sluice balances TCP", full, text)
	case name == "sockpair":
		return 0, "", fmt.Errorf("'sockpair@' is not supported, in '%s'", text)
	}
	return 0, "", fmt.Errorf("unknown prefix '%s@' in '%s'%s", full, text,
		didYouMean(full, []string{"ipv4", "ipv6", "unix", "abns", "fd", "tcp", "tcp4", "tcp6", "ip", "uxst"}))
}

func unixAddress(family Family, path, text string, o AddressOptions) (Address, error) {
	switch {
	case !o.AllowUnix:
		return Address{}, fmt.Errorf("a unix socket is not possible here: '%s'", text)
	case path == "":
		return Address{}, fmt.Errorf("the name of the socket is missing in '%s'", text)
	case len(path) > maxUnixPath:
		return Address{}, fmt.Errorf("the name of a socket has at most %d bytes, not %d as in '%s'", maxUnixPath, len(path), text)
	}
	return Address{Family: family, Path: path}, nil
}

func inheritedAddress(number, text string, o AddressOptions) (Address, error) {
	if !o.AllowInherited {
		return Address{}, fmt.Errorf("a file descriptor is not possible here: '%s'", text)
	}
	fd, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return Address{}, fmt.Errorf("'%s' is not the number of a file descriptor in '%s'", number, text)
	}
	return Address{Family: Inherited, FD: int(fd)}, nil
}

// cutPort separates host and port. An IPv6 address keeps its brackets, so that setHost can tell them from none.
func cutPort(rest, text string, o AddressOptions) (host, port string, err error) {
	if end := strings.LastIndexByte(rest, ']'); end >= 0 && strings.HasPrefix(rest, "[") {
		host, rest = rest[:end+1], rest[end+1:]
		if o.AllowPrefix && strings.HasPrefix(rest, "/") {
			colon := strings.IndexByte(rest+":", ':')
			host, rest = host+rest[:colon], rest[colon:]
		}
		if rest != "" && rest[0] != ':' {
			return "", "", fmt.Errorf("only a port may follow the brackets in '%s'", text)
		}
		port = strings.TrimPrefix(rest, ":")
	} else if ip, err := netip.ParseAddr(rest); err == nil && ip.Is6() && !o.AllowPort {
		host = rest
	} else if at := strings.LastIndexByte(rest, ':'); at >= 0 {
		host, port = rest[:at], rest[at+1:]
	} else {
		host = rest
	}
	if port != "" && !o.AllowPort {
		return "", "", fmt.Errorf("a port is not possible here: '%s'", text)
	}
	return host, port, nil
}

// setHost fills Host and IP in.
func (a *Address) setHost(host, text string) error {
	if host == "" || host == "*" {
		a.IP = netip.IPv4Unspecified()
		if a.Family == IPv6 {
			a.IP = netip.IPv6Unspecified()
		}
		return nil
	}
	bare, bracketed := host, strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]")
	if bracketed {
		bare = host[1 : len(host)-1]
	}
	ip, err := netip.ParseAddr(bare)
	switch {
	case err != nil:
		if err := checkName(bare, text); err != nil {
			return err
		}
		a.Host = bare
		return nil
	case ip.Zone() != "":
		return fmt.Errorf("an IPv6 address with a zone is not supported: '%s'; name the interface with 'interface'", text)
	case a.Family == IPv4 && !ip.Is4():
		return fmt.Errorf("'%s' is not an IPv4 address in '%s'", bare, text)
	case a.Family == IPv6 && !ip.Is6():
		return fmt.Errorf("'%s' is not an IPv6 address in '%s'", bare, text)
	}
	a.Host, a.IP = bare, ip
	return nil
}

// setPrefix fills Prefix in.
func (a *Address) setPrefix(bits, text string) error {
	if a.Host == "" || !a.IP.IsValid() {
		return fmt.Errorf("only an address may have a prefix's length, unlike in '%s'", text)
	}
	n, err := strconv.ParseUint(bits, 10, 8)
	if err != nil || int(n) > a.IP.BitLen() {
		return fmt.Errorf("'%s' is not the length of a prefix in '%s'; one is a number from 0 to %d", bits, text, a.IP.BitLen())
	}
	a.Prefix = netip.PrefixFrom(a.IP, int(n))
	if whole := a.Prefix.Masked(); whole != a.Prefix {
		return fmt.Errorf("'%v' has bits behind its length in '%s'; the prefix is %v", a.Prefix, text, whole)
	}
	return nil
}

// checkName refuses what cannot be a host's name. Underscores are not for host names (RFC 952), but container networks
// have names with them. A name whose last part is a number would be taken for an IPv4 address by some.
func checkName(name, text string) error {
	if strings.IndexByte(name, ':') >= 0 {
		return fmt.Errorf("'%s' is not an IPv6 address in '%s'; what follows the last colon is the port, unless there are brackets around the address", name, text)
	}
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	for _, label := range labels {
		bad := strings.IndexFunc(label, func(r rune) bool { return r != '-' && (r >= 0x80 || !isNameByte(byte(r))) })
		if label == "" || len(label) > 63 || bad >= 0 || label[0] == '-' {
			return fmt.Errorf("'%s' is neither an address nor the name of a host in '%s'", name, text)
		}
	}
	if isDigit(labels[len(labels)-1][0]) && strings.IndexFunc(name, func(r rune) bool { return r != '.' && !isDigit(byte(r)) }) < 0 {
		return fmt.Errorf("'%s' is not an IPv4 address in '%s'", name, text)
	}
	if len(name) > 253 {
		return fmt.Errorf("a host's name of %d characters is too long; there are at most 253", len(name))
	}
	return nil
}

// setPort fills Port, PortEnd and PortOffset in.
func (a *Address) setPort(port, text string, o AddressOptions) error {
	first, last, ranged := strings.Cut(port, "-")
	var err error
	switch {
	case port == "":
		return nil
	case port == "*" && o.AllowPrefix:
		if !a.Prefix.IsValid() && (!a.IP.IsValid() || a.IP.IsUnspecified()) {
			return fmt.Errorf("all ports of '%s' would be other programs' too: name an address or a prefix", text)
		}
		a.Port, a.PortEnd = 1, maxPort
		return nil
	case port[0] == '+' || port[0] == '-':
		if !o.AllowOffset {
			return fmt.Errorf("a port offset is not possible here: '%s'", text)
		}
		a.PortOffset = true
		if a.Port, err = portNumber(port[1:], text); port[0] == '-' {
			a.Port = -a.Port
		}
		a.PortEnd = a.Port
		return err
	case ranged && !o.AllowRange:
		return fmt.Errorf("a port range is not possible here: '%s'", text)
	}
	if a.Port, err = portNumber(first, text); err != nil {
		return err
	}
	a.PortEnd = a.Port
	if ranged {
		if a.PortEnd, err = portNumber(last, text); err != nil {
			return err
		}
	}
	switch {
	case a.PortEnd < a.Port:
		return fmt.Errorf("the port range ends before it starts in '%s'", text)
	case a.Port == 0 && (ranged || o.RequirePort):
		return fmt.Errorf("a port is from 1 to 65535, not 0 as in '%s'", text)
	}
	return nil
}

func portNumber(digits, text string) (int, error) {
	number, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("'%s' is not a port in '%s'; one is a number from 1 to 65535", digits, text)
	}
	return int(number), nil
}

// String gives a text that ParseAddress reads back as the same value, where all forms are allowed.
func (a Address) String() string {
	switch a.Family {
	case Unix:
		if strings.HasPrefix(a.Path, "/") {
			return a.Path
		}
		return "unix@" + a.Path
	case Abstract:
		return "abns@" + a.Path
	case Inherited:
		return "fd@" + strconv.Itoa(a.FD)
	}
	text := map[Family]string{IPv4: "ipv4@", IPv6: "ipv6@"}[a.Family]
	switch {
	case a.Host == "":
		text += "*"
	case strings.IndexByte(a.Host, ':') >= 0:
		text += "[" + a.Host + "]"
	default:
		text += a.Host
	}
	if a.Prefix.IsValid() {
		text += "/" + strconv.Itoa(a.Prefix.Bits())
	}
	switch {
	case a.PortOffset:
		text += fmt.Sprintf(":%+d", a.Port)
	case a.PortEnd > a.Port:
		text += fmt.Sprintf(":%d-%d", a.Port, a.PortEnd)
	case a.Port > 0:
		text += ":" + strconv.Itoa(a.Port)
	}
	return text
}
