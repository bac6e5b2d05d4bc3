package tcplog

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// jsonField is a field with a fixed name.
type jsonField struct {
	name string
	part part
}

func fieldOf(v variable) part { return part{variable: v, flags: asJSON} }
func fieldFrom(s source) part {
	return part{variable: sampled, flags: asJSON, expression: &expression{source: s}}
}

// jsonFields are the fields of a flow. None of them costs a system call. The names are a promise: docs/logs.md has them.
var jsonFields = []jsonField{
	{"time", fieldOf(isoDate)}, {"type", part{variable: literal, text: `"flow"`}}, {"frontend", fieldOf(frontendName)}, {"bind", fieldOf(listenerName)},
	{"client_ip", fieldOf(clientIP)}, {"client_port", fieldOf(clientPort)}, {"backend", fieldOf(backendName)}, {"server", fieldOf(serverName)},
	{"server_ip", fieldOf(serverIP)}, {"server_port", fieldOf(serverPort)},
	{"handshake_ms", fieldOf(handshakeTime)}, {"queue_ms", fieldOf(queueTime)}, {"connect_ms", fieldOf(connectTime)}, {"data_ms", fieldOf(dataTime)},
	{"total_ms", fieldOf(totalTime)}, {"bytes_in", fieldOf(bytesIn)}, {"bytes_out", fieldOf(bytesOut)}, {"termination", fieldOf(termination)},
	{"process_connections", fieldOf(connections)}, {"frontend_connections", fieldOf(frontendConns)}, {"backend_connections", fieldOf(backendConns)},
	{"server_connections", fieldOf(serverConns)}, {"server_queue", fieldOf(serverQueue)}, {"backend_queue", fieldOf(backendQueue)},
	{"retries", fieldOf(retries)}, {"redispatched", fieldFrom(fetchRedispatched)}, {"final", fieldFrom(fetchFinal)},
}

// The built-in formats in JSON. JSONError is for a connection that failed before it became a flow.
var (
	JSON      = jsonFormat(jsonFields)
	JSONError = jsonFormat([]jsonField{
		jsonFields[0], {"type", part{variable: literal, text: `"error"`}}, jsonFields[2], jsonFields[3], jsonFields[4], jsonFields[5],
		{"total_ms", fieldOf(totalTime)}, {"error", fieldFrom(fetchError)},
	})
)

func jsonFormat(fields []jsonField) *Format {
	f := &Format{}
	between := "{"
	for _, field := range fields {
		name := string(appendJSONString(nil, field.name))
		f.add(part{variable: literal, text: between + name + ":"})
		f.add(field.part)
		between = ","
	}
	f.add(part{variable: literal, text: "}"})
	return f
}

// ParseJSON makes the format of "log-format-json": without items, JSON. An item is the name of a built-in field, or name=format
// with a log-format string: one variable or sample alone is a number, true, false or null where it is that, everything else is
// a string. Errors name the item.
func ParseJSON(items []string, env Environment) (*Format, error) {
	if len(items) == 0 {
		return JSON, nil
	}
	var fields []jsonField
	for _, item := range items {
		name, format, own := strings.Cut(item, "=")
		if slices.ContainsFunc(fields, func(f jsonField) bool { return f.name == name }) {
			return nil, fmt.Errorf("there are two fields named '%s'", name)
		}
		if !own {
			i := slices.IndexFunc(jsonFields, func(f jsonField) bool { return f.name == name })
			if i < 0 {
				var known []string
				for _, f := range jsonFields {
					known = append(known, f.name)
				}
				return nil, fmt.Errorf("there is no field '%s' of its own; known: %s; others are written <name>=<format>, such as id=%%ID", name, strings.Join(known, " "))
			}
			fields = append(fields, jsonFields[i])
			continue
		}
		if name == "" || format == "" {
			return nil, fmt.Errorf("'%s' is not <name>=<format>", item)
		}
		f, err := ParseFormat(format, env)
		if err != nil {
			return nil, fmt.Errorf("field '%s': %w", name, err)
		}
		value := part{variable: innerText, flags: asJSON, inner: f}
		if len(f.parts) == 1 && f.parts[0].variable != literal && f.parts[0].variable != space {
			value = f.parts[0]
			value.flags = value.flags&hex | asJSON
		}
		fields = append(fields, jsonField{name, value})
	}
	return jsonFormat(fields), nil
}

