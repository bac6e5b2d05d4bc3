package check

import (
	"encoding/binary"
	"strings"

	"github.com/sluice-lb/sluice/lb/backend"
)

// PostgreSQL's frontend/backend protocol 3.0, https://www.postgresql.org/docs/current/protocol-message-formats.html.

// postgresStartup is a StartupMessage for a user.
func postgresStartup(user string) []byte {
	b := make([]byte, 4, 64)
	b = binary.BigEndian.AppendUint32(b, 3<<16)
	b = append(append(append(b, "user\x00"...), user...), 0, 0)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

// judgePostgres wants any AuthenticationRequest: the server works, whatever it thinks of the user. An ErrorResponse or
// anything else is refused.
func judgePostgres(x *exchange, data []byte, final bool) verdict {
	const shortest = 9 // a type, a length, and the kind of authentication
	const unknown = "PostgreSQL unknown error"
	if data[0] == 'E' {
		text, complete := postgresError(data)
		if !complete && !final {
			return undecided
		}
		return x.refuse(backend.CheckL7Invalid, text)
	}
	if data[0] != 'R' {
		return x.refuse(backend.CheckL7Failed, unknown)
	}
	if len(data) < shortest {
		if final {
			return x.refuse(backend.CheckL7Failed, unknown)
		}
		return undecided
	}
	if length := binary.BigEndian.Uint32(data[1:]); length < 8 || length > 1<<16 {
		return x.refuse(backend.CheckL7Failed, unknown)
	}
	x.okText = "PostgreSQL server is ok"
	return met
}

// postgresError words an ErrorResponse as severity and message. Before protocol 3, and for a server that does not speak 3, it
// is a text up to a zero byte.
func postgresError(data []byte) (text string, complete bool) {
	if len(data) < 5 {
		return "", false
	}
	length := binary.BigEndian.Uint32(data[1:])
	if length > 1<<16 || length < 4 {
		text, _, complete = strings.Cut(string(data[1:]), "\x00")
		return strings.TrimSpace(text), complete
	}
	body := data[5:]
	if complete = len(data) >= int(length)+1; complete {
		body = data[5 : length+1]
	}
	var severity, message string
	for field := range strings.SplitSeq(string(body), "\x00") {
		switch {
		case field == "":
		case field[0] == 'S':
			severity = field[1:]
		case field[0] == 'M':
			message = field[1:]
		}
	}
	if message != "" {
		severity += ": " + message
	}
	return severity, complete
}
