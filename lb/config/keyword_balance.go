package config

import (
	"net/netip"
	"strconv"
	"strings"
)

// balanceKeywords say how a server is chosen.
func balanceKeywords() []Keyword {
	return []Keyword{
		{Name: "balance", Sections: inBackends, Syntax: "roundrobin | static-rr | leastconn | first | source | random[(<draws>)] | hash <expression>", Default: "roundrobin",
			Summary: "How a server is chosen. The expression of `hash` begins with `src` or `src_port`; `,ipmask(<bits4>[,<bits6>])` may follow `src`.",
			Example: "balance hash src,ipmask(24,64)", maximum: 2, behaviour: behaviour{parse: parseBalance, print: printBalance}},
		{Name: "hash-type", Sections: inBackends, Syntax: "map-based | consistent | maglev [sdbm | djb2 | wt6 | crc32 | xxhash | none] [avalanche]", Default: "map-based sdbm",
			Summary: "How a hash becomes a server. `maglev` is an extension: even shares, and few moves when a server comes or goes.",
			Example: "hash-type consistent xxhash", minimum: 1, maximum: 3, behaviour: behaviour{parse: parseHashType, print: printHashType}},
		{Name: "hash-balance-factor", Sections: inBackends, Syntax: "<number>", Unit: "percent of the average load", Default: "0 (off)",
			Summary: "With a consistent hash, no server gets more than this share of the average. At least 100.", Example: "hash-balance-factor 150",
			minimum: 1, maximum: 1, negatable: false, behaviour: behaviour{parse: parseBalanceFactor, print: count(func(t target) *int { return &t.proxy.HashBalanceFactor }).print}},
	}
}

var algorithmNames = []string{RoundRobin: "roundrobin", StaticRR: "static-rr", LeastConn: "leastconn", First: "first", SourceHash: "source", Random: "random", Hash: "hash"}

// httpAlgorithms look into HTTP, or into RDP.
var otherAlgorithms = []string{"uri", "url_param", "hdr", "rdp-cookie", "log-hash", "sticky"}

func parseBalance(s *statement) {
	name, argument, called := strings.Cut(s.text(0), "(")
	b := Balance{Draws: 2, Mask4: 32, Mask6: 128}
	defer func() { s.proxy.Balance = b }()
	if len(s.args) == 0 {
		return
	}
	for _, other := range otherAlgorithms {
		if name == other {
			s.alert("cannot be '%s', which is known to HAProxy but not supported by sluice, which balances TCP only", name)
			return
		}
	}
	found := false
	for i, known := range algorithmNames {
		if name == known {
			b.Algorithm, found = Algorithm(i), true
		}
	}
	if !found || called && b.Algorithm != Random {
		s.alert("expects one of %s, not '%s'%s", quoteAll(algorithmNames), s.text(0), didYouMean(s.text(0), algorithmNames))
		return
	}
	if called {
		draws, err := strconv.ParseUint(strings.TrimSuffix(argument, ")"), 10, 20)
		if err != nil || draws == 0 || !strings.HasSuffix(argument, ")") {
			s.alert("expects random(<draws>) with at least one draw, not '%s'", s.text(0))
			return
		}
		b.Draws = int(draws)
	}
	switch hash := b.Algorithm == Hash; {
	case hash && len(s.args) < 2:
		s.alert("hash needs an expression, such as 'src'")
	case !hash && len(s.args) > 1:
		s.alert("has an unexpected argument '%s' after '%s'", s.text(1), s.text(0))
	case hash:
		if err := b.parseExpression(s.text(1)); err != "" {
			s.alert("hash: %s", err)
		}
	}
}

