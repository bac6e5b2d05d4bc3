package config

import (
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const onListeners = OnBind | OnStatsSocket | OnStatsListen

// bindKeywords are the options of "bind", "stats socket" and "stats listen" lines.
func bindKeywords() []Keyword {
	return []Keyword{
		{Name: "name", Sections: onListeners, Syntax: "<text>", Summary: "Name of the listener in statistics.", Example: "name public",
			minimum: 1, maximum: 1, behaviour: text(func(t target) *string { return &t.bind.Name })},
		{Name: "id", Sections: onListeners, Syntax: "<number>", Default: "the smallest that is free in the proxy", Summary: "Number of the listener. Only on a line that makes one listener.", Example: "id 3",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseBindID, print: number(func(t target) *int { return &t.bind.ID }, 1, maxID, 0).print}},
		{Name: "accept-proxy", Sections: OnBind, Default: "off", Summary: "Every connection begins with a PROXY header, version 1 or 2, that says who the client is.", Example: "accept-proxy",
			behaviour: toggle(func(t target) *bool { return &t.bind.AcceptProxy }, false)},
		{Name: "expect-proxy", Sections: OnBind, Syntax: "layer4", Default: "off", Summary: "Like `accept-proxy`.", Example: "expect-proxy layer4",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseExpectProxy, print: printExpectProxy}},
		{Name: "backlog", Sections: onListeners, Syntax: "<number>", Unit: "connections", Default: "the proxy's `backlog`", Summary: "Connections that the kernel holds before they are accepted.", Example: "backlog 1024",
			minimum: 1, maximum: 1, behaviour: count(func(t target) *int { return &t.bind.Backlog })},
		{Name: "maxconn", Sections: OnBind, Syntax: "<number>", Unit: "connections", Default: "the proxy's limit", Summary: "Connections that come through this listener at once.", Example: "maxconn 500",
			minimum: 1, maximum: 1, behaviour: count(func(t target) *int { return &t.bind.MaxConn })},
		{Name: "defer-accept", Sections: onListeners, Default: "off", Summary: "A connection is accepted once it brings data (TCP_DEFER_ACCEPT).", Example: "defer-accept",
			behaviour: toggle(func(t target) *bool { return &t.bind.DeferAccept }, false)},
		{Name: "interface", Sections: onListeners, Syntax: "<name>", Summary: "Only connections that arrive on this interface (SO_BINDTODEVICE).", Example: "interface eth0",
			minimum: 1, maximum: 1, behaviour: text(func(t target) *string { return &t.bind.Interface })},
		{Name: "mss", Sections: onListeners, Syntax: "<number>", Unit: "bytes", Default: "the system's", Summary: "Largest segment that clients are told of (TCP_MAXSEG); a negative number is taken off what they offer.", Example: "mss 1400",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseMSS, print: number(func(t target) *int { return &t.bind.MSS }, 0, 0, 0).print}},
		{Name: "nice", Sections: onListeners, Syntax: "<-1024..1024>", Default: "0", Summary: "Priority of the listener's connections. Loops here treat all alike.", Example: "nice 10",
			Effect: NoEffect, reason: "loops treat all connections alike", minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.bind.Nice }, -1024, 1024, 0)},
		{Name: "thread", Sections: OnBind, Syntax: "[1/]<thread-set>", Default: "all", Summary: "Loops that accept here: `all`, `odd`, `even`, `n`, `n-m` or `n-`. May be repeated.", Example: "thread 1-2",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseBindThread, print: printBindThread}},
		{Name: "process", Sections: OnBind, Syntax: "1[/<thread-set>]", Default: "all", Summary: "The old form of `thread`.", Example: "process 1/1-2",
			minimum: 1, maximum: 1, deprecated: "use 'thread'", behaviour: behaviour{parse: parseBindProcess}},
		{Name: "shards", Sections: OnBind, Syntax: "<number> | by-thread", Unit: "sockets", Default: "by-thread", Summary: "Listening sockets that the loops share; by default each has its own.", Example: "shards 2",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseShards, print: count(func(t target) *int { return &t.bind.Shards }).print}},
		{Name: "tcp-ut", Sections: onListeners, Syntax: "<time>", Unit: "ms", Default: "the system's", Summary: "Time for which data may stay unacknowledged by the client (TCP_USER_TIMEOUT).", Example: "tcp-ut 30s",
			minimum: 1, maximum: 1, behaviour: span(func(t target) *time.Duration { return &t.bind.UserTimeout }, time.Millisecond, 0)},
		{Name: "tfo", Sections: onListeners, Default: "off", Summary: "TCP Fast Open.", Example: "tfo",
			behaviour: toggle(func(t target) *bool { return &t.bind.FastOpen }, false)},
		{Name: "tos", Sections: onListeners, Syntax: "<number>", Default: "the system's", Summary: "Type of service of the packets to clients; decimal, or hexadecimal with 0x.", Example: "tos 0x10",
			minimum: 1, maximum: 1, behaviour: tos(func(t target) *int { return &t.bind.TOS })},
		{Name: "transparent", Sections: onListeners, Default: "off", Summary: "Binds to an address that is not this machine's (IP_TRANSPARENT).", Example: "transparent",
			behaviour: toggle(func(t target) *bool { return &t.bind.Transparent }, false)},
		{Name: "v4v6", Sections: onListeners, Default: "off", Summary: "An IPv6 wildcard takes IPv4 too.", Example: "v4v6",
			behaviour: toggle(func(t target) *bool { return &t.bind.V4V6 }, false)},
		{Name: "v6only", Sections: onListeners, Default: "off", Summary: "An IPv6 wildcard takes no IPv4.", Example: "v6only",
			behaviour: toggle(func(t target) *bool { return &t.bind.V6Only }, false)},
		{Name: "user", Sections: onListeners, Syntax: "<name>", Summary: "Owner of a unix socket.", Example: "user nobody",
			minimum: 1, maximum: 1, behaviour: text(func(t target) *string { return &t.bind.User })},
		{Name: "group", Sections: onListeners, Syntax: "<name>", Summary: "Group of a unix socket.", Example: "group nogroup",
			minimum: 1, maximum: 1, behaviour: text(func(t target) *string { return &t.bind.Group })},
		{Name: "uid", Sections: onListeners, Syntax: "<number>", Summary: "Owner of a unix socket, by number.", Example: "uid 65534",
			minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.bind.UID }, 0, math.MaxInt32, -1)},
		{Name: "gid", Sections: onListeners, Syntax: "<number>", Summary: "Group of a unix socket, by number.", Example: "gid 65534",
			minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.bind.GID }, 0, math.MaxInt32, -1)},
		{Name: "mode", Sections: onListeners, Syntax: "<octal>", Default: "what the umask leaves", Summary: "Permissions of a unix socket.", Example: "mode 660",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseSocketMode, print: printSocketMode}},
		{Name: "tcp-md5sig", Sections: onListeners, Syntax: "<key>", Summary: "Segments are signed with this key (RFC 2385, TCP_MD5SIG).", Example: "tcp-md5sig secret",
			minimum: 1, maximum: 1, behaviour: md5Key(func(t target) *string { return &t.bind.MD5Key })},
		{Name: "level", Sections: OnStatsSocket, Syntax: "user | operator | admin", Default: "operator", Summary: "What the operator may do.", Example: "level admin",
			minimum: 1, maximum: 1, behaviour: choice(func(t target) *string { return &t.socket.Level }, "operator", "user", "operator", "admin")},
		{Name: "expose-fd", Sections: OnStatsSocket, Syntax: "listeners", Default: "off", Summary: "A successor may fetch the listening sockets.", Example: "expose-fd listeners",
			Effect: Later, reason: "no successor asks for sockets yet", minimum: 1, maximum: 1, behaviour: behaviour{parse: parseExposeFD, print: printExposeFD}},
		{Name: "severity-output", Sections: OnStatsSocket, Syntax: "none | number | string", Default: "none", Summary: "How answers show their severity.", Example: "severity-output string",
			minimum: 1, maximum: 1, behaviour: choice(func(t target) *string { return &t.socket.SeverityOutput }, "none", "none", "number", "string")},
		{Name: "maxconn", Sections: OnStatsSocket, Syntax: "<number>", Unit: "connections", Summary: "For `bind` only.", Example: "maxconn 5",
			Effect: NoEffect, reason: "'stats maxconn' counts for all sockets", minimum: 1, maximum: 1, behaviour: ignored()},
		{Name: "thread", Sections: OnStatsSocket, Syntax: "[1/]<thread-set>", Summary: "For `bind` only.", Example: "thread 1",
			Effect: NoEffect, reason: offLoops, minimum: 1, maximum: 1, behaviour: ignored()},
		{Name: "process", Sections: OnStatsSocket, Syntax: "1[/<thread-set>]", Summary: "For `bind` only.", Example: "process 1",
			Effect: NoEffect, reason: offLoops, minimum: 1, maximum: 1, behaviour: ignored()},
		{Name: "shards", Sections: OnStatsSocket, Syntax: "<number> | by-thread", Summary: "For `bind` only.", Example: "shards 2",
			Effect: NoEffect, reason: offLoops, minimum: 1, maximum: 1, behaviour: ignored()},
		{Name: "level", Sections: OnBind, Syntax: "user | operator | admin", Summary: "For a stats socket only.", Example: "level admin",
			Effect: NoEffect, reason: onlyStats, minimum: 1, maximum: 1, behaviour: ignored()},
		{Name: "expose-fd", Sections: OnBind, Syntax: "listeners", Summary: "For a stats socket only.", Example: "expose-fd listeners",
			Effect: NoEffect, reason: onlyStats, minimum: 1, maximum: 1, behaviour: ignored()},
		{Name: "severity-output", Sections: OnBind, Syntax: "none | number | string", Summary: "For a stats socket only.", Example: "severity-output string",
			Effect: NoEffect, reason: onlyStats, minimum: 1, maximum: 1, behaviour: ignored()},
	}
}

