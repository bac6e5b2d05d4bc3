package config

import (
	"strconv"
	"strings"
)

// listenerKeywords are the lines that have options of their own. They come last in a proxy, servers at the very end.
func listenerKeywords() []Keyword {
	return []Keyword{
		{Name: "bind", Sections: InFrontend | InListen, Syntax: "<address>[/<bits>][:<port>[-<port>] | :*][,...] [<option>...]", Summary: "Addresses that the proxy listens on. A port range or a list makes several listeners that share the [options](#bind-options). Whole prefixes, `*` for all ports, and ranges of more than 1,000 ports of one address are an extension: the line has one listener for them, to which a program in the kernel brings the connections ([ebpf.md](ebpf.md#vip-lookup)).",
			Example: "bind :8080 accept-proxy", minimum: 1, maximum: -1, behaviour: behaviour{parse: parseBind, print: printBinds}},
		{Name: "default-server", Sections: inBackends, Syntax: "<option>...", Summary: "[Options](#server-options) of the servers on the lines below.",
			Example: "default-server inter 5s maxconn 100", maximum: -1, strict: true, behaviour: behaviour{parse: parseDefaultServer}},
		{Name: "server", Sections: InListen | InBackend, Syntax: "<name> <address>[:<port>] [<option>...]", Summary: "A server. Without a port, connections go to the port that the client asked for; `+n` and `-n` are added to it.",
			Example: "server db1 10.0.0.1:5432 weight 10", minimum: 2, maximum: -1, strict: true, behaviour: behaviour{parse: parseServer, print: printServers}},
		{Name: "server-template", Sections: InListen | InBackend, Syntax: "<prefix> <number | first-last> <address>[:<port>] [<option>...]", Summary: "Several servers that differ in their number only, which is put after the prefix.",
			Example: "server-template db 1-3 db.example.net:5432", minimum: 3, maximum: -1, strict: true, behaviour: behaviour{parse: parseServerTemplate}},
	}
}

// maxListeners bounds what one line can make.
const maxListeners = 65536

func newBind(pos Pos) *Bind { return &Bind{Pos: pos, TOS: -1, UID: -1, GID: -1} }

func parseBind(s *statement) {
	text, ok := s.expanded(0)
	if !ok {
		return
	}
	addresses, err := ParseAddresses(text, AddressOptions{AllowPort: true, RequirePort: true, AllowRange: true, AllowUnix: true, AllowInherited: true, AllowPrefix: true})
	if err != nil {
		s.fail(err)
		return
	}
	var sockets []Address
	lookups := make(map[bool][]Address) // by whether they are of IPv6
	for _, a := range addresses {
		if a.looksUp() {
			lookups[a.IP.Is6()] = append(lookups[a.IP.Is6()], a)
			continue
		}
		for port := a.Port; port <= max(a.PortEnd, a.Port) && len(sockets) <= maxListeners; port++ {
			one := a
			one.Port, one.PortEnd = port, port
			sockets = append(sockets, one)
		}
	}
	if len(sockets) > maxListeners {
		s.alert("makes more than %d listeners", maxListeners)
		return
	}
	bind := newBind(s.pos)
	o := *s
	o.bind, o.place, o.several = bind, OnBind, len(sockets)+len(lookups) > 1
	o.parseOptions(s.args[1:])
	for _, socket := range sockets {
		one := *bind
		one.Address = socket
		s.proxy.Binds = append(s.proxy.Binds, &one)
	}
	for _, six := range []bool{false, true} {
		if addresses := lookups[six]; len(addresses) > 0 {
			one := *bind
			one.Address, one.Lookup = addresses[0], addresses
			s.proxy.Binds = append(s.proxy.Binds, &one)
		}
	}
}

// manyPorts is the number of ports above which a range of one address is looked up rather than given a socket for each.
const manyPorts = 1000

// looksUp tells whether a listener hears of an address only by a lookup in the kernel. A range on all of the machine's addresses does
// not: a lookup would take the ports of other programs, too.
func (a Address) looksUp() bool {
	return a.Prefix.IsValid() || a.PortEnd-a.Port >= manyPorts && a.IP.IsValid() && !a.IP.IsUnspecified()
}

func parseStatsSocket(s *statement) {
	address, ok := s.address(0, AddressOptions{AllowPort: true, RequirePort: true, AllowUnix: true, AllowInherited: true})
	if !ok {
		return
	}
	socket := StatsSocket{Pos: s.pos, Bind: *newBind(s.pos), Level: "operator", SeverityOutput: "none"}
	socket.Bind.Address = address
	o := *s
	o.socket, o.bind, o.place = &socket, &socket.Bind, OnStatsSocket
	o.parseOptions(s.args[1:])
	s.global.StatsSockets = append(s.global.StatsSockets, socket)
}

