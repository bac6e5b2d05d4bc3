package wire

import (
	"encoding/binary"
	"net/netip"
)

// SOCKS4, by the protocol's description at https://www.openssh.com/txt/socks4.protocol.
const (
	socks4Version = 4
	socks4Connect = 1
	socks4Granted = 90
	socks4Refused = 93 // 91 to 93 are refusals of several kinds
	socks4UserID  = "sluice"

	// SOCKS4ReplySize is the length of a reply in bytes.
	SOCKS4ReplySize = 8
)

// AppendSOCKS4 appends a SOCKS4 CONNECT request for target. SOCKS4 knows only IPv4: an IPv4-mapped address is sent as
// IPv4; for any other, b comes back as it was, for there is no such request.
func AppendSOCKS4(b []byte, target netip.AddrPort) []byte {
	address := target.Addr().Unmap()
	if !address.Is4() {
		return b
	}
	b = append(b, socks4Version, socks4Connect)
	b = binary.BigEndian.AppendUint16(b, target.Port())
	ip := address.As4()
	b = append(b, ip[:]...)
	b = append(b, socks4UserID...)
	return append(b, 0)
}

// DecodeSOCKS4 reads the proxy's reply at the start of b. Once the way is open, n is SOCKS4ReplySize and what follows in
// b comes from the target. Otherwise ErrShort, ErrSOCKS4Rejected or ErrSOCKS4Reply.
func DecodeSOCKS4(b []byte) (n int, err error) {
	switch {
	case len(b) > 0 && b[0] != 0: // a reply's version is 0, not 4
		return 0, ErrSOCKS4Reply
	case len(b) > 1 && (b[1] < socks4Granted || b[1] > socks4Refused):
		return 0, ErrSOCKS4Reply
	case len(b) > 1 && b[1] != socks4Granted:
		return 0, ErrSOCKS4Rejected
	case len(b) < SOCKS4ReplySize:
		return 0, ErrShort
	}
	return SOCKS4ReplySize, nil
}
