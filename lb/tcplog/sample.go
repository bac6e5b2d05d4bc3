package tcplog

import (
	"encoding/base64"
	"encoding/binary"
	base16 "encoding/hex"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// kind is the type of a sample.
type kind uint8

const (
	absent  kind = iota // there is nothing: "-"
	integer             // number
	boolean             // number, 0 or 1
	address             // addr
	text                // bytes
)

// sample is the value of an expression on its way through its converters. bytes lie in the scratch of the caller, or are its
// own to overwrite; they are valid until the line is done.
type sample struct {
	kind   kind
	number int64
	addr   netip.Addr
	bytes  []byte
}

// scratch is what formatting needs besides the line. A loop keeps one for all its lines; the zero value is ready.
type scratch struct {
	clock clockText
	bytes []byte // of samples
	inner []byte // a sample with its control characters encoded
	whole []byte // of a text within JSON
}

// string makes a sample of s, which is copied.
func (x *scratch) string(s string) sample {
	start := len(x.bytes)
	x.bytes = append(x.bytes, s...)
	return sample{kind: text, bytes: x.bytes[start:]}
}

func number(n int64) sample { return sample{kind: integer, number: n} }

func truth(b bool) sample {
	s := sample{kind: boolean}
	if b {
		s.number = 1
	}
	return s
}

// reached is a time in ms that is there only if it was reached.
func reached(ms int) sample {
	if ms < 0 {
		return sample{}
	}
	return number(int64(ms))
}

func addressOf(a netip.AddrPort) sample {
	if !a.IsValid() {
		return sample{}
	}
	return sample{kind: address, addr: a.Addr()}
}

func portOf(a netip.AddrPort) sample {
	if !a.IsValid() {
		return sample{}
	}
	return number(int64(a.Port()))
}

// fetch gives the sample that the expression begins with.
func (e *expression) fetch(r *Record, x *scratch) sample {
	switch e.source {
	case fetchSource:
		return addressOf(r.Client)
	case fetchSourcePort:
		return portOf(r.Client)
	case fetchDestination:
		return addressOf(r.FrontendAddr)
	case fetchDestinationPort:
		return portOf(r.FrontendAddr)
	case fetchBackendSource:
		return addressOf(r.BackendSource)
	case fetchBackendSourcePort:
		return portOf(r.BackendSource)
	case fetchBackendAddress:
		return addressOf(r.BackendAddr)
	case fetchBackendPort:
		return portOf(r.BackendAddr)
	case fetchReceivedProxy:
		return truth(r.ReceivedProxy)
	case fetchAuthority:
		return x.nonEmpty(r.Authority)
	case fetchCarriedID:
		return x.nonEmpty(r.CarriedID)

	case fetchFrontendName:
		return x.string(r.Frontend)
	case fetchFrontendID:
		return number(int64(r.FrontendID))
	case fetchDefaultBackend:
		return x.optional(r.DefaultBackend)
	case fetchBackendName:
		return x.string(r.Backend)
	case fetchBackendID:
		return number(int64(r.BackendID))
	case fetchServerName:
		return x.optional(r.Server)
	case fetchServerID:
		if r.Server == "" {
			return sample{}
		}
		return number(int64(r.ServerID))
	case fetchSocketName:
		return x.optional(r.ListenerName)
	case fetchSocketID:
		return number(int64(r.ListenerID))
	case fetchLoop:
		return number(int64(r.Loop))
	case fetchClass:
		return number(int64(r.Class))
	case fetchOffset:
		return number(int64(r.Offset))
	case fetchUniqueID:
		return x.optional(r.UniqueID)

	case fetchDate, fetchAcceptDate:
		moment := r.Now
		if e.source == fetchAcceptDate {
			moment = r.Accept
		}
		switch e.unit {
		case time.Millisecond:
			return number(moment.UnixMilli() + e.number)
		case time.Microsecond:
			return number(moment.UnixMicro() + e.number)
		}
		return number(moment.Unix() + e.number)
	case fetchMicrosecond:
		return number(int64(r.Now.Nanosecond() / 1000))
	case fetchRandom:
		n := int64(rand.Uint32())
		if e.number > 0 {
			n = n * e.number >> 32
		}
		return number(n)
	case fetchUUID:
		return x.uuid()
	case fetchHostname:
		return x.optional(hostname())
	case fetchPID:
		return number(int64(pid))
	case fetchInteger, fetchBoolean, fetchAddress:
		return sample{kind: e.kind, number: e.number, addr: e.addr}
	case fetchString:
		return x.optional(e.text)

	case fetchBytesIn:
		return number(int64(r.BytesIn))
	case fetchBytesOut:
		return number(int64(r.BytesOut))
	case fetchHandshakeTime:
		return reached(r.Handshake)
	case fetchQueueTime:
		return reached(r.Queue)
	case fetchConnectTime:
		return reached(r.Connect)
	case fetchTotalTime:
		return reached(r.Total)
	case fetchRetries:
		return number(int64(r.Retries))
	case fetchRedispatched:
		return truth(r.Redispatched)
	case fetchTermination:
		start := len(x.bytes)
		x.bytes = appendTermination(x.bytes, r)
		return sample{kind: text, bytes: x.bytes[start:]}
	case fetchConnections:
		return number(int64(r.ActConn))
	case fetchBackendQueue:
		return number(int64(r.BeQueue))
	case fetchServerQueue:
		return number(int64(r.SrvQueue))
	case fetchFinal:
		return truth(!r.LogASAP)
	case fetchError:
		return x.optional(r.Error)
	}
	return sample{}
}

// optional is absent if s is empty, as HAProxy has it for all empty strings.
func (x *scratch) optional(s string) sample {
	if s == "" {
		return sample{}
	}
	return x.string(s)
}

func (x *scratch) nonEmpty(b []byte) sample {
	if len(b) == 0 {
		return sample{}
	}
	start := len(x.bytes)
	x.bytes = append(x.bytes, b...)
	return sample{kind: text, bytes: x.bytes[start:]}
}

// uuid is a random one: version 4 of RFC 9562, 5.4.
func (x *scratch) uuid() sample {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], rand.Uint64())
	binary.BigEndian.PutUint64(b[8:], rand.Uint64())
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	start := len(x.bytes)
	for i, part := range [...][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if i > 0 {
			x.bytes = append(x.bytes, '-')
		}
		x.bytes = base16.AppendEncode(x.bytes, part)
	}
	return sample{kind: text, bytes: x.bytes[start:]}
}

