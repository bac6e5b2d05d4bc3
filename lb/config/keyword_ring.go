package config

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// usualRing is the size of a ring in bytes of which none is given, as in HAProxy.
const usualRing = 16384

func (l *loader) openRing(line Line) {
	name := l.sectionName(line)
	l.ring = &Ring{Pos: line.Pos, Name: name, Size: usualRing}
	for _, other := range l.config.Rings {
		if name != "" && other.Name == name {
			l.alertAt(line.Pos, "ring '%s' has the same name as the one at %s:%d", name, other.Pos.File, other.Pos.Line)
			return
		}
	}
	l.config.Rings = append(l.config.Rings, l.ring)
}

// ringKeywords are those of ring sections.
func ringKeywords() []Keyword {
	timeout := func(name, summary string, at func(*Ring) *time.Duration) Keyword {
		t := func(t target) *time.Duration { return at(t.ring) }
		b := span(t, time.Millisecond, 0)
		return Keyword{Name: "timeout " + name, Sections: InRings, Syntax: "<time>", Unit: "ms", Default: "none", Summary: summary, Example: "timeout " + name + " 5s",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: positive(t, b.parse), print: b.print}}
	}
	size := bytesOf(func(t target) *int { return &t.ring.Size })
	return []Keyword{
		{Name: "description", Sections: InRings, Syntax: "<text>...", Default: "the ring's name", Summary: "A text for `show events`.", Example: "description the last hour",
			minimum: 1, maximum: -1, behaviour: sentence(func(t target) *string { return &t.ring.Description })},
		{Name: "format", Sections: InRings, Syntax: "<format>", Default: "that of the `log` line", Summary: "What stands before the text of a line, in the words of `log`. Takes the place of the `log` line's.", Example: "format rfc5424",
			minimum: 1, maximum: 1, behaviour: choice(func(t target) *string { return &t.ring.Format }, "", logFormats...)},
		{Name: "maxlen", Sections: InRings, Syntax: "<bytes>", Unit: "bytes", Default: "as much as the ring holds", Summary: "The longest line, with what stands before the text. The `len` of the `log` line counts too.", Example: "maxlen 1200",
			minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.ring.MaxLen }, 80, math.MaxInt32, 0)},
		{Name: "size", Sections: InRings, Syntax: "<size>", Unit: "bytes", Default: "16384", Summary: "Memory for the lines, at least 1024. The latest ones are kept.", Example: "size 1m",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: func(s *statement) {
				if n, ok := s.size(0); ok && n < 1024 {
					s.alert("expects at least 1024 bytes, not '%s'", s.text(0))
					return
				}
				size.parse(s)
			}, print: number(func(t target) *int { return &t.ring.Size }, 0, 0, usualRing).print}},
		{Name: "backing-file", Sections: InRings, Syntax: "<path>", Default: "none", Summary: "The lines lie in this file, where they stay when the process is gone: readable text, as [docs/logs.md](logs.md#rings) tells. A file that is there becomes `<path>.bak`.", Example: "backing-file /var/lib/sluice/ring",
			minimum: 1, maximum: 1, behaviour: text(func(t target) *string { return &t.ring.BackingFile })},
		timeout("connect", "Time to connect to a log server.", func(r *Ring) *time.Duration { return &r.TimeoutConnect }),
		timeout("server", "Time that a log server may take no bytes before its connection is given up.", func(r *Ring) *time.Duration { return &r.TimeoutServer }),
		{Name: "server", Sections: InRings, Syntax: "<name> <address>:<port> [log-proto <protocol>]", Summary: "A log server, to which all lines of the ring are sent over TCP. One that is slow holds nobody up: it loses the oldest lines, which are counted.",
			Example: "server logs1 10.0.0.14:6514 log-proto octet-count", minimum: 2, maximum: -1, behaviour: behaviour{parse: parseRingServer, print: printRingServers}},
		{Name: "log-proto", Sections: OnRingServer, Syntax: "legacy | octet-count", Default: "legacy", Summary: "How lines are told apart: by a line feed behind each, or by their length before them (RFC 6587).", Example: "log-proto octet-count",
			minimum: 1, behaviour: behaviour{parse: func(s *statement) {
				if word, ok := s.one(0, "legacy", "octet-count"); ok {
					s.log.OctetCount = word == "octet-count"
				}
			}, print: func(p *printer) {
				if p.log.OctetCount {
					p.write("octet-count")
				}
			}}},
	}
}

func parseRingServer(s *statement) {
	if !s.validName(s.text(0)) {
		return
	}
	for _, other := range s.ring.Servers {
		if other.Name == s.text(0) {
			s.alert("'%s' is already the name of the one at %s:%d", other.Name, other.Pos.File, other.Pos.Line)
			return
		}
	}
	a, ok := s.address(1, AddressOptions{AllowPort: true, RequirePort: true, AllowUnix: true})
	if !ok {
		return
	}
	server := RingServer{Pos: s.pos, Name: s.text(0), Address: a}
	o := *s
	o.log, o.place = &server, OnRingServer
	o.parseOptions(s.args[2:])
	s.ring.Servers = append(s.ring.Servers, server)
}

func printRingServers(p *printer) {
	key := p.key
	for i := range p.ring.Servers {
		server := &p.ring.Servers[i]
		p.key, p.log = key, server
		p.line(OnRingServer, Quote(server.Name), Quote(server.Address.String()))
	}
	p.log = nil
}

// resolveRing looks for a target's ring, whose own format goes before that of the target.
func (l *loader) resolveRing(t *LogTarget) {
	i := slices.IndexFunc(l.config.Rings, func(r *Ring) bool { return r.Name == t.Address })
	first := !slices.Contains(l.toldRings, t.Pos) // "log global" makes copies of a line
	l.toldRings = append(l.toldRings, t.Pos)
	if i < 0 && !first {
		return
	}
	if i < 0 {
		var known []string
		for _, r := range l.config.Rings {
			known = append(known, r.Name)
		}
		l.alertAt(t.Pos, "'log' names the ring '%s', and there is none%s", t.Address, didYouMean(t.Address, known))
		return
	}
	r := l.config.Rings[i]
	if r.Format == "" {
		return
	}
	if first && t.Format != "" && t.Format != r.Format {
		l.warnAt(t.Pos, "'log' has the format '%s', but that of ring '%s' counts: '%s'", t.Format, r.Name, r.Format)
	}
	t.Format = r.Format
}

// validateRings mends what does not fit.
func (l *loader) validateRings() {
	for _, r := range l.config.Rings {
		if r.MaxLen >= r.Size {
			l.warnAt(r.Pos, "ring '%s' : 'maxlen' %d does not fit into the size, and counts as %s", r.Name, r.MaxLen, strconv.Itoa(r.Size-1))
			r.MaxLen = 0
		}
	}
}
