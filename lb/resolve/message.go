package resolve

import (
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// maxAliases bounds a chain of CNAMEs.
const maxAliases = 16

// newQuestion packs a question that announces size bytes through EDNS0 (RFC 6891, 6.2.3). Its id is still zero.
func newQuestion(name string, kind uint16, size int) ([]byte, error) {
	m := new(dns.Msg)
	m.RecursionDesired = true
	m.Question = []dns.Question{{Name: name, Qtype: kind, Qclass: dns.ClassINET}}
	m.SetEdns0(uint16(size), false)
	return m.Pack()
}

// verdict is what an answer amounts to.
type verdict uint8

const (
	valid   verdict = iota
	cut             // ask again over TCP
	foreign         // not the answer to the question: dropped
	malformed
	noName
	refused
	noRecord // an answer without any record
	aliasError
	otherError
)

// contents is what a valid answer holds.
type contents struct {
	addrs    []netip.Addr
	services []*dns.SRV
	extra    map[string][]netip.Addr // additional records, by canonical name
	aliased  bool
}

// read judges an answer to the question for kind records of name (canonical).
func read(raw []byte, name string, kind uint16) (verdict, contents) {
	m := new(dns.Msg)
	if err := m.Unpack(raw); err != nil {
		// A name server may cut in the middle of a record: the header tells (RFC 2181, 9, has the client discard the rest).
		if m.Response && m.Truncated && repeats(m, name, kind) {
			return cut, contents{}
		}
		return malformed, contents{}
	}
	if !m.Response || m.Opcode != dns.OpcodeQuery || !repeats(m, name, kind) {
		return foreign, contents{}
	}
	if m.Truncated {
		return cut, contents{}
	}
	switch m.Rcode {
	case dns.RcodeSuccess:
	case dns.RcodeNameError:
		return noName, contents{}
	case dns.RcodeRefused:
		return refused, contents{}
	default:
		return otherError, contents{}
	}
	if len(m.Answer) == 0 {
		return noRecord, contents{}
	}
	return collect(m, name, kind)
}

func repeats(m *dns.Msg, name string, kind uint16) bool {
	return len(m.Question) == 1 && m.Question[0].Qtype == kind && m.Question[0].Qclass == dns.ClassINET &&
		dns.CanonicalName(m.Question[0].Name) == name
}

// collect follows the aliases from name and takes the records of the kind that stand at their end.
func collect(m *dns.Msg, name string, kind uint16) (verdict, contents) {
	var c contents
	aliases := make(map[string]string)
	for _, rr := range m.Answer {
		if alias, ok := rr.(*dns.CNAME); ok {
			aliases[dns.CanonicalName(alias.Hdr.Name)] = dns.CanonicalName(alias.Target)
		}
	}
	owner := name
	for range maxAliases {
		next, ok := aliases[owner]
		if !ok {
			break
		}
		owner, c.aliased = next, true
	}
	if _, more := aliases[owner]; more {
		return aliasError, c // a circle, or longer than anybody means
	}
	for _, rr := range m.Answer {
		if dns.CanonicalName(rr.Header().Name) != owner || rr.Header().Rrtype != kind || rr.Header().Class != dns.ClassINET {
			continue
		}
		if s, ok := rr.(*dns.SRV); ok && s.Target == "." {
			continue // "decidedly not available at this domain", RFC 2782
		} else if ok {
			c.services = append(c.services, s)
		} else if addr := address(rr); addr.IsValid() {
			c.addrs = append(c.addrs, addr)
		}
	}
	if len(c.addrs)+len(c.services) == 0 {
		if c.aliased {
			return aliasError, c
		}
		return otherError, c
	}
	if kind == dns.TypeSRV {
		c.extra = make(map[string][]netip.Addr)
		for _, rr := range m.Extra {
			if addr := address(rr); addr.IsValid() {
				host := dns.CanonicalName(rr.Header().Name)
				c.extra[host] = append(c.extra[host], addr)
			}
		}
	}
	return valid, c
}

// address is the one of an A or AAAA record; invalid for others.
func address(rr dns.RR) netip.Addr {
	var addr netip.Addr
	switch rr := rr.(type) {
	case *dns.A:
		addr, _ = netip.AddrFromSlice(rr.A)
	case *dns.AAAA:
		addr, _ = netip.AddrFromSlice(rr.AAAA)
		return addr // ::ffff:1.2.3.4 stays what it is
	}
	return addr.Unmap()
}

// display is a canonical name as configurations have it.
func display(name string) string { return strings.TrimSuffix(name, ".") }
