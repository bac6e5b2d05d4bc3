package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serverStateKeywords are options of servers about names, and those that HAProxy does not have.
func serverStateKeywords() []Keyword {
	return []Keyword{
		{Name: "slowstart", Sections: onServers, Syntax: "<time> [on-new]", Unit: "ms", Default: "0 (off)", Summary: "Time in which a server that came back reaches its whole weight and `maxconn`. **Extension:** with `on-new` also a server that was never up before: at the start, and when a name gives it its first address.", Example: "slowstart 30s on-new",
			minimum: 1, maximum: 1, extent: slowStartExtent, behaviour: behaviour{parse: parseSlowStart, print: printSlowStart}},
		{Name: "damp", Sections: onServers, Syntax: "<changes> [within <time>] [for <time>] [up-to <time>]", Unit: "ms", Default: "0 (off); within 60s for 10s up-to 5m",
			Summary: "**Extension.** A server that changed between up and down this many times within a time flaps: it is kept down, whatever its checks say, for a while, and for twice as long when it flaps again before it has been quiet for the time of `within`, up to a limit.",
			Example: "damp 5 within 2m for 20s up-to 10m", minimum: 1, maximum: 1, extent: dampExtent, behaviour: behaviour{parse: parseDamp, print: printDamp}},
		{Name: "resolve-prefer", Sections: onServers, Syntax: "ipv4 | ipv6", Default: "ipv6", Summary: "Family of addresses that is taken where a name has both.", Example: "resolve-prefer ipv4",
			minimum: 1, maximum: 1, behaviour: choice(func(t target) *string { return &t.server.Resolve.Prefer }, "ipv6", "ipv4", "ipv6")},
		{Name: "resolve-net", Sections: onServers, Syntax: "<network>[,...]", Summary: "Networks, at most 5, whose addresses are taken first where a name has several.", Example: "resolve-net 10.0.0.0/8",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseResolveNet, print: printResolveNet}},
		{Name: "resolve-opts", Sections: onServers, Syntax: "allow-dup-ip | prevent-dup-ip | ignore-weight [,...]", Default: "prevent-dup-ip", Summary: "Whether servers of one name may have the same address, and whether the weight of an SRV record is left aside.", Example: "resolve-opts allow-dup-ip,ignore-weight",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseResolveOptions, print: printResolveOptions}},
	}
}

func slowStartExtent(words []Word) int {
	if len(words) > 1 && words[1].Text == "on-new" {
		return 2
	}
	return 1
}

func parseSlowStart(s *statement) {
	if d, ok := s.duration(0, time.Millisecond); ok {
		s.server.SlowStart, s.server.SlowStartOnNew = d, len(s.args) > 1 && d > 0
	}
}

func printSlowStart(p *printer) {
	switch s := p.server; {
	case s.SlowStartOnNew:
		p.write(FormatDuration(s.SlowStart), "on-new")
	case s.SlowStart > 0:
		p.write(FormatDuration(s.SlowStart))
	}
}

// dampWords are what may follow the number.
var dampWords = []string{"within", "for", "up-to"}

func dampExtent(words []Word) int {
	n := 1
	for n < len(words) && slices.Contains(dampWords, words[n].Text) {
		n = min(n+2, len(words))
	}
	return n
}

func parseDamp(s *statement) {
	n, ok := s.number(0, 0, 1000)
	if !ok {
		return
	}
	d := Damping{Changes: n, Window: time.Minute, Least: 10 * time.Second, Most: 5 * time.Minute}
	most := false
	for i := 1; i < len(s.args); i += 2 {
		if i+1 == len(s.args) {
			s.alert("'%s' needs an argument", s.text(i))
			return
		}
		span, ok := s.duration(i+1, time.Millisecond)
		if !ok {
			return
		}
		if span < time.Millisecond {
			s.alert("'%s' expects a time of at least 1ms, not '%s'", s.text(i), s.text(i+1))
			return
		}
		switch s.text(i) {
		case "within":
			d.Window = span
		case "for":
			d.Least = span
		case "up-to":
			d.Most, most = span, true
		}
	}
	switch {
	case n == 0:
		d = Damping{}
	case n == 1:
		s.alert("expects at least 2 changes: a server that goes down once does not flap")
		return
	case d.Most < d.Least && most:
		s.alert("cannot grow from %s up to %s, which is less", FormatDuration(d.Least), FormatDuration(d.Most))
		return
	case d.Most < d.Least:
		d.Most = d.Least
	}
	s.server.Damping = d
}

func printDamp(p *printer) {
	if d := p.server.Damping; d.Changes > 0 {
		p.write(strconv.Itoa(d.Changes), "within", FormatDuration(d.Window), "for", FormatDuration(d.Least), "up-to", FormatDuration(d.Most))
	}
}

// maxNetworks is HAProxy's limit.
const maxNetworks = 5

func parseResolveNet(s *statement) {
	var list []netip.Prefix
	for _, part := range strings.Split(s.text(0), ",") {
		n, ok := parseNetwork(part)
		if !ok {
			s.alert("expects networks such as 10.0.0.0/8, not '%s'", part)
			return
		}
		list = append(list, n)
	}
	if len(list) > maxNetworks {
		s.alert("has more than %d networks", maxNetworks)
		return
	}
	s.server.Resolve.Networks = list
}

// parseNetwork reads an address, with the length of its prefix or a mask.
func parseNetwork(text string) (netip.Prefix, bool) {
	address, mask, masked := strings.Cut(text, "/")
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Zone() != "" {
		return netip.Prefix{}, false
	}
	bits := ip.BitLen()
	if masked {
		var ok bool
		if bits, ok = maskBits(mask, bits); !ok {
			return netip.Prefix{}, false
		}
	}
	network, err := ip.Prefix(bits)
	return network, err == nil
}

func printResolveNet(p *printer) {
	var list []string
	for _, n := range p.server.Resolve.Networks {
		list = append(list, n.String())
	}
	if len(list) > 0 {
		p.write(strings.Join(list, ","))
	}
}

func parseResolveOptions(s *statement) {
	for _, option := range strings.Split(s.text(0), ",") {
		switch r := &s.server.Resolve; option {
		case "allow-dup-ip":
			r.AllowDup = true
		case "prevent-dup-ip":
			r.AllowDup = false
		case "ignore-weight":
			r.NoWeight = true
		default:
			s.unknownWord(option, "allow-dup-ip", "prevent-dup-ip", "ignore-weight")
		}
	}
}

func printResolveOptions(p *printer) {
	var list []string
	if p.server.Resolve.AllowDup {
		list = append(list, "allow-dup-ip")
	}
	if p.server.Resolve.NoWeight {
		list = append(list, "ignore-weight")
	}
	if len(list) > 0 {
		p.write(strings.Join(list, ","))
	}
}