// toText makes s a text; an absent one stays so.
func (x *scratch) toText(s sample) sample {
	start := len(x.bytes)
	switch s.kind {
	case integer, boolean:
		x.bytes = strconv.AppendInt(x.bytes, s.number, 10)
	case address:
		x.bytes = s.addr.AppendTo(x.bytes)
	default:
		return s
	}
	return sample{kind: text, bytes: x.bytes[start:]}
}

// toBinary makes s the bytes that "hex" and its like work on: a number is eight of them, the highest first.
func (x *scratch) toBinary(s sample) sample {
	start := len(x.bytes)
	switch s.kind {
	case integer, boolean:
		x.bytes = binary.BigEndian.AppendUint64(x.bytes, uint64(s.number))
	case address:
		if s.addr.Is4() {
			b := s.addr.As4()
			x.bytes = append(x.bytes, b[:]...)
		} else {
			b := s.addr.As16()
			x.bytes = append(x.bytes, b[:]...)
		}
	default:
		return s
	}
	return sample{kind: text, bytes: x.bytes[start:]}
}

// toNumber makes s an integer; what is none becomes absent.
func toNumber(s sample) sample {
	switch s.kind {
	case boolean:
		return number(s.number)
	case address:
		if s.addr.Is4() {
			b := s.addr.As4()
			return number(int64(binary.BigEndian.Uint32(b[:])))
		}
		return sample{}
	case text:
		n, ok := parseNumber(s.bytes)
		if !ok {
			return sample{}
		}
		return number(n)
	}
	return s
}

// parseNumber is strconv.ParseInt in base 10 without making a string.
func parseNumber(b []byte) (n int64, ok bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

// toAddress makes s an address; what is none becomes absent.
func toAddress(s sample) sample {
	switch s.kind {
	case integer:
		if s.number < 0 || s.number > math.MaxUint32 {
			return sample{}
		}
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(s.number))
		return sample{kind: address, addr: netip.AddrFrom4(b)}
	case text:
		a, err := netip.ParseAddr(string(s.bytes))
		if err != nil {
			return sample{}
		}
		return sample{kind: address, addr: a}
	case boolean:
		return sample{}
	}
	return s
}

// apply is one converter's step. What it cannot convert becomes absent, and stays so.
func (c *converter) apply(s sample, x *scratch) sample {
	switch c.action {
	case convertUpper, convertLower, convertLength, convertBytes, convertField, convertLeftTrim, convertRightTrim, convertConcat, convertHexNumber:
		s = x.toText(s)
	case convertHex, convertBase64:
		s = x.toBinary(s)
	case convertMask:
		s = toAddress(s)
	default:
		s = toNumber(s)
	}
	if s.kind == absent {
		return s
	}
	switch c.action {
	case convertUpper:
		for i, b := range s.bytes {
			if b >= 'a' && b <= 'z' {
				s.bytes[i] = b - 'a' + 'A'
			}
		}
	case convertLower:
		for i, b := range s.bytes {
			if b >= 'A' && b <= 'Z' {
				s.bytes[i] = b - 'A' + 'a'
			}
		}
	case convertLength:
		return number(int64(len(s.bytes)))
	case convertBytes:
		from := min(int(c.number), len(s.bytes))
		to := len(s.bytes)
		if c.second > 0 {
			to = min(to, from+int(c.second))
		}
		s.bytes = s.bytes[from:to]
	case convertField:
		return c.field(s)
	case convertLeftTrim:
		for len(s.bytes) > 0 && containsByte(c.text, s.bytes[0]) {
			s.bytes = s.bytes[1:]
		}
	case convertRightTrim:
		for n := len(s.bytes); n > 0 && containsByte(c.text, s.bytes[n-1]); n-- {
			s.bytes = s.bytes[:n-1]
		}
	case convertConcat:
		start := len(x.bytes)
		x.bytes = append(append(x.bytes, s.bytes...), c.text...)
		s.bytes = x.bytes[start:]
	case convertHex:
		start := len(x.bytes)
		x.bytes = slices.Grow(x.bytes, 2*len(s.bytes))
		x.bytes = appendHexBytes(x.bytes, s.bytes)
		s.bytes = x.bytes[start:]
	case convertBase64:
		start := len(x.bytes)
		x.bytes = base64.StdEncoding.AppendEncode(x.bytes, s.bytes)
		s.bytes = x.bytes[start:]
	case convertHexNumber:
		return hexNumber(s.bytes)
	case convertMask:
		return c.mask(s)
	case convertLocalTime, convertUTC, convertHTTPDate:
		t := time.Unix(s.number+c.number, 0)
		if c.action == convertLocalTime {
			t = t.Local()
		} else {
			t = t.UTC()
		}
		start := len(x.bytes)
		x.bytes = appendLayout(x.bytes, c.text, t)
		return sample{kind: text, bytes: x.bytes[start:]}
	case convertChoice:
		if s.number != 0 {
			return x.string(c.text)
		}
		return x.string(c.other)
	default:
		return c.calculate(s)
	}
	return s
}

