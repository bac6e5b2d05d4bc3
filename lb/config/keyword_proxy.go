package config

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// proxyKeywords are those of proxies that are no family of their own.
func proxyKeywords() []Keyword {
	return []Keyword{
		{Name: "mode", Sections: inProxies, Syntax: "tcp | http", Default: "tcp", Summary: "What is balanced: TCP connections. `http` is for [statistics listeners](#statistics-listeners) only.", Example: "mode tcp",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseMode}},
		{Name: "id", Sections: inRuns, Syntax: "<number>", Default: "the smallest that is free", Summary: "Number of the proxy, for statistics and the command line. No two may be equal.", Example: "id 7",
			minimum: 1, maximum: 1, strict: true, behaviour: number(func(t target) *int { return &t.proxy.ID }, 1, maxID, 0)},
		{Name: "guid", Sections: inRuns, Syntax: "<text>", Summary: "Name of the proxy that stays the same over time; unique among all proxies and servers.", Example: "guid shop-front",
			minimum: 1, maximum: 1, strict: true, behaviour: guid(func(t target) *string { return &t.proxy.GUID })},
		{Name: "description", Sections: inRuns, Syntax: "<text>...", Summary: "A text for whoever reads the statistics.", Example: "description the shop",
			minimum: 1, maximum: -1, strict: true, behaviour: sentence(func(t target) *string { return &t.proxy.Description })},
		{Name: "disabled", Sections: inProxies, Summary: "The proxy is read but not started.", Example: "disabled",
			behaviour: toggle(func(t target) *bool { return &t.proxy.Disabled }, false)},
		{Name: "enabled", Sections: inProxies, Summary: "Takes back a `disabled` of the defaults.", Example: "enabled",
			behaviour: off(func(t target) *bool { return &t.proxy.Disabled })},
		{Name: "maxconn", Sections: inFrontends, Syntax: "<number>", Unit: "connections", Default: "the process's limit", Summary: "Connections that the frontend carries at once; more wait in the kernel's backlog.", Example: "maxconn 2000",
			minimum: 1, maximum: 1, behaviour: count(func(t target) *int { return &t.proxy.MaxConn })},
		{Name: "backlog", Sections: inFrontends, Syntax: "<number>", Unit: "connections", Default: "`maxconn`", Summary: "Connections that the kernel holds before they are accepted.", Example: "backlog 1024",
			minimum: 1, maximum: 1, behaviour: count(func(t target) *int { return &t.proxy.Backlog })},
		{Name: "rate-limit sessions", Sections: inFrontends, Syntax: "<number>", Unit: "connections per second", Default: "none", Summary: "Connections accepted per second; more wait in the kernel's backlog.", Example: "rate-limit sessions 100",
			minimum: 1, maximum: 1, behaviour: count(func(t target) *int { return &t.proxy.RateLimitSessions })},
		{Name: "default_backend", Sections: inFrontends, Syntax: "<name>", Summary: "Backend of connections that no `use_backend` sends elsewhere.", Example: "default_backend origin",
			minimum: 1, maximum: 1, behaviour: text(func(t target) *string { return &t.proxy.DefaultBackend })},
		{Name: "use_backend", Sections: InFrontend | InListen, Syntax: "<name>", Summary: "Backend of the connections that come here. Without a condition, the first one takes all.", Example: "use_backend origin",
			minimum: 1, maximum: -1, behaviour: behaviour{parse: parseUseBackend, print: printUseBackend}},
		{Name: "fullconn", Sections: inBackends, Syntax: "<number>", Unit: "connections", Default: "10 % of the `maxconn` of all frontends that lead here", Summary: "Load of the backend at which servers with a `minconn` reach their `maxconn`.", Example: "fullconn 500",
			minimum: 1, maximum: 1, behaviour: count(func(t target) *int { return &t.proxy.FullConn })},
		{Name: "retries", Sections: inBackends, Syntax: "<number>", Unit: "attempts", Default: "3", Summary: "Attempts to connect after the first one has failed.", Example: "retries 2",
			minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.proxy.Retries }, 0, maxID, 3)},
		{Name: "source", Sections: inBackends, Syntax: "<address>[:<port>] [usesrc { <address>[:<port>] | client | clientip }] [interface <name>]", Default: "chosen by the kernel", Summary: "Address that connections to servers come from. With `usesrc clientip` that is the client's.", Example: "source 0.0.0.0 usesrc clientip",
			minimum: 1, maximum: -1, behaviour: behaviour{parse: parseProxySource, print: printProxySource}},
		{Name: "dispatch", Sections: InListen | InBackend, Syntax: "<address>:<port>", Summary: "Where connections go, instead of to servers.", Example: "dispatch 10.0.0.1:80",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseDispatch, print: printDispatch}},
	}
}

