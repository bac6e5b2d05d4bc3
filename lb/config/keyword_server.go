package config

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serverKeywords are the options of "server", "server-template" and "default-server" lines.
func serverKeywords() []Keyword {
	list := []Keyword{
		{Name: "id", Sections: OnServer, Syntax: "<number>", Default: "the smallest that is free in the backend", Summary: "Number of the server, for statistics and the command line.", Example: "id 7",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseServerID, print: printServerID}},
		{Name: "guid", Sections: OnServer, Syntax: "<text>", Summary: "Name of the server that stays the same over time; unique among all proxies and servers.", Example: "guid db-1",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseServerGUID, print: text(func(t target) *string { return &t.server.GUID }).print}},
		{Name: "weight", Sections: onServers, Syntax: "<0..256>", Default: "1", Summary: "Share of the load, in relation to the other servers. 0: none.", Example: "weight 50",
			minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.server.Weight }, 0, 256, 1)},
		{Name: "maxconn", Sections: onServers, Syntax: "<number>", Unit: "connections", Default: "0 (no limit)", Summary: "Connections that the server gets at once; more wait.", Example: "maxconn 100",
			minimum: 1, maximum: 1, behaviour: count(func(t target) *int { return &t.server.MaxConn })},
		{Name: "minconn", Sections: onServers, Syntax: "<number>", Unit: "connections", Default: "`maxconn`", Summary: "The server's limit while its backend is idle; it grows to `maxconn` as the load reaches `fullconn`.", Example: "minconn 10",
			minimum: 1, maximum: 1, behaviour: count(func(t target) *int { return &t.server.MinConn })},
		{Name: "maxqueue", Sections: onServers, Syntax: "<number>", Unit: "connections", Default: "0 (no limit)", Summary: "Connections that may wait for this server; more go elsewhere.", Example: "maxqueue 50",
			minimum: 1, maximum: 1, behaviour: count(func(t target) *int { return &t.server.MaxQueue })},
		{Name: "backup", Sections: onServers, Default: "off", Summary: "Used only when all servers that are no backup are down.", Example: "backup",
			behaviour: toggle(func(t target) *bool { return &t.server.Backup }, false)},
		{Name: "no-backup", Sections: onServers, Summary: "Takes back `backup`.", Example: "no-backup", behaviour: off(func(t target) *bool { return &t.server.Backup })},
		{Name: "disabled", Sections: onServers, Default: "off", Summary: "The server starts in maintenance.", Example: "disabled",
			behaviour: toggle(func(t target) *bool { return &t.server.Disabled }, false)},
		{Name: "enabled", Sections: onServers, Summary: "Takes back `disabled`.", Example: "enabled", behaviour: off(func(t target) *bool { return &t.server.Disabled })},
		{Name: "source", Sections: onServers, Syntax: "<address>[:<port>[-<port>]] [usesrc { <address>[:<port>] | client | clientip }] [interface <name>]", Default: "the backend's `source`", Summary: "Address that connections to this server come from.", Example: "source 10.0.0.9:20000-30000",
			minimum: 1, maximum: -1, behaviour: behaviour{print: printServerSource}}, // parsed by options, since it is of any length
		{Name: "interface", Sections: onServers, Syntax: "<name>", Summary: "Connections leave by this interface (SO_BINDTODEVICE).", Example: "interface eth1",
			minimum: 1, maximum: 1, behaviour: text(func(t target) *string { return &t.server.Interface })},
		{Name: "tcp-ut", Sections: onServers, Syntax: "<time>", Unit: "ms", Default: "the system's", Summary: "Time for which data may stay unacknowledged by the server (TCP_USER_TIMEOUT).", Example: "tcp-ut 30s",
			minimum: 1, maximum: 1, behaviour: span(func(t target) *time.Duration { return &t.server.UserTimeout }, time.Millisecond, 0)},
		{Name: "tfo", Sections: onServers, Default: "off", Summary: "TCP Fast Open.", Example: "tfo", behaviour: toggle(func(t target) *bool { return &t.server.FastOpen }, false)},
		{Name: "no-tfo", Sections: onServers, Summary: "Takes back `tfo`.", Example: "no-tfo", behaviour: off(func(t target) *bool { return &t.server.FastOpen })},
		{Name: "tos", Sections: onServers, Syntax: "<number>", Default: "the system's", Summary: "Type of service of the packets to the server; decimal, or hexadecimal with 0x.", Example: "tos 0x10",
			minimum: 1, maximum: 1, behaviour: tos(func(t target) *int { return &t.server.TOS })},
		{Name: "tcp-md5sig", Sections: onServers, Syntax: "<key>", Summary: "Segments are signed with this key (RFC 2385, TCP_MD5SIG).", Example: "tcp-md5sig secret",
			minimum: 1, maximum: 1, behaviour: md5Key(func(t target) *string { return &t.server.MD5Key })},
		{Name: "socks4", Sections: onServers, Syntax: "<address>:<port>", Summary: "Connects through this SOCKS4 proxy.", Example: "socks4 10.0.0.9:1080",
			minimum: 1, maximum: 1, behaviour: addressOf(func(t target) **Address { return &t.server.Socks4 }, AddressOptions{AllowPort: true, RequirePort: true})},
		{Name: "send-proxy", Sections: onServers, Default: "off", Summary: "A PROXY header, version 1, tells the server who the client is.", Example: "send-proxy", behaviour: sendProxy(1)},
		{Name: "no-send-proxy", Sections: onServers, Summary: "Takes back `send-proxy`.", Example: "no-send-proxy", behaviour: noSendProxy(1)},
		{Name: "send-proxy-v2", Sections: onServers, Default: "off", Summary: "A PROXY header, version 2, tells the server who the client is.", Example: "send-proxy-v2", behaviour: sendProxy(2)},
		{Name: "no-send-proxy-v2", Sections: onServers, Summary: "Takes back `send-proxy-v2`.", Example: "no-send-proxy-v2", behaviour: noSendProxy(2)},
		{Name: "proxy-v2-options", Sections: onServers, Syntax: "crc32c | unique-id | authority [,...]", Summary: "What the version 2 header holds besides the addresses, where it is known.", Example: "proxy-v2-options crc32c,authority",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseProxyV2Options, print: printProxyV2Options}},
		{Name: "init-addr", Sections: onServers, Syntax: "last | libc | none | <address> [,...]", Default: "last,libc", Summary: "Where the address of a named server comes from at start; the first that is known counts.", Example: "init-addr libc,none",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseInitAddr, print: printInitAddr}},
		{Name: "init-state", Sections: onServers, Syntax: "up | down | fully-up | fully-down", Default: "up", Summary: "State of the server before its first health check.", Example: "init-state down",
			minimum: 1, maximum: 1, behaviour: choice(func(t target) *string { return &t.server.InitState }, "up", "up", "down", "fully-up", "fully-down")},
		{Name: "resolvers", Sections: onServers, Syntax: "<name>", Summary: "Section of name servers that are asked for the server's name while running. `default` is there without being written, and asks those of /etc/resolv.conf.", Example: "resolvers dns",
			minimum: 1, maximum: 1, behaviour: text(func(t target) *string { return &t.server.Resolvers })},
	}
	return slices.Concat(list, serverStateKeywords(), checkKeywords())
}