func (c *converter) calculate(s sample) sample {
	n, by := s.number, c.number
	switch c.action {
	case convertBool:
		return truth(n != 0)
	case convertNot:
		return truth(n == 0)
	case convertEven:
		return truth(n&1 == 0)
	case convertOdd:
		return truth(n&1 != 0)
	case convertNegate:
		n = -n
	case convertComplement:
		n = ^n
	case convertAdd:
		n += by
	case convertSubtract:
		n -= by
	case convertMultiply:
		n *= by
	case convertDivide:
		if by == 0 { // HAProxy has it so
			n = math.MaxInt64
		} else {
			n /= by
		}
	case convertModulo:
		if by == 0 {
			n = 0
		} else {
			n %= by
		}
	case convertAnd:
		n &= by
	case convertOr:
		n |= by
	case convertXor:
		n ^= by
	}
	return number(n)
}

// field is the part with a number, counted from 1, or from the end where the number is negative, and with second more than one:
// 0 is all that follow.
func (c *converter) field(s sample) sample {
	b, want, backwards := s.bytes, int(c.number), c.number < 0
	if backwards {
		want = -want
	}
	count := int(c.second)
	if count == 0 {
		count = math.MaxInt32
	}
	from, to, seen, start := -1, -1, 0, 0
	if !backwards {
		for i := 0; i <= len(b); i++ {
			if i < len(b) && !containsByte(c.text, b[i]) {
				continue
			}
			seen++
			if seen == want {
				from = start
			}
			if seen >= want {
				to = i
				if seen-want+1 >= count {
					break
				}
			}
			start = i + 1
		}
	} else {
		end := len(b)
		for i := len(b) - 1; i >= -1; i-- {
			if i >= 0 && !containsByte(c.text, b[i]) {
				continue
			}
			seen++
			if seen == want {
				to = end
			}
			if seen >= want {
				from = i + 1
				if seen-want+1 >= count {
					break
				}
			}
			end = i
		}
	}
	if from < 0 || to < 0 {
		return sample{}
	}
	s.bytes = b[from:to]
	return s
}

func (c *converter) mask(s sample) sample {
	bits := int(c.number)
	if !s.addr.Is4() {
		bits = int(c.second)
	}
	prefix, err := s.addr.WithZone("").Prefix(bits)
	if err != nil {
		return sample{}
	}
	return sample{kind: address, addr: prefix.Addr()}
}

func hexNumber(b []byte) sample {
	var n int64
	if len(b) == 0 || len(b) > 16 {
		return sample{}
	}
	for _, c := range b {
		d := int64(0)
		switch {
		case c >= '0' && c <= '9':
			d = int64(c - '0')
		case c >= 'a' && c <= 'f':
			d = int64(c-'a') + 10
		case c >= 'A' && c <= 'F':
			d = int64(c-'A') + 10
		default:
			return sample{}
		}
		n = n<<4 | d
	}
	return number(n)
}

func containsByte(s string, c byte) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == c {
			return true
		}
	}
	return false
}

// eval gives the expression's value.
func (e *expression) eval(r *Record, x *scratch) sample {
	s := e.fetch(r, x)
	for i := range e.converters {
		s = e.converters[i].apply(s, x)
	}
	return s
}

// appendExpression appends the value as text. What a client may have put in, such as an authority, cannot break the line:
// control characters become #XX (manual 8.6).
func appendExpression(b []byte, p *part, r *Record, x *scratch) []byte {
	x.bytes = x.bytes[:0]
	s := x.toText(p.expression.eval(r, x))
	x.inner = appendEncoded(x.inner[:0], s.bytes)
	return appendString(b, p.flags, x.inner)
}

// appendEncoded appends text with its control characters as #XX.
func appendEncoded[T string | []byte](b []byte, text T) []byte {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7F {
			b = append(b, '#', hexDigits[c>>4], hexDigits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}