const offLoops = "a stats socket is not served by the loops"

const onlyStats = "it is for a stats socket"

func parseBindID(s *statement) {
	if s.several {
		s.alert("needs a line that makes one listener, not several")
		return
	}
	if n, ok := s.number(0, 1, maxID); ok {
		s.bind.ID = n
	}
}

func parseExpectProxy(s *statement) {
	if _, ok := s.one(0, "layer4"); ok {
		s.bind.ExpectProxyL4 = true
	}
}

func printExpectProxy(p *printer) {
	if p.bind.ExpectProxyL4 {
		p.write("layer4")
	}
}

func parseMSS(s *statement) {
	n, ok := s.number(0, -65535, 65535)
	if ok && n == 0 {
		s.alert("expects a number that is not 0")
	} else if ok {
		s.bind.MSS = n
	}
}

// threads adds a set to the bind's.
func (s *statement) threads(text string) {
	set, all, ok := parseSet(text, 1, maxThreads)
	switch {
	case !ok:
		s.alert("expects a set of threads from 1 to %d, not '%s'", maxThreads, text)
	case all:
		s.bind.Threads = nil
	default:
		s.bind.Threads = union(s.bind.Threads, set)
	}
}

func parseBindThread(s *statement) {
	group, set, grouped := strings.Cut(s.text(0), "/")
	switch {
	case !grouped:
		s.threads(group)
	case group != "1":
		s.alert("names thread group '%s', but there is only group 1", group)
	default:
		s.threads(set)
	}
}

