// Package frame is the protocol that the harness's load and its origins speak, made so that neither needs a parser.
//
// A request starts with a header of eight bytes, in network order:
//
//	0..3   length of the whole request in bytes, header included; Endless: until the sender's FIN
//	4..7   length of the whole response in bytes, in the lower 31 bits; Endless: until the connection is closed
//	       the top bit asks the origin to close the connection after the response
//
// The rest of the request is padding. The response is as many bytes as were asked for; its first four, if it has that
// many, repeat bytes 4..7 of the request, so that a response to another request is noticed. The rest is padding. Requests may follow
// one another on a connection and may be pipelined; the responses come in their order.
package frame

import "encoding/binary"

const (
	// Header is the length of a request's header in bytes, and therefore the shortest request.
	Header = 8
	// Endless is the length of a stream without an end, in either direction.
	Endless = 1<<31 - 1
	// Longest is the longest finite request or response in bytes.
	Longest = Endless - 1

	closeAfter = 1 << 31
)

// Put writes the header of a request to the first eight bytes of b.
func Put(b []byte, request, response uint32, closing bool) {
	if closing {
		response |= closeAfter
	}
	binary.BigEndian.PutUint32(b[:4], request)
	binary.BigEndian.PutUint32(b[4:8], response)
}

// Parse reads the header in the first eight bytes of b. A header is right if request is at least Header and neither
// length is above Endless.
func Parse(b []byte) (request, response uint32, closing, right bool) {
	request = binary.BigEndian.Uint32(b[:4])
	response = binary.BigEndian.Uint32(b[4:8])
	closing = response&closeAfter != 0
	return request, response &^ closeAfter, closing, request >= Header && request <= Endless
}