// maxID bounds identifiers, as HAProxy does.
const maxID = 1<<31 - 1

func parseMode(s *statement) {
	switch s.text(0) {
	case "tcp":
		s.proxy.HTTP = false
		s.proxy.http = slices.DeleteFunc(s.proxy.http, func(n *needsHTTP) bool { return n.name == "mode" })
	case "http":
		s.proxy.HTTP = true
		s.proxy.ifHTTP(s.loader, s.pos, "mode", "'mode' cannot be 'http', but for statistics listeners ('stats enable'): sluice balances TCP only", true)
	case "health", "log", "spop", "haterm":
		s.alert("cannot be '%s': sluice balances TCP only", s.text(0))
	default:
		s.alert("expects 'tcp', not '%s'", s.text(0))
	}
}

// guid fills a name that is unique in the whole configuration; validate looks for doubles.
func guid(at func(target) *string) behaviour {
	b := text(at)
	return behaviour{
		parse: func(s *statement) {
			if len(s.text(0)) > 127 {
				s.alert("is longer than 127 bytes")
				return
			}
			if !s.validName(s.text(0)) {
				return
			}
			b.parse(s)
		},
		print: b.print,
	}
}

func parseUseBackend(s *statement) {
	switch {
	case strings.Contains(s.text(0), "%["):
		s.alert("with a computed name is known to HAProxy but not yet supported by sluice")
	case len(s.args) > 1 && (s.text(1) == "if" || s.text(1) == "unless"):
		s.alert("with a condition is known to HAProxy but not yet supported by sluice")
	case len(s.args) > 1:
		s.alert("has an unexpected argument '%s' after '%s'", s.text(1), s.text(0))
	default:
		s.proxy.UseBackend = append(s.proxy.UseBackend, UseBackend{s.pos, s.text(0)})
	}
}

func printUseBackend(p *printer) {
	for _, u := range p.proxy.UseBackend {
		p.write(u.Name)
	}
}

func parseDispatch(s *statement) {
	if a, ok := s.address(0, AddressOptions{AllowPort: true, RequirePort: true}); ok {
		s.proxy.Dispatch = &a
	}
}

func printDispatch(p *printer) {
	if p.proxy.Dispatch != nil {
		p.write(p.proxy.Dispatch.String())
	}
}

// timeoutKeywords are "timeout ...".
func timeoutKeywords() []Keyword {
	list := []struct {
		name              string
		sections          Sections
		standard, summary string
		reason            string // of Later
		at                func(target) *time.Duration
	}{
		{"client", inFrontends, "none", "Time for which a client may neither send nor take data.", "", func(t target) *time.Duration { return &t.proxy.Timeouts.Client }},
		{"client-fin", inFrontends, "`timeout client`", "Like `client`, once one direction of the client's connection is closed.", "", func(t target) *time.Duration { return &t.proxy.Timeouts.ClientFin }},
		{"connect", inBackends, "none", "Time that a server may take to accept a connection.", "", func(t target) *time.Duration { return &t.proxy.Timeouts.Connect }},
		{"server", inBackends, "none", "Time for which a server may neither send nor take data.", "", func(t target) *time.Duration { return &t.proxy.Timeouts.Server }},
		{"server-fin", inBackends, "`timeout server`", "Like `server`, once one direction of the server's connection is closed.", "", func(t target) *time.Duration { return &t.proxy.Timeouts.ServerFin }},
		{"tunnel", inBackends, "none", "Takes the place of `client` and `server` once data has gone both ways.", "", func(t target) *time.Duration { return &t.proxy.Timeouts.Tunnel }},
		{"queue", inBackends, "`timeout connect`", "Time that a connection waits for a free place on a server.", "", func(t target) *time.Duration { return &t.proxy.Timeouts.Queue }},
		{"check", inBackends, "`inter`", "Time that a health check may take once it is connected.", "", func(t target) *time.Duration { return &t.proxy.Timeouts.Check }},
		{"tarpit", inProxies, "`timeout connect`", "Time for which a tarpitted connection is held.", "nothing is tarpitted yet", func(t target) *time.Duration { return &t.proxy.Timeouts.Tarpit }},
	}
	var keywords []Keyword
	for _, t := range list {
		effect := Acted
		if t.reason != "" {
			effect = Later
		}
		keywords = append(keywords, Keyword{Name: "timeout " + t.name, Sections: t.sections, Syntax: "<time>", Unit: "ms", Default: t.standard, Summary: t.summary,
			Example: "timeout " + t.name + " 30s", Effect: effect, reason: t.reason, minimum: 1, maximum: 1, behaviour: span(t.at, time.Millisecond, 0)})
	}
	return keywords
}

