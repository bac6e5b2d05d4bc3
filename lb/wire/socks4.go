package wire

import "net/netip"

// AppendSOCKS4 appends a SOCKS4 CONNECT request for target, which must be IPv4.
func AppendSOCKS4(b []byte, target netip.AddrPort) []byte { return b }

// DecodeSOCKS4 reads the reply: n is 8 and err nil once the way is open.
func DecodeSOCKS4(b []byte) (n int, err error) { return 0, ErrShort }
