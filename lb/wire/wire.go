// Package wire reads and writes the bytes before the payload: the PROXY protocol's header in versions 1 and 2, and
// the SOCKS4 request that opens a way through an upstream proxy.
//
// It is a contract of plain functions over byte slices:
//
//   - Decode and DecodeSOCKS4 look at what has been received so far and never keep the slice. They answer with the
//     number of bytes that the header took, or ErrShort (receive more, ask again with all of it), or an error that
//     says why these bytes are not a header. Asking again with more bytes never turns such an error into a success.
//   - The Append functions append one complete header and return the extended slice, as the built-in append does.
//
// Nothing here opens a socket, reads a clock, starts a goroutine or holds state; any goroutine may call anything.
// Nothing allocates, but for the path of a unix endpoint in Decode and for growth in the Append functions: a dst with
// room for MaxAppend bytes (plus the options of AppendV2) never grows.
//
// It does not choose whether a header is expected: the protocol forbids guessing, so the caller's configuration says.
package wire

import "net/netip"

const (
	// MaxV1 is the longest version 1 header in bytes, CRLF included.
	MaxV1 = 107
	// MaxHeader is the longest header that Decode accepts, in bytes. The length field of version 2 could announce up to
	// 65,551; the protocol means a header to fit in one segment of 536 bytes. This leaves room for large TLVs and
	// bounds what an unauthenticated peer can make a receiver hold. Decode never returns ErrShort for this many bytes.
	MaxHeader = 16384
	// MaxAppend is the room, in bytes, that AppendV1, AppendV2 without UniqueID, Authority and Namespace, and AppendSOCKS4 need at
	// most: 16 + 216 for two unix paths + 7 for the checksum.
	MaxAppend = 239
	// MaxUniqueID is the longest unique id, in bytes, that AppendV2 sends (PROXY protocol 2.2.5); the rest is cut off.
	MaxUniqueID = 128
	// MaxAuthority is the longest authority, in bytes, that AppendV2 sends: a host name's limit (RFC 1035, 3.1).
	MaxAuthority = 255
	// MaxNamespace is the longest name of a network namespace, in bytes, that AppendV2 sends: a file name's limit (NAME_MAX).
	MaxNamespace = 255
)

// Endpoint is one end of a connection: an IP address and port, or the path of a unix socket.
type Endpoint struct {
	AddrPort netip.AddrPort // invalid (the zero value) for a unix socket and where nothing is known
	Path     string         // unix only; an abstract name begins with a NUL byte; empty for an unnamed socket
}

// Header is what a PROXY header says about the connection that it precedes. It is comparable.
type Header struct {
	Version int // 1 or 2
	// Local: the sender made the connection on its own account (a health check). Unknown: the sender could not tell the
	// addresses. With either, Source and Destination are zero and the connection's own addresses are to be used.
	Local, Unknown      bool
	Source, Destination Endpoint
}

// V2Options are the optional parts of a version 2 header. The zero value asks for none.
type V2Options struct {
	Local bool // the LOCAL command: no addresses are sent, the endpoints are ignored
	// UnixPaths sends the paths of unix endpoints. Without it such a connection is announced as LOCAL, as HAProxy does:
	// many receivers (HAProxy is one) close a connection whose header has the unix family.
	UnixPaths bool
	CRC32C    bool   // a checksum over the whole header, in 7 more bytes
	UniqueID  []byte // nil: none; at most MaxUniqueID bytes
	Authority []byte // nil: none; the host name that the client asked for, at most MaxAuthority bytes
	Namespace string // empty: none; the name of the network namespace that the client is in, at most MaxNamespace bytes
}