// parseExpression reads "src", "src_port" or "src,ipmask(24,64)". The result is a complaint, empty where there is none.
// HAProxy finds no key for an IPv6 source where the second mask is missing; here all of the address counts then.
func (b *Balance) parseExpression(text string) string {
	b.Expr = text
	parts := splitCalls(text)
	switch parts[0] {
	case "src":
	case "src_port":
		b.WithPort, b.Mask4, b.Mask6 = true, 0, 0
	default:
		return "'" + parts[0] + "' is not yet supported by sluice, only 'src' and 'src_port' are"
	}
	for _, part := range parts[1:] {
		arguments, opened := strings.CutPrefix(part, "ipmask(")
		arguments, closed := strings.CutSuffix(arguments, ")")
		if !opened || !closed {
			return "'" + part + "' is not yet supported by sluice, only 'ipmask(<bits4>[,<bits6>])' is"
		}
		if b.WithPort {
			return "'ipmask' needs an address, and 'src_port' is a number"
		}
		four, six, both := strings.Cut(arguments, ",")
		bits4, ok4 := maskBits(four, 32)
		bits6, ok6 := 128, true
		if both {
			bits6, ok6 = maskBits(six, 128)
		}
		if !ok4 || !ok6 {
			return "'" + part + "' needs a number of bits up to 32 for IPv4, and up to 128 for IPv6"
		}
		b.Mask4, b.Mask6 = min(b.Mask4, bits4), min(b.Mask6, bits6)
	}
	return ""
}

// splitCalls splits at the commas that stand outside parentheses.
func splitCalls(text string) []string {
	var parts []string
	depth, start := 0, 0
	for i, c := range text {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

// maskBits reads a number of bits, or a mask in dotted form without holes.
func maskBits(text string, width int) (int, bool) {
	if n, err := strconv.ParseUint(text, 10, 16); err == nil {
		return int(n), int(n) <= width
	}
	mask, err := netip.ParseAddr(text)
	if err != nil || mask.BitLen() != width || mask.Zone() != "" {
		return 0, false
	}
	bits, ended := 0, false
	for _, octet := range mask.AsSlice() {
		for bit := 7; bit >= 0; bit-- {
			set := octet>>bit&1 == 1
			if set && ended {
				return 0, false
			}
			if set {
				bits++
			} else {
				ended = true
			}
		}
	}
	return bits, true
}

func printBalance(p *printer) {
	b := p.proxy.Balance
	if p.proxy.Kind&Backend == 0 {
		return
	}
	switch name := algorithmNames[b.Algorithm]; {
	case b.Algorithm == Hash:
		p.write(name, b.Expr)
	case b.Algorithm == Random && b.Draws != 2:
		p.write(name + "(" + strconv.Itoa(b.Draws) + ")")
	default:
		p.write(name)
	}
}

var (
	methodNames   = []string{MapBased: "map-based", Consistent: "consistent", Maglev: "maglev"}
	functionNames = []string{SDBM: "sdbm", DJB2: "djb2", WT6: "wt6", CRC32: "crc32", XXHash: "xxhash", NoHash: "none"}
)

func parseHashType(s *statement) {
	var t HashType
	method, ok := s.one(0, methodNames...)
	if !ok {
		return
	}
	for i, name := range methodNames {
		if name == method {
			t.Method = HashMethod(i)
		}
	}
	rest := s.args[1:]
	if len(rest) > 0 {
		function, ok := s.one(1, functionNames...)
		if !ok {
			return
		}
		for i, name := range functionNames {
			if name == function {
				t.Function = HashFunction(i)
			}
		}
		rest = rest[1:]
	}
	if len(rest) > 0 && rest[0].Text == "avalanche" {
		t.Avalanche, rest = true, rest[1:]
	}
	if len(rest) > 0 {
		s.alert("has an unexpected argument '%s'; the only modifier is 'avalanche'", rest[0].Text)
		return
	}
	s.proxy.HashType = t
}

func printHashType(p *printer) {
	t := p.proxy.HashType
	if t == (HashType{}) {
		return
	}
	words := []string{methodNames[t.Method], functionNames[t.Function]}
	if t.Avalanche {
		words = append(words, "avalanche")
	}
	p.write(words...)
}

func parseBalanceFactor(s *statement) {
	n, ok := s.number(0, 0, 1<<16-1)
	if !ok {
		return
	}
	if n != 0 && n <= 100 {
		s.alert("expects 0 (off) or a number above 100, not '%s'", s.text(0))
		return
	}
	s.proxy.HashBalanceFactor = n
}
