package check

import (
	"encoding/binary"

	"github.com/sluice-lb/sluice/lb/backend"
)

// SSL 3.0, RFC 6101. Hardly a server still speaks it; the others answer with an alert, which shows as well that they
// speak some version of it.

// sslHello is a record (5.2) with a ClientHello (5.6.1.2).
var sslHello = newSSLHello()

const (
	sslAlert     = 21
	sslHandshake = 22
)

func newSSLHello() []byte {
	const version, clientHello = 0x0300, 1
	hello := binary.BigEndian.AppendUint16(nil, version)
	hello = append(hello, "sluice's check needs no randomness"[:32]...)
	hello = append(hello, 0) // no session to take up again
	suites := []uint16{0x2f, 0x35, 0x33, 0x39, 0x0a, 0x16, 0x13, 0x04, 0x05}
	hello = binary.BigEndian.AppendUint16(hello, uint16(2*len(suites)))
	for _, s := range suites {
		hello = binary.BigEndian.AppendUint16(hello, s)
	}
	hello = append(hello, 1, 0) // one compression method: none
	b := append([]byte{sslHandshake}, version>>8, version&0xff)
	b = binary.BigEndian.AppendUint16(b, uint16(4+len(hello)))
	b = append(b, clientHello, 0, byte(len(hello)>>8), byte(len(hello)))
	return append(b, hello...)
}

// judgeSSL wants the header of a record with a handshake or an alert.
func judgeSSL(x *exchange, data []byte, final bool) verdict {
	switch {
	case data[0] != sslAlert && data[0] != sslHandshake:
		return x.refuse(backend.CheckL6Invalid, "")
	case len(data) < 5 && !final:
		return undecided
	}
	return met
}
