package wire

import (
	"bytes"
	"net/netip"
)

// decodeV1 reads the line of version 1 (section 2.1). b begins with its signature.
func decodeV1(b []byte) (Header, int, error) {
	end, err := lineEnd(b)
	if err != nil {
		return Header{}, 0, err
	}
	h := Header{Version: 1}
	line := b[len(signatureV1):end]
	protocol, line, _ := bytes.Cut(line, []byte(" "))
	switch string(protocol) {
	case "TCP4", "TCP6":
		v6 := protocol[3] == '6'
		if err = decodeLine(&h, line, v6); err != nil {
			return Header{}, 0, err
		}
	case "UNKNOWN":
		// Whatever follows is to be ignored: section 2.1. HAProxy 2.6 is stricter and accepts nothing there.
		h.Unknown = true
	default:
		return Header{}, 0, ErrProtocol
	}
	return h, end + 2, nil
}

// lineEnd finds the CRLF and refuses a CR or an LF on its own.
func lineEnd(b []byte) (int, error) {
	if len(b) > MaxV1 {
		b = b[:MaxV1]
	}
	i := bytes.IndexAny(b, "\r\n")
	switch {
	case i < 0 && len(b) == MaxV1, i == MaxV1-1 && b[i] == '\r':
		return 0, ErrLineTooLong
	case i < 0, i == len(b)-1 && b[i] == '\r':
		return 0, ErrShort
	case b[i] == '\n' || b[i+1] != '\n':
		return 0, ErrLineEnd
	}
	return i, nil
}

// decodeLine reads "source destination source-port destination-port".
func decodeLine(h *Header, line []byte, v6 bool) error {
	var fields [4][]byte
	for i := range fields {
		field, rest, more := bytes.Cut(line, []byte(" "))
		if more != (i < len(fields)-1) {
			return ErrLine
		}
		fields[i], line = field, rest
	}
	var addresses [2]netip.Addr
	var ports [2]uint16
	for i := range addresses {
		var ok bool
		if v6 {
			addresses[i], ok = parseIPv6(fields[i])
		} else {
			addresses[i], ok = parseIPv4(fields[i])
		}
		if !ok {
			return ErrAddress
		}
		if ports[i], ok = parsePort(fields[2+i]); !ok {
			return ErrPort
		}
	}
	h.Source.AddrPort = netip.AddrPortFrom(addresses[0], ports[0])
	h.Destination.AddrPort = netip.AddrPortFrom(addresses[1], ports[1])
	return nil
}
