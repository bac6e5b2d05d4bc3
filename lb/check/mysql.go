package check

import (
	"bytes"
	"encoding/binary"

	"github.com/sluice-lb/sluice/lb/backend"
)

// MySQL's client/server protocol, https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html. A packet is a length
// of three bytes, a sequence number and a payload.

const mysqlHeader = 4

// mysqlPacket cuts the first packet's payload out of data; whole: all of it is there.
func mysqlPacket(data []byte) (payload []byte, length int, whole bool) {
	if len(data) < mysqlHeader {
		return nil, 0, false
	}
	length = int(data[0]) | int(data[1])<<8 | int(data[2])<<16
	if len(data) < mysqlHeader+length {
		return data[mysqlHeader:], length, false
	}
	return data[mysqlHeader : mysqlHeader+length], length, true
}

// mysqlError is the code and text of an ERR packet.
func (x *exchange) mysqlError(payload []byte) verdict {
	text := ""
	if len(payload) >= 3 {
		x.result.Code = int(binary.LittleEndian.Uint16(payload[1:]))
		text = string(payload[3:])
	}
	return x.refuse(backend.CheckL7Failed, text)
}

// judgeMySQLGreeting wants the server's first packet, Protocol::Handshake in version 9 or 10. The server's version is the
// text of a check that ends well, as in HAProxy's log (its statistics page leaves it out).
func judgeMySQLGreeting(x *exchange, data []byte, final bool) verdict {
	const longest = 1 << 12 // a greeting has a version's text and some 60 bytes
	payload, length, whole := mysqlPacket(data)
	if len(data) >= mysqlHeader && (length == 0 || length > longest) {
		return x.refuse(backend.CheckL7Invalid, "not a MySQL greeting")
	}
	if len(payload) > 0 && payload[0] != 9 && payload[0] != 10 && payload[0] != 0xff {
		return x.refuse(backend.CheckL7Invalid, "not a MySQL greeting")
	}
	switch {
	case whole && payload[0] == 0xff:
		return x.mysqlError(payload)
	case whole:
		version, _, _ := bytes.Cut(payload[1:], []byte{0})
		x.okText = string(version)
		return met
	case final:
		return x.refuse(backend.CheckL7Invalid, "")
	}
	return undecided
}

// judgeMySQLResult wants what follows a login: OK, or a wish for another way to authenticate. Only an ERR packet says no.
func judgeMySQLResult(x *exchange, data []byte, final bool) verdict {
	payload, _, whole := mysqlPacket(data)
	switch {
	case whole && len(payload) > 0 && payload[0] == 0xff:
		return x.mysqlError(payload)
	case whole:
		return met
	case final:
		return x.refuse(backend.CheckL7Invalid, "")
	}
	return undecided
}

// mysqlLogin is a handshake response without a password, and a COM_QUIT behind it, so that the server does not count the
// connection as aborted.
func mysqlLogin(user string, pre41 bool) []byte {
	const (
		protocol41       = 1 << 9
		secureConnection = 1 << 15
		largestPacket    = 1 << 24
		utf8             = 33
	)
	b := make([]byte, mysqlHeader, 64)
	if pre41 {
		b = binary.LittleEndian.AppendUint16(b, secureConnection)
		b = append(b, 0, 0, 1) // largest packet, in three bytes
	} else {
		b = binary.LittleEndian.AppendUint32(b, protocol41|secureConnection)
		b = binary.LittleEndian.AppendUint32(b, largestPacket)
		b = append(b, utf8)
		b = append(b, make([]byte, 23)...)
	}
	b = append(append(b, user...), 0, 0) // its end, and a password of no bytes
	length := len(b) - mysqlHeader
	b[0], b[1], b[2], b[3] = byte(length), byte(length>>8), byte(length>>16), 1
	return append(b, 1, 0, 0, 0, 1)
}
