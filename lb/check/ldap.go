package check

import (
	"github.com/sluice-lb/sluice/lb/backend"
)

// LDAP, RFC 4511, in BER: a tag, a length, the content.

// ldapBind is message 1: an anonymous simple bind of version 3 (4.2).
var ldapBind = []byte{
	0x30, 12, // LDAPMessage
	0x02, 1, 1, // messageID
	0x60, 7, // bindRequest
	0x02, 1, 3, // version
	0x04, 0, // name
	0x80, 0, // simple: no password
}

const (
	berInteger    = 0x02
	berEnumerated = 0x0a
	berSequence   = 0x30
	bindResponse  = 0x61
)

// berHeader reads a tag and a length, which may be in the long form; short: more bytes are needed.
func berHeader(data []byte, tag byte) (content []byte, ok, short bool) {
	if len(data) == 0 {
		return nil, false, true
	}
	if data[0] != tag {
		return nil, false, false
	}
	if len(data) < 2 {
		return nil, false, true
	}
	skip := 2
	if data[1]&0x80 != 0 {
		skip += int(data[1] & 0x7f)
		if skip > 6 {
			return nil, false, false
		}
	}
	if len(data) < skip {
		return nil, false, true
	}
	return data[skip:], true, false
}

// judgeLDAP wants a bindResponse to message 1 with the resultCode success.
func judgeLDAP(x *exchange, data []byte, final bool) verdict {
	content, ok, short := berHeader(data, berSequence)
	if ok {
		content, ok, short = berHeader(content, berInteger)
	}
	if ok {
		if len(content) > 0 && content[0] != 1 {
			ok = false
		} else if len(content) == 0 {
			ok, short = false, true
		} else {
			content, ok, short = berHeader(content[1:], bindResponse)
		}
	}
	if ok {
		content, ok, short = berHeader(content, berEnumerated)
	}
	if ok && len(content) == 0 {
		ok, short = false, true
	}
	switch {
	case short && !final:
		return undecided
	case short:
		return x.refuse(backend.CheckL7Invalid, "")
	case !ok:
		return x.refuse(backend.CheckL7Invalid, "Not LDAPv3 protocol")
	case content[0] != 0:
		x.result.Code = int(content[0])
		return x.refuse(backend.CheckL7Failed, "See RFC: http://tools.ietf.org/html/rfc4511#section-4.1.9")
	}
	x.okText = "Success" // as in HAProxy's log
	return met
}
