package tcplog

import (
	"net/netip"
	"strconv"
)

const hexDigits = "0123456789ABCDEF"

// appendString appends a name; an empty one is "-", or "" where strings are quoted.
func appendString[T string | []byte](b []byte, f flags, s T) []byte {
	if f&quoted == 0 && len(s) == 0 {
		return append(b, '-')
	}
	if f&quoted != 0 {
		b = append(b, '"')
	}
	if f&escaped == 0 {
		b = append(b, s...)
	} else {
		for i := 0; i < len(s); i++ {
			if c := s[i]; c == '"' || c == '\\' || c == ']' {
				b = append(b, '\\')
			}
			b = append(b, s[i])
		}
	}
	if f&quoted != 0 {
		b = append(b, '"')
	}
	return b
}

// appendIP appends an address: "unix" for a unix socket, and as an empty string where there is none.
func appendIP(b []byte, f flags, a netip.AddrPort, unix bool) []byte {
	switch {
	case unix:
		return appendString(b, f, "unix") // also in hexadecimal, where HAProxy ends the line here
	case !a.IsValid():
		return appendString(b, f, "")
	case f&hex == 0:
		if f&quoted == 0 {
			return a.Addr().AppendTo(b)
		}
		return append(a.Addr().AppendTo(append(b, '"')), '"')
	}
	if a.Addr().Is4() {
		ip := a.Addr().As4()
		return appendHexBytes(b, ip[:])
	}
	ip := a.Addr().As16()
	return appendHexBytes(b, ip[:])
}

// appendPort appends a port: id for a unix socket, as an empty string where there is none.
func appendPort(b []byte, f flags, a netip.AddrPort, unix bool, id int) []byte {
	switch {
	case unix:
		return appendNumber(b, f, int64(id), 4)
	case !a.IsValid():
		return appendString(b, f, "")
	}
	return appendNumber(b, f, int64(a.Port()), 4)
}

func appendHexBytes(b, value []byte) []byte {
	for _, c := range value {
		b = append(b, hexDigits[c>>4], hexDigits[c&15])
	}
	return b
}

// appendNumber appends n: in decimal, or with X in upper case hexadecimal of at least width digits.
func appendNumber(b []byte, f flags, n int64, width int) []byte {
	if f&hex == 0 {
		return strconv.AppendInt(b, n, 10)
	}
	u, digits := uint64(n), 1
	for u>>(4*digits) != 0 {
		digits++
	}
	for i := max(digits, width) - 1; i >= 0; i-- {
		b = append(b, hexDigits[u>>(4*i)&15])
	}
	return b
}

// appendPadded appends the last width digits of n, which is not negative, in decimal with zeros before it.
func appendPadded(b []byte, n, width int) []byte {
	at := len(b) + width
	for range width {
		b = append(b, '0')
	}
	for ; width > 0; width-- {
		at--
		b[at] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// appendPlus marks a number of which more is to come.
func appendPlus(b []byte, more bool) []byte {
	if more {
		return append(b, '+')
	}
	return b
}