// keepAliveKeywords are the kernel's schedule of keep-alive probes.
func keepAliveKeywords() []Keyword {
	var keywords []Keyword
	for _, side := range []struct {
		prefix, whom string
		sections     Sections
		at           func(target) *KeepAlive
	}{
		{"clitcpka", "a client", inFrontends, func(t target) *KeepAlive { return &t.proxy.KeepAliveClient }},
		{"srvtcpka", "a server", inBackends, func(t target) *KeepAlive { return &t.proxy.KeepAliveServer }},
	} {
		keywords = append(keywords,
			Keyword{Name: side.prefix + "-cnt", Sections: side.sections, Syntax: "<number>", Unit: "probes", Default: "the system's", Summary: "Unanswered keep-alive probes after which the connection of " + side.whom + " is given up.", Example: side.prefix + "-cnt 3",
				minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &side.at(t).Count }, 0, 127, 0)},
			Keyword{Name: side.prefix + "-idle", Sections: side.sections, Syntax: "<time>", Unit: "s", Default: "the system's", Summary: "Time without data before the first keep-alive probe to " + side.whom + ".", Example: side.prefix + "-idle 60s",
				minimum: 1, maximum: 1, behaviour: span(func(t target) *time.Duration { return &side.at(t).Idle }, time.Second, 0)},
			Keyword{Name: side.prefix + "-intvl", Sections: side.sections, Syntax: "<time>", Unit: "s", Default: "the system's", Summary: "Time between keep-alive probes to " + side.whom + ".", Example: side.prefix + "-intvl 10s",
				minimum: 1, maximum: 1, behaviour: span(func(t target) *time.Duration { return &side.at(t).Interval }, time.Second, 0)})
	}
	return keywords
}

