package wire

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// AppendV1 appends a version 1 header for a connection from src to dst. Two IPv4 addresses give TCP4. Any other two IP
// addresses give TCP6, an IPv4 address among them in its IPv4-mapped form (a mapped address is not unmapped: the caller
// decides that). Anything else gives UNKNOWN.
func AppendV1(b []byte, src, dst Endpoint) []byte {
	from, to := src.AddrPort, dst.AddrPort
	if !from.IsValid() || !to.IsValid() {
		return append(b, "PROXY UNKNOWN\r\n"...)
	}
	source, destination := from.Addr(), to.Addr()
	if source.Is4() && destination.Is4() {
		b = append(b, "PROXY TCP4 "...)
	} else {
		b = append(b, "PROXY TCP6 "...)
		source, destination = as6(source), as6(destination)
	}
	b = source.AppendTo(b)
	b = append(b, ' ')
	b = destination.AppendTo(b)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(from.Port()), 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(to.Port()), 10)
	return append(b, "\r\n"...)
}

// as6 gives an address of 16 bytes, without zone: a zone means nothing on another host.
func as6(a netip.Addr) netip.Addr { return netip.AddrFrom16(a.As16()) }

// AppendV2 appends a version 2 header for a connection from src to dst. Addresses are treated as by AppendV1; where that
// gives UNKNOWN, this gives LOCAL without addresses, which every receiver must accept (but see UnixPaths). TLVs come in
// the order checksum, authority, unique id, namespace.
func AppendV2(b []byte, src, dst Endpoint, o V2Options) []byte {
	start := len(b)
	b = append(b, signatureV2...)
	b = append(b, version2|commandProxy, 0, 0, 0)
	from, to := src.AddrPort, dst.AddrPort
	family := byte(familyUnspec)
	switch {
	case o.Local:
	case from.IsValid() && to.IsValid():
		family, b = appendAddresses(b, from, to)
	case o.UnixPaths && (src.Path != "" || dst.Path != ""):
		family = familyUnix
		b = appendPath(b, src.Path)
		b = appendPath(b, dst.Path)
	}
	if family == familyUnspec {
		b[start+12] = version2 | commandLocal
	} else {
		b[start+13] = family<<4 | transportStream
	}
	sum := 0
	if o.CRC32C {
		sum = len(b) + 3
		b = append(b, typeCRC32C, 0, 4, 0, 0, 0, 0)
	}
	if o.Authority != nil {
		b = appendTLV(b, typeAuthority, o.Authority[:min(len(o.Authority), MaxAuthority)])
	}
	if o.UniqueID != nil {
		b = appendTLV(b, typeUniqueID, o.UniqueID[:min(len(o.UniqueID), MaxUniqueID)])
	}
	if o.Namespace != "" {
		b = appendTLV(b, typeNamespace, o.Namespace[:min(len(o.Namespace), MaxNamespace)])
	}
	binary.BigEndian.PutUint16(b[start+14:], uint16(len(b)-start-fixedSize))
	if o.CRC32C {
		binary.BigEndian.PutUint32(b[sum:], checksum(b[start:], sum-start))
	}
	return b
}

func appendAddresses(b []byte, from, to netip.AddrPort) (byte, []byte) {
	family := byte(familyIPv6)
	if from.Addr().Is4() && to.Addr().Is4() {
		family = familyIPv4
		source, destination := from.Addr().As4(), to.Addr().As4()
		b = append(append(b, source[:]...), destination[:]...)
	} else {
		source, destination := from.Addr().As16(), to.Addr().As16()
		b = append(append(b, source[:]...), destination[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, from.Port())
	return family, binary.BigEndian.AppendUint16(b, to.Port())
}

// appendPath appends a path, filled up with NUL bytes; the kernel allows none longer than this.
func appendPath(b []byte, path string) []byte {
	var field [pathSize]byte
	copy(field[:], path)
	return append(b, field[:]...)
}

func appendTLV[value []byte | string](b []byte, kind byte, v value) []byte {
	b = append(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
	return append(b, v...)
}