// checkKeywords are the options of a server that are about its health.
func checkKeywords() []Keyword {
	interval := func(name, standard, summary string, at func(target) *time.Duration, value time.Duration) Keyword {
		b := span(at, time.Millisecond, value)
		return Keyword{Name: name, Sections: onServers, Syntax: "<time>", Unit: "ms", Default: standard, Summary: summary, Example: name + " 5s",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: positive(at, b.parse), print: b.print}}
	}
	return []Keyword{
		{Name: "check", Sections: onServers, Default: "off", Summary: "The server's health is checked.", Example: "check",
			behaviour: toggle(func(t target) *bool { return &t.server.Check.Enabled }, false)},
		{Name: "no-check", Sections: onServers, Summary: "Takes back `check`.", Example: "no-check", behaviour: off(func(t target) *bool { return &t.server.Check.Enabled })},
		{Name: "addr", Sections: onServers, Syntax: "<address>", Default: "the server's", Summary: "Address that checks go to.", Example: "addr 10.0.1.1",
			minimum: 1, maximum: 1, behaviour: addressOf(func(t target) **Address { return &t.server.Check.Address }, AddressOptions{AllowPort: true, AllowUnix: true})},
		{Name: "port", Sections: onServers, Syntax: "<port>", Default: "the server's", Summary: "Port that checks go to.", Example: "port 8080",
			minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.server.Check.Port }, 0, 65535, 0)},
		interval("inter", "2s", "Time between checks.", func(t target) *time.Duration { return &t.server.Check.Inter }, 2*time.Second),
		interval("fastinter", "`inter`", "Time between checks while the state is changing.", func(t target) *time.Duration { return &t.server.Check.FastInter }, 0),
		interval("downinter", "`inter`", "Time between checks of a server that is down.", func(t target) *time.Duration { return &t.server.Check.DownInter }, 0),
		{Name: "rise", Sections: onServers, Syntax: "<number>", Unit: "checks", Default: "2", Summary: "Good checks that bring a server up.", Example: "rise 3",
			minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.server.Check.Rise }, 1, math.MaxInt32, 2)},
		{Name: "fall", Sections: onServers, Syntax: "<number>", Unit: "checks", Default: "3", Summary: "Bad checks that take a server down.", Example: "fall 2",
			minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.server.Check.Fall }, 1, math.MaxInt32, 3)},
		{Name: "check-send-proxy", Sections: onServers, Default: "as `send-proxy`, unless `addr` or `port` is set", Summary: "Checks begin with a PROXY header.", Example: "check-send-proxy",
			behaviour: toggle(func(t target) *bool { return &t.server.Check.SendProxy }, false)},
		{Name: "no-check-send-proxy", Sections: onServers, Summary: "Takes back `check-send-proxy`.", Example: "no-check-send-proxy", behaviour: off(func(t target) *bool { return &t.server.Check.SendProxy })},
		{Name: "check-via-socks4", Sections: onServers, Default: "off", Summary: "Checks go through the SOCKS4 proxy too.", Example: "check-via-socks4",
			behaviour: toggle(func(t target) *bool { return &t.server.Check.ViaSocks4 }, false)},
		{Name: "agent-check", Sections: onServers, Default: "off", Summary: "An agent on the server tells its state and weight.", Example: "agent-check",
			behaviour: toggle(func(t target) *bool { return &t.server.Check.Agent }, false)},
		{Name: "no-agent-check", Sections: onServers, Summary: "Takes back `agent-check`.", Example: "no-agent-check", behaviour: off(func(t target) *bool { return &t.server.Check.Agent })},
		{Name: "agent-port", Sections: onServers, Syntax: "<port>", Summary: "Port of the agent.", Example: "agent-port 8008",
			minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.server.Check.AgentPort }, 1, 65535, 0)},
		{Name: "agent-addr", Sections: onServers, Syntax: "<address>", Default: "the server's", Summary: "Address of the agent.", Example: "agent-addr 10.0.1.1",
			minimum: 1, maximum: 1, behaviour: addressOf(func(t target) **Address { return &t.server.Check.AgentAddr }, AddressOptions{})},
		{Name: "agent-send", Sections: onServers, Syntax: "<text>", Summary: "What is sent to the agent first.", Example: `agent-send "weight?\n"`,
			minimum: 1, maximum: 1, behaviour: text(func(t target) *string { return &t.server.Check.AgentSend })},
		interval("agent-inter", "2s", "Time between questions to the agent.", func(t target) *time.Duration { return &t.server.Check.AgentInter }, 2*time.Second),
		{Name: "track", Sections: onServers, Syntax: "[<proxy>/]<server>", Summary: "The server has the state of another one.", Example: "track web/web1",
			minimum: 1, maximum: 1, behaviour: text(func(t target) *string { return &t.server.Track })},
		{Name: "observe", Sections: onServers, Syntax: "layer4", Default: "off", Summary: "Failed connections of clients count as failed checks.", Example: "observe layer4",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseObserve, print: text(func(t target) *string { return &t.server.Observe }).print}},
		{Name: "error-limit", Sections: onServers, Syntax: "<number>", Unit: "errors", Default: "10", Summary: "Errors in a row that `on-error` waits for.", Example: "error-limit 5",
			minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.server.ErrorLimit }, 1, math.MaxInt32, 10)},
		{Name: "on-error", Sections: onServers, Syntax: "fastinter | fail-check | sudden-death | mark-down", Default: "fail-check", Summary: "What happens after `error-limit` observed errors.", Example: "on-error mark-down",
			minimum: 1, maximum: 1, behaviour: choice(func(t target) *string { return &t.server.OnError }, "fail-check", "fastinter", "fail-check", "sudden-death", "mark-down")},
		{Name: "on-marked-down", Sections: onServers, Syntax: "shutdown-sessions", Summary: "Connections to a server that goes down are closed.", Example: "on-marked-down shutdown-sessions",
			minimum: 1, maximum: 1, behaviour: choice(func(t target) *string { return &t.server.OnMarkedDown }, "", "shutdown-sessions")},
		{Name: "on-marked-up", Sections: onServers, Syntax: "shutdown-backup-sessions", Summary: "When the server comes up, connections to backup servers are closed.", Example: "on-marked-up shutdown-backup-sessions",
			minimum: 1, maximum: 1, behaviour: choice(func(t target) *string { return &t.server.OnMarkedUp }, "", "shutdown-backup-sessions")},
	}
}

