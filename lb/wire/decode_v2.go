package wire

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

// Sizes in bytes, and the numbers of section 2.2.
const (
	fixedSize = 16
	ipv4Size  = 12
	ipv6Size  = 36
	pathSize  = 108
	unixSize  = 2 * pathSize

	version2     = 0x20
	commandLocal = 0
	commandProxy = 1

	familyUnspec = 0
	familyIPv4   = 1
	familyIPv6   = 2
	familyUnix   = 3

	transportStream = 1
	transportLast   = 2 // datagram; 0 is unspecified

	typeAuthority = 0x02
	typeCRC32C    = 0x03
	typeUniqueID  = 0x05
	typeNamespace = 0x30 // PP2_TYPE_NETNS
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	noChecksum = make([]byte, 4) // never written; on the stack it would escape
)

// decodeV2 reads the binary header (section 2.2). b begins with its signature. Each byte is judged when it is there, so
// that a header that will be refused is refused early.
func decodeV2(b []byte) (Header, int, error) {
	h := Header{Version: 2}
	rest := b[len(signatureV2):]
	if len(rest) > 0 {
		if rest[0]&0xF0 != version2 {
			return h, 0, ErrVersion
		}
		if rest[0]&0x0F > commandProxy {
			return h, 0, ErrCommand
		}
		// LOCAL: the family is ignored, whatever it is.
		h.Local = rest[0]&0x0F == commandLocal
	}
	if len(rest) > 1 && !h.Local && (rest[1]>>4 > familyUnix || rest[1]&0x0F > transportLast) {
		return h, 0, ErrFamily
	}
	if len(rest) < 4 {
		return h, 0, ErrShort
	}
	size := fixedSize + int(binary.BigEndian.Uint16(rest[2:]))
	if size > MaxHeader {
		return h, 0, ErrTooLong
	}
	family, stream := rest[1]>>4, rest[1]&0x0F == transportStream
	addresses := [...]int{familyUnspec: 0, familyIPv4: ipv4Size, familyIPv6: ipv6Size, familyUnix: unixSize}
	if !h.Local && size < fixedSize+addresses[family] {
		return h, 0, ErrAddressSize
	}
	if len(b) < size {
		return h, 0, ErrShort
	}
	if h.Local {
		return h, size, nil // the whole block is discarded, its TLVs too
	}
	header := b[:size]
	if family == familyUnspec {
		h.Unknown = true // nobody knows how long its addresses are, so there is no telling where TLVs would begin
		return h, size, nil
	}
	if err := checkTLVs(header, fixedSize+addresses[family]); err != nil {
		return h, 0, err
	}
	if !stream {
		h.Unknown = true // section 2.2: a valid combination that is not supported counts as UNSPEC
		return h, size, nil
	}
	decodeAddresses(&h, family, header[fixedSize:])
	return h, size, nil
}

func decodeAddresses(h *Header, family byte, b []byte) {
	switch family {
	case familyIPv4:
		source, destination := netip.AddrFrom4([4]byte(b)), netip.AddrFrom4([4]byte(b[4:]))
		h.Source.AddrPort = netip.AddrPortFrom(source, binary.BigEndian.Uint16(b[8:]))
		h.Destination.AddrPort = netip.AddrPortFrom(destination, binary.BigEndian.Uint16(b[10:]))
	case familyIPv6:
		source, destination := netip.AddrFrom16([16]byte(b)), netip.AddrFrom16([16]byte(b[16:]))
		h.Source.AddrPort = netip.AddrPortFrom(source, binary.BigEndian.Uint16(b[32:]))
		h.Destination.AddrPort = netip.AddrPortFrom(destination, binary.BigEndian.Uint16(b[34:]))
	case familyUnix:
		h.Source.Path, h.Destination.Path = decodePath(b[:pathSize]), decodePath(b[pathSize:unixSize])
		h.Unknown = h.Source.Path == "" && h.Destination.Path == "" // two unnamed sockets: nothing was said
	}
}

// decodePath reads the path of a unix socket as sockaddr_un has it, unix(7): ended by a NUL byte, or abstract and
// begun by one. How long an abstract name is cannot be seen, so its trailing NUL bytes are taken as padding.
func decodePath(b []byte) string {
	if b[0] == 0 {
		return string(bytes.TrimRight(b, "\x00"))
	}
	path, _, _ := bytes.Cut(b, []byte{0})
	return string(path)
}

// checkTLVs walks the type-length-value list that begins at header[at:], sees that it ends with the header, and
// verifies the checksum where there is one.
func checkTLVs(header []byte, at int) error {
	for at < len(header) {
		if len(header)-at < 3 {
			return ErrTLV
		}
		kind, value := header[at], at+3
		end := value + int(binary.BigEndian.Uint16(header[at+1:]))
		if end > len(header) {
			return ErrTLV
		}
		switch kind {
		case typeCRC32C:
			if end-value != 4 {
				return ErrTLVSize
			}
			if checksum(header, value) != binary.BigEndian.Uint32(header[value:]) {
				return ErrChecksum
			}
		case typeUniqueID:
			if end-value > MaxUniqueID {
				return ErrTLVSize
			}
		case typeAuthority:
			if end-value > MaxAuthority {
				return ErrTLVSize
			}
		}
		at = end
	}
	return nil
}

// checksum is the CRC32C (RFC 4960, appendix B) of the header, its four bytes at field taken as zeros.
func checksum(header []byte, field int) uint32 {
	sum := crc32.Update(0, castagnoli, header[:field])
	sum = crc32.Update(sum, castagnoli, noChecksum)
	return crc32.Update(sum, castagnoli, header[field+4:])
}