// optionKeywords are "option ...".
func optionKeywords() []Keyword {
	list := []struct {
		name     string
		sections Sections
		summary  string
		at       func(*Options) *bool
	}{
		{"dontlognull", inFrontends, "Connections that bring no data are not logged.", func(o *Options) *bool { return &o.DontLogNull }},
		{"dontlog-normal", inFrontends, "Only connections that ended with an error are logged.", func(o *Options) *bool { return &o.DontLogNormal }},
		{"logasap", inFrontends, "Logs as soon as the server's connection is established, not at the end.", func(o *Options) *bool { return &o.LogASAP }},
		{"log-separate-errors", inFrontends, "Connections that ended with an error are logged at level `err`.", func(o *Options) *bool { return &o.LogSeparateErrors }},
		{"log-health-checks", inBackends, "Each check whose result differs from the one before is logged, not only changes of a server's state.", func(o *Options) *bool { return &o.LogHealthChecks }},
		{"clitcpka", inFrontends, "The kernel probes idle clients (SO_KEEPALIVE).", func(o *Options) *bool { return &o.TCPKAClient }},
		{"srvtcpka", inBackends, "The kernel probes idle servers (SO_KEEPALIVE).", func(o *Options) *bool { return &o.TCPKAServer }},
		{"tcp-smart-accept", inFrontends, "The kernel holds back the ACK of a client's first packet, so that it travels with data.", func(o *Options) *bool { return &o.SmartAccept }},
		{"tcp-smart-connect", inBackends, "The kernel holds back the last ACK of the handshake with a server, so that it travels with data.", func(o *Options) *bool { return &o.SmartConnect }},
		{"splice-auto", inProxies, "Moves bulk data with splice where that pays, in both directions.", func(o *Options) *bool { return &o.SpliceAuto }},
		{"splice-request", inProxies, "Moves data from the client with splice.", func(o *Options) *bool { return &o.SpliceRequest }},
		{"splice-response", inProxies, "Moves data from the server with splice.", func(o *Options) *bool { return &o.SpliceResponse }},
		{"sockmap", inProxies, "The kernel moves the bytes of a connection by itself once both sides have spoken (eBPF, see [ebpf.md](ebpf.md)). Experimental.", func(o *Options) *bool { return &o.Sockmap }},
		{"nolinger", inProxies, "Closes with a reset, so that no socket stays behind.", func(o *Options) *bool { return &o.NoLinger }},
		{"abortonclose", inBackends, "A connection that waits for a server is given up when the client closes.", func(o *Options) *bool { return &o.AbortOnClose }},
		{"contstats", inFrontends, "Bytes are counted as they go, not at the end of a connection.", func(o *Options) *bool { return &o.ContStats }},
		{"socket-stats", inFrontends, "Statistics for each bind of its own.", func(o *Options) *bool { return &o.SocketStats }},
		{"independent-streams", inProxies, "What is sent to one side does not prolong its read timeout.", func(o *Options) *bool { return &o.IndependentStreams }},
		{"transparent", inBackends, "Without servers, a connection goes to the address that the client asked for.", func(o *Options) *bool { return &o.Transparent }},
		{"allbackups", inBackends, "When all other servers are down, all backup servers share the load, not only the first.", func(o *Options) *bool { return &o.AllBackups }},
		{"persist", inBackends, "Connections that wait for a server go on waiting for it when it goes down, even with `option redispatch`.", func(o *Options) *bool { return &o.Persist }},
	}
	var keywords []Keyword
	for _, o := range list {
		keywords = append(keywords, Keyword{Name: "option " + o.name, Sections: o.sections, Default: "off", Summary: o.summary, Example: "option " + o.name,
			negatable: true, behaviour: toggle(func(t target) *bool { return o.at(&t.proxy.Options) }, false)})
	}
	return append(keywords,
		Keyword{Name: "option tcplog", Sections: inFrontends, Default: "off", Summary: "Logs each connection in the TCP format of HAProxy.", Example: "option tcplog",
			behaviour: behaviour{parse: parseTCPLog, print: toggle(func(t target) *bool { return &t.proxy.Options.TCPLog }, false).print}},
		Keyword{Name: "option tcpka", Sections: inProxies, Default: "off", Summary: "`option clitcpka` and `option srvtcpka`, as far as the section has these sides.", Example: "option tcpka",
			behaviour: behaviour{parse: parseTCPKeepAlive}},
		Keyword{Name: "option redispatch", Sections: inBackends, Syntax: "[<number>]", Unit: "attempts", Default: "off; -1 without a number", Summary: "Chooses another server at every n-th retry; counted from the last if negative.", Example: "option redispatch 1",
			maximum: 1, negatable: true, behaviour: behaviour{parse: parseRedispatch, print: printRedispatch}})
}

func parseTCPLog(s *statement) {
	s.proxy.Options.TCPLog, s.proxy.LogFormat = true, ""
	s.proxy.LogJSON, s.proxy.LogJSONItems = false, nil
}

func parseTCPKeepAlive(s *statement) {
	s.proxy.Options.TCPKAClient = s.proxy.Options.TCPKAClient || s.proxy.Kind&Frontend != 0
	s.proxy.Options.TCPKAServer = s.proxy.Options.TCPKAServer || s.proxy.Kind&Backend != 0
}

func parseRedispatch(s *statement) {
	switch {
	case s.no || s.reset:
		s.proxy.Redispatch = 0
	case len(s.args) == 0:
		s.proxy.Redispatch = -1
	default:
		if n, ok := s.number(0, -maxID-1, maxID); ok {
			s.proxy.Redispatch = n
		}
	}
}

func printRedispatch(p *printer) {
	switch n := p.proxy.Redispatch; n {
	case 0:
	case -1:
		p.write()
	default:
		p.write(strconv.Itoa(n))
	}
}
