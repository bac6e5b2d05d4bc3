package check

import (
	"encoding/binary"
	"fmt"

	"github.com/sluice-lb/sluice/lb/backend"
)

// SPOP, the protocol of stream processing agents: https://github.com/haproxy/haproxy/blob/master/doc/SPOE.txt, section 3. A
// frame is a length of four bytes, a type, flags, two numbers of variable size, and pairs of names and typed values.

const (
	spopHAProxyHello    = 1
	spopAgentHello      = 101
	spopAgentDisconnect = 102
	spopFrameSize       = 16380 // the largest that is offered

	spopTrue   = 1<<4 | 1 // a boolean is in its type's flags
	spopUint32 = 3
	spopString = 8
)

// spopHello is a HAPROXY-HELLO that asks for no more than an answer (3.2.4).
var spopHello = newSPOPHello()

func newSPOPHello() []byte {
	b := make([]byte, 4, 96)
	b = append(b, spopHAProxyHello, 0, 0, 0, 1, 0, 0) // FIN; stream and frame 0
	b = append(spopText(b, "supported-versions"), spopString)
	b = spopText(b, "2.0")
	b = append(spopText(b, "max-frame-size"), spopUint32)
	b = appendVarint(b, spopFrameSize)
	b = append(spopText(b, "capabilities"), spopString)
	b = spopText(b, "")
	b = append(spopText(b, "healthcheck"), spopTrue)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func spopText(b []byte, text string) []byte {
	return append(appendVarint(b, uint64(len(text))), text...)
}

// appendVarint writes a number in the variable size that section 3.1 describes: up to 239 in one byte, above that four
// bits in the first and seven in each that follows.
func appendVarint(b []byte, n uint64) []byte {
	if n < 240 {
		return append(b, byte(n))
	}
	b = append(b, byte(n)|240)
	for n = (n - 240) >> 4; n >= 128; n = (n - 128) >> 7 {
		b = append(b, byte(n)|128)
	}
	return append(b, byte(n))
}

// cutVarint takes such a number off.
func cutVarint(data []byte) (n uint64, rest []byte, ok bool) {
	if len(data) == 0 {
		return 0, nil, false
	}
	n = uint64(data[0])
	if n < 240 {
		return n, data[1:], true
	}
	for i, shift := 1, 4; i < len(data) && shift < 60; i, shift = i+1, shift+7 {
		n += uint64(data[i]) << shift
		if data[i] < 128 {
			return n, data[i+1:], true
		}
	}
	return 0, nil, false
}

// judgeSPOP wants an AGENT-HELLO. An AGENT-DISCONNECT says why not.
func judgeSPOP(x *exchange, data []byte, final bool) verdict {
	const invalid = "invalid frame received"
	if len(data) < 4 {
		if final {
			return x.refuse(backend.CheckL7Invalid, invalid)
		}
		return undecided
	}
	length := binary.BigEndian.Uint32(data)
	if length > spopFrameSize || length < 7 {
		return x.refuse(backend.CheckL7Invalid, invalid)
	}
	if len(data) < 4+int(length) {
		if final {
			return x.refuse(backend.CheckL7Invalid, invalid)
		}
		return undecided
	}
	frame := data[4 : 4+length]
	values := spopValues(frame[5:])
	switch {
	case frame[0] == spopAgentHello:
		for _, name := range []string{"version", "max-frame-size"} {
			if values[name] == "" {
				return x.refuse(backend.CheckL7Invalid, name+" value not found")
			}
		}
		x.okText = "SPOA server is ok" // as in HAProxy's log
		return met
	case frame[0] == spopAgentDisconnect && values["message"] != "":
		return x.refuse(backend.CheckL7Invalid, values["message"])
	}
	return x.refuse(backend.CheckL7Invalid, invalid)
}

// spopValues reads the pairs of a frame, as far as they can be understood. rest begins with the two numbers.
func spopValues(rest []byte) map[string]string {
	values := make(map[string]string)
	ok := true
	for range 2 {
		if _, rest, ok = cutVarint(rest); !ok {
			return nil
		}
	}
	for len(rest) > 0 {
		var name, value string
		if name, rest, ok = cutText(rest); !ok || len(rest) == 0 {
			return values
		}
		kind := rest[0] & 15
		rest = rest[1:]
		switch {
		case kind <= 1: // null, boolean
		case kind <= 5: // numbers
			var n uint64
			n, rest, ok = cutVarint(rest)
			value = fmt.Sprint(n)
		case kind == 6 || kind == 7: // addresses
			size := 4 << (2 * (kind - 6))
			if ok = len(rest) >= size; ok {
				rest = rest[size:]
			}
		default:
			value, rest, ok = cutText(rest)
		}
		if !ok {
			return values
		}
		values[name] = value
	}
	return values
}

func cutText(data []byte) (text string, rest []byte, ok bool) {
	n, rest, ok := cutVarint(data)
	if !ok || uint64(len(rest)) < n {
		return "", nil, false
	}
	return string(rest[:n]), rest[n:], true
}
