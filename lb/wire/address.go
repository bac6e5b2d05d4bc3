package wire

import "net/netip"

// The parsers of package netip take strings, which would cost an allocation for each address of each connection.

// parseNumber reads a decimal number of at most limit, without sign or leading zeros.
func parseNumber(b []byte, limit int) (int, bool) {
	if len(b) == 0 || len(b) > 5 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	number := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		number = number*10 + int(c-'0')
	}
	return number, number <= limit
}

func parsePort(b []byte) (uint16, bool) {
	number, ok := parseNumber(b, 65535)
	return uint16(number), ok
}

// parseIPv4 reads four decimal numbers with dots between them.
func parseIPv4(b []byte) (netip.Addr, bool) {
	var a [4]byte
	part, start := 0, 0
	for i := 0; i <= len(b); i++ {
		if i < len(b) && b[i] != '.' {
			continue
		}
		number, ok := parseNumber(b[start:i], 255)
		if !ok || part == len(a) {
			return netip.Addr{}, false
		}
		a[part] = byte(number)
		part, start = part+1, i+1
	}
	return netip.AddrFrom4(a), part == len(a)
}

// parseIPv6 reads an address in any of the forms of RFC 4291, 2.2: groups, "::" once, an IPv4 address as the last four
// bytes. It knows no zones.
func parseIPv6(b []byte) (netip.Addr, bool) {
	var a [16]byte
	gap, n := -1, 0 // gap: where the zeros of "::" go, in bytes; n: bytes of a that are filled
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		gap, b = 0, b[2:]
	}
	for len(b) > 0 {
		if n == len(a) {
			return netip.Addr{}, false
		}
		group, digits := hexGroup(b)
		if digits < len(b) && b[digits] == '.' {
			v4, ok := parseIPv4(b)
			if !ok || n > len(a)-4 {
				return netip.Addr{}, false
			}
			tail := v4.As4()
			n += copy(a[n:], tail[:])
			break
		}
		if digits == 0 || digits > 4 {
			return netip.Addr{}, false
		}
		a[n], a[n+1] = byte(group>>8), byte(group)
		n += 2
		if b = b[digits:]; len(b) == 0 {
			break
		}
		if b[0] != ':' || len(b) == 1 { // a colon must lead somewhere
			return netip.Addr{}, false
		}
		if b = b[1:]; b[0] == ':' {
			if gap >= 0 {
				return netip.Addr{}, false
			}
			gap, b = n, b[1:]
		}
	}
	switch {
	case gap < 0:
		return netip.AddrFrom16(a), n == len(a)
	case n == len(a): // "::" must stand for something
		return netip.Addr{}, false
	}
	moved := n - gap
	copy(a[len(a)-moved:], a[gap:n])
	clear(a[gap : len(a)-moved])
	return netip.AddrFrom16(a), true
}

// hexGroup reads the hexadecimal digits at the start of b, five at most: that is already one too many.
func hexGroup(b []byte) (group, digits int) {
	for digits < len(b) && digits < 5 {
		c := b[digits]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return group, digits
		}
		group = group<<4 | int(c)
		digits++
	}
	return group, digits
}
