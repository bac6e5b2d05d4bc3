package wire

import "errors"

// ErrShort says that the bytes so far are a good beginning and that more of them are needed.
var ErrShort = errors.New("wire: more bytes needed")

// ErrMalformed matches, in errors.Is, every error below: the bytes are not what was expected, and no further bytes can
// repair that. The connection is to be closed.
var ErrMalformed error = malformed("wire: malformed header")

// What can be wrong with a PROXY header.
var (
	ErrSignature   error = malformed("PROXY header: neither version's signature")
	ErrLineTooLong error = malformed("PROXY header: no CRLF within the 107 bytes of version 1")
	ErrLineEnd     error = malformed("PROXY header: CR or LF alone inside the line")
	ErrProtocol    error = malformed("PROXY header: protocol is none of TCP4, TCP6, UNKNOWN")
	ErrLine        error = malformed("PROXY header: line is not two addresses and two ports, one space between them")
	ErrAddress     error = malformed("PROXY header: not an address of the announced protocol")
	ErrPort        error = malformed("PROXY header: port is not a number from 0 to 65535 without leading zeros")
	ErrVersion     error = malformed("PROXY header: binary header's version is not 2")
	ErrCommand     error = malformed("PROXY header: command is neither LOCAL nor PROXY")
	ErrFamily      error = malformed("PROXY header: unknown address family or transport protocol")
	ErrTooLong     error = malformed("PROXY header: announced length exceeds the limit of 16384 bytes")
	ErrAddressSize error = malformed("PROXY header: announced length is too short for its addresses")
	ErrTLV         error = malformed("PROXY header: TLV exceeds the header")
	ErrTLVSize     error = malformed("PROXY header: TLV has a length that its type does not allow")
	ErrChecksum    error = malformed("PROXY header: wrong CRC32C checksum")
)

// What can be wrong with a SOCKS4 reply.
var (
	ErrSOCKS4Reply    error = malformed("SOCKS4 reply: not a SOCKS4 reply")
	ErrSOCKS4Rejected error = malformed("SOCKS4 reply: the proxy refused the request")
)

// malformed is an error made beforehand: a header's bytes cost no allocation, however bad they are.
type malformed string

func (m malformed) Error() string        { return string(m) }
func (m malformed) Is(target error) bool { return target == ErrMalformed }