// positive complains about an interval of 0. One below a millisecond is taken for a millisecond, as in HAProxy.
func positive(at func(target) *time.Duration, parse func(*statement)) func(*statement) {
	return func(s *statement) {
		before := *at(s.target())
		if d, err := ParseDuration(s.text(0), time.Millisecond); err == nil && d == 0 {
			s.alert("expects a time above 0, not '%s'", s.text(0))
			return
		}
		parse(s)
		if d := at(s.target()); *d != before {
			*d = max(*d, time.Millisecond)
		}
	}
}

func parseServerID(s *statement) {
	if s.several {
		s.warn("counts up from the number given, since the template makes several servers")
	}
	if n, ok := s.number(0, 1, maxID); ok {
		s.server.ID = n
	}
}

func printServerID(p *printer) {
	id := p.server.ID
	if p.server.Template != nil {
		id = p.server.Template.ID
	}
	if id != 0 {
		p.write(strconv.Itoa(id))
	}
}

func parseServerGUID(s *statement) {
	if s.several {
		s.alert("must be unique, but the template makes several servers")
		return
	}
	guid(func(t target) *string { return &t.server.GUID }).parse(s)
}

func printServerSource(p *printer) {
	if p.server.Source != nil {
		p.write(p.server.Source.words()...)
	}
}