func newServer(pos Pos) *Server {
	return &Server{Pos: pos, Weight: 1, TOS: -1, ErrorLimit: 10, OnError: "fail-check", InitState: "up", Resolve: Resolve{Prefer: "ipv6"},
		Check: Check{Inter: 2e9, AgentInter: 2e9, Rise: 2, Fall: 3}}
}

// clone copies a server, so that options of the one are not seen by the other. What pointers lead to is never changed.
func (s *Server) clone(pos Pos, name string, address Address) *Server {
	c := *s
	c.Pos, c.Name, c.Address = pos, name, address
	return &c
}

func parseDefaultServer(s *statement) {
	o := *s
	o.server, o.place = s.proxy.defaultServer, OnDefaultServer
	o.parseOptions(s.args)
}

// serverAddress reads the address of a server line.
func (s *statement) serverAddress(i int) (Address, bool) {
	return s.address(i, AddressOptions{AllowPort: true, AllowOffset: true, AllowUnix: true})
}

func parseServer(s *statement) {
	name := s.text(0)
	if !s.validName(name) {
		return
	}
	address, ok := s.serverAddress(1)
	if !ok {
		return
	}
	server := s.proxy.defaultServer.clone(s.pos, name, address)
	s.proxy.Servers = append(s.proxy.Servers, server)
	o := *s
	o.server, o.place = server, OnServer
	o.parseOptions(s.args[2:])
}

// maxTemplate bounds what one server-template makes.
const maxTemplate = 65536

func parseServerTemplate(s *statement) {
	prefix, numbers := s.text(0), s.text(1)
	if !s.validName(prefix) {
		return
	}
	low, high, ranged := strings.Cut(numbers, "-")
	if !ranged {
		low, high = "1", low
	}
	first, err1 := strconv.ParseUint(low, 10, 31)
	last, err2 := strconv.ParseUint(high, 10, 31)
	if err1 != nil || err2 != nil || last == 0 || first > last || last-first >= maxTemplate {
		s.alert("expects a number of servers or a range such as 1-3 (at most %d servers), not '%s'", maxTemplate, numbers)
		return
	}
	address, ok := s.serverAddress(2)
	if !ok {
		return
	}
	template := s.proxy.defaultServer.clone(s.pos, prefix+numbers, address)
	o := *s
	o.server, o.place, o.several = template, OnServer, last > first
	o.parseOptions(s.args[3:])
	template.Template = &Template{Prefix: prefix, Low: int(first), High: int(last), SRV: template.SRV(), ID: template.ID}
	for n := first; n <= last; n++ {
		server := template.clone(s.pos, prefix+strconv.FormatUint(n, 10), address)
		if template.ID != 0 {
			server.ID = template.ID + int(n-first)
		}
		s.proxy.Servers = append(s.proxy.Servers, server)
	}
}

// parseOptions reads the options of a bind, server, stats socket or stats listen line. A word that is no option ends the line, since
// what follows might be its arguments.
func (s *statement) parseOptions(words []Word) {
	for len(words) > 0 {
		o := *s
		name := words[0].Text
		k := in(s.place)[name]
		if k == nil {
			s.unknownOption(name)
			return
		}
		o.key, words = k, words[1:]
		if len(words) < k.minimum {
			o.alert("expects %s", k.Syntax)
			return
		}
		if k.Name == "source" {
			o.args = words
			source, used := o.readSource(true)
			if source != nil {
				o.server.Source = source
			}
			words = words[used:]
			continue
		}
		extent := k.minimum
		if k.extent != nil {
			extent = k.extent(words)
		}
		o.args, words = words[:extent], words[extent:]
		s.tell(k, s.pos)
		if k.deprecated != "" {
			o.warn("is deprecated: %s", k.deprecated)
		}
		k.parse(&o)
	}
}

func (s *statement) unknownOption(name string) {
	line := s.place.Names()[0]
	where := "'" + line + "' line"
	if s.place == OnServer {
		line = "server '" + s.server.Name + "'"
		where = line
	}
	if s.place == OnDefaultServer && in(OnServer)[name] != nil {
		s.report(Diagnostic{Alert, s.pos, "'" + name + "' is possible on 'server' lines only, not on 'default-server'"})
		return
	}
	if why := knownOptions(s.place)[name]; why != "" {
		s.report(Diagnostic{Alert, s.pos, line + " : '" + name + "' " + why})
		return
	}
	s.report(Diagnostic{Alert, s.pos, "unknown option '" + name + "' on " + where + didYouMean(name, names(s.place, ""))})
}