// appendJSONValue appends a variable's value: a number as a number, what is absent as null, and the rest as a string.
func appendJSONValue(b []byte, p *part, r *Record, x *scratch) []byte {
	if p.flags&hex != 0 && p.variable != sampled {
		return appendQuotedVariable(b, p, r, x)
	}
	switch p.variable {
	case sampled:
		x.bytes = x.bytes[:0]
		return appendJSONSample(b, p.expression.eval(r, x), x)
	case innerText:
		x.whole = p.inner.append(x.whole[:0], r, x)
		return appendJSONString(b, x.whole)

	case clientIP, frontendIP, backendIP, serverIP:
		if a, unix := p.address(r); !unix && !a.IsValid() {
			return append(b, "null"...)
		}
		return appendQuotedVariable(b, p, r, x)
	case clientPort, frontendPort, backendPort, serverPort:
		a, unix := p.address(r)
		if unix || !a.IsValid() {
			return append(b, "null"...)
		}
		return strconv.AppendUint(b, uint64(a.Port()), 10)

	case frontendName:
		return appendJSONName(b, r.Frontend)
	case backendName:
		return appendJSONName(b, r.Backend)
	case serverName:
		return appendJSONName(b, r.Server)
	case hostName:
		return appendJSONName(b, hostname())
	case uniqueID:
		return appendJSONName(b, r.UniqueID)
	case listenerName:
		if r.ListenerName == "" {
			return append(strconv.AppendInt(append(b, '"'), int64(r.ListenerID), 10), '"')
		}
		return appendJSONString(b, r.ListenerName)
	case none, empty:
		return append(b, "null"...)
	case isoDate:
		x.clock.update(r.Accept)
		b = append(append(append(b, '"'), x.clock.iso[:]...), '.')
		b = appendPadded(b, x.clock.nanosecond/1e6, 3)
		return append(append(b, x.clock.isoZone[:]...), '"')

	case handshakeTime:
		return appendReached(b, r.Handshake)
	case queueTime:
		return appendReached(b, r.Queue)
	case connectTime:
		return appendReached(b, r.Connect)
	case dataTime:
		return appendReached(b, r.dataTime())
	case totalTime: // without the signs that more is to come
		return strconv.AppendInt(b, int64(r.Total), 10)
	case bytesOut:
		return strconv.AppendUint(b, r.BytesOut, 10)
	case retries:
		return strconv.AppendInt(b, int64(r.Retries), 10)
	case millisecond: // without zeros before it
		return strconv.AppendInt(b, int64(r.Accept.Nanosecond()/1e6), 10)
	case bytesIn, timestamp, connections, frontendConns, backendConns, serverConns, serverQueue, backendQueue, httpStatus, requestCounter, logCounter, processID:
		return appendVariable(b, p, r, x)
	}
	return appendQuotedVariable(b, p, r, x)
}

// address is the one that an address's or port's variable is about.
func (p *part) address(r *Record) (a netip.AddrPort, unix bool) {
	switch p.variable {
	case clientIP, clientPort:
		return r.Client, r.ClientUnix
	case frontendIP, frontendPort:
		return r.FrontendAddr, r.ClientUnix
	case backendIP, backendPort:
		return r.BackendSource, r.BackendUnix
	}
	return r.BackendAddr, r.BackendUnix
}

// appendQuotedVariable appends the text that the variable has in a line, as a string. What this is used for has no character
// that would have to be escaped.
func appendQuotedVariable(b []byte, p *part, r *Record, x *scratch) []byte {
	return append(appendVariable(append(b, '"'), p, r, x), '"')
}

func appendJSONSample(b []byte, s sample, x *scratch) []byte {
	switch s.kind {
	case absent:
		return append(b, "null"...)
	case integer:
		return strconv.AppendInt(b, s.number, 10)
	case boolean:
		return strconv.AppendBool(b, s.number != 0)
	}
	return appendJSONString(b, x.toText(s).bytes)
}

func appendJSONName(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendJSONString(b, s)
}

func appendReached(b []byte, ms int) []byte {
	if ms < 0 {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, int64(ms), 10)
}

// appendJSONString appends s in quotes (RFC 8259, 7). A byte that is no UTF-8 becomes the replacement character.
func appendJSONString[T string | []byte](b []byte, s T) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c == 0x7F:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			var next [utf8.UTFMax]byte
			n := copy(next[:], s[i:])
			r, size := utf8.DecodeRune(next[:n])
			if r == utf8.RuneError && size == 1 {
				b = append(b, `\uFFFD`...)
			} else {
				b = append(b, next[:size]...)
			}
			i += size
			continue
		}
		i++
	}
	return append(b, '"')
}

// appendJSONMessage appends a message of the process as an object.
func appendJSONMessage[T string | []byte](b []byte, now time.Time, level Level, proxy string, message T) []byte {
	b = now.AppendFormat(append(b, `{"time":"`...), "2006-01-02T15:04:05.000-07:00")
	b = append(append(b, `","type":"message","level":"`...), level.String()...)
	b = append(b, `","proxy":`...)
	b = appendJSONName(b, proxy)
	b = appendJSONString(append(b, `,"message":`...), message)
	return append(b, '}')
}