// sendProxy and noSendProxy are about one version of the PROXY protocol; the last one named counts.
func sendProxy(version int) behaviour {
	return behaviour{
		parse: func(s *statement) { s.server.SendProxy = version },
		print: func(p *printer) {
			if p.server.SendProxy == version {
				p.write()
			}
		},
	}
}

func noSendProxy(version int) behaviour {
	return behaviour{parse: func(s *statement) {
		if s.server.SendProxy == version {
			s.server.SendProxy = 0
		}
	}}
}

func parseProxyV2Options(s *statement) {
	for _, option := range strings.Split(s.text(0), ",") {
		switch o := &s.server.ProxyV2; option {
		case "crc32c":
			o.CRC32C = true
		case "unique-id":
			o.UniqueID = true
		case "authority":
			o.Authority = true
		case "ssl", "cert-cn", "ssl-cipher", "cert-sig", "cert-key":
			s.alert("'%s' tells about TLS, and TLS termination is not something sluice does", option)
		default:
			s.alert("expects some of 'crc32c', 'unique-id', 'authority', not '%s'", option)
		}
	}
}

func printProxyV2Options(p *printer) {
	var list []string
	for _, option := range []struct {
		name string
		set  bool
	}{{"crc32c", p.server.ProxyV2.CRC32C}, {"unique-id", p.server.ProxyV2.UniqueID}, {"authority", p.server.ProxyV2.Authority}} {
		if option.set {
			list = append(list, option.name)
		}
	}
	if len(list) > 0 {
		p.write(strings.Join(list, ","))
	}
}

func parseInitAddr(s *statement) {
	var list []string
	for _, method := range strings.Split(s.text(0), ",") {
		if ip, err := netip.ParseAddr(method); err == nil && ip.Zone() == "" {
			method = ip.String()
		} else if !slices.Contains([]string{"last", "libc", "none"}, method) {
			s.alert("expects 'last', 'libc', 'none' or addresses, not '%s'", method)
			return
		}
		list = append(list, method)
	}
	s.server.InitAddr = list
}

func printInitAddr(p *printer) {
	if len(p.server.InitAddr) > 0 {
		p.write(strings.Join(p.server.InitAddr, ","))
	}
}

func parseObserve(s *statement) {
	if s.text(0) == "layer7" {
		s.alert("cannot be 'layer7', which looks into HTTP, and sluice balances TCP only")
	} else if _, ok := s.one(0, "layer4"); ok {
		s.server.Observe = "layer4"
	}
}

// atoi is for numbers that were checked before.
func atoi(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}