func printBindThread(p *printer) {
	set := p.bind.Threads
	if len(set) == 0 {
		return
	}
	for _, name := range []string{"odd", "even"} {
		if whole, _, _ := parseSet(name, 1, maxThreads); slices.Equal(set, whole) {
			p.write(name)
			return
		}
	}
	for _, part := range formatSets(set) {
		p.write(part)
	}
}

func parseBindProcess(s *statement) {
	process, set, threads := strings.Cut(s.text(0), "/")
	if processes, all, ok := parseSet(process, 1, 1); !ok || !all && !slices.Contains(processes, 1) {
		s.alert("names process '%s', but there is only process 1", process)
		return
	}
	if threads {
		s.threads(set)
	}
}

func parseShards(s *statement) {
	if s.text(0) == "by-thread" {
		s.bind.Shards = 0
	} else if n, ok := s.number(0, 1, maxThreads); ok {
		s.bind.Shards = n
	}
}

// tos fills a type of service; -1 is the system's.
func tos(at func(target) *int) behaviour {
	return behaviour{
		parse: func(s *statement) {
			n, err := strconv.ParseUint(s.text(0), 0, 8)
			if err != nil {
				s.alert("expects a number from 0 to 255 (0xff), not '%s'", s.text(0))
				return
			}
			*at(s.target()) = int(n)
		},
		print: func(p *printer) {
			if n := *at(p.target); n >= 0 {
				p.write(strconv.Itoa(n))
			}
		},
	}
}

// md5Key fills a key of RFC 2385; the kernel takes up to TCP_MD5SIG_MAXKEYLEN bytes (linux/tcp.h).
func md5Key(at func(target) *string) behaviour {
	b := text(at)
	return behaviour{
		parse: func(s *statement) {
			if len(s.text(0)) > 80 {
				s.alert("is longer than 80 bytes")
				return
			}
			b.parse(s)
		},
		print: b.print,
	}
}

func parseSocketMode(s *statement) {
	n, err := strconv.ParseUint(s.text(0), 8, 32)
	if err != nil || n == 0 || n > 0o777 {
		s.alert("expects permissions in octal, such as 660, not '%s'", s.text(0))
		return
	}
	s.bind.Mode = fs.FileMode(n)
}

func printSocketMode(p *printer) {
	if p.bind.Mode != 0 {
		p.write(strconv.FormatUint(uint64(p.bind.Mode), 8))
	}
}

func parseExposeFD(s *statement) {
	if _, ok := s.one(0, "listeners"); ok {
		s.socket.ExposeListeners = true
	}
}

func printExposeFD(p *printer) {
	if p.socket.ExposeListeners {
		p.write("listeners")
	}
}
