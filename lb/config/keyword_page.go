package config

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// The lines of a statistics listener. In HAProxy each of the "stats" lines is enough to enable the page; so it is here.

const pageOnly = " Only in a [statistics listener](#statistics-listeners)."

// pageKeywords are "stats ..." and what else a proxy in mode http may have.
func pageKeywords() []Keyword {
	stats := func(name, syntax, standard, summary, example string, minimum, maximum int, b behaviour) Keyword {
		parse, print := b.parse, b.print
		b.parse = func(s *statement) {
			s.proxy.beginPage(s.pos)
			parse(s)
		}
		if print != nil {
			b.print = func(p *printer) {
				if p.proxy.Page.Enabled {
					print(p)
				}
			}
		}
		return Keyword{Name: "stats " + name, Sections: inFrontends, Syntax: syntax, Default: standard, Summary: summary + pageOnly, Example: strings.TrimSpace("stats " + name + " " + example),
			minimum: minimum, maximum: maximum, behaviour: b}
	}
	refresh := stats("refresh", "<time>", "2s", "How often the page is brought up to date; `0` is the default. Answers to scripts carry it as `Refresh`.", "5s", 1, 1,
		span(func(t target) *time.Duration { return &t.page().Refresh }, time.Second, 0))
	refresh.Unit = "s"
	admin := stats("admin", "{ if | unless } <condition>", "nobody", "Who may change something: of several lines, one must be met. A [condition](#conditions-of-statistics-listeners) sees the client's address and the path.", "if LOCALHOST", 2, -1,
		behaviour{parse: parsePageAdmin, print: printPageAdmin})
	admin.Sections = InFrontend | InListen
	return []Keyword{
		stats("enable", "", "", "Serves the statistics page. Each of the other `stats` lines does too.", "", 0, 0, behaviour{parse: func(*statement) {}, print: func(p *printer) { p.write() }}),
		stats("uri", "<prefix>", "`"+DefaultPageURI+"`", "What the page's addresses begin with.", "/stats", 1, 1, behaviour{parse: parsePageURI, print: func(p *printer) {
			if uri := p.proxy.Page.URI; uri != DefaultPageURI {
				p.write(uri)
			}
		}}),
		refresh,
		stats("realm", "<text>", "sluice statistics", "What browsers show when they ask for a password.", "operators", 1, 1, text(func(t target) *string { return &t.page().Realm })),
		stats("auth", "<user>[:<password>]", "no password", "Who may see the page. May be repeated.", "ops:secret", 1, 1, behaviour{parse: parsePageAuth, print: printPageAuth}),
		admin,
		stats("hide-version", "", "off", "Keeps sluice's version to itself.", "", 0, 0, toggle(func(t target) *bool { return &t.page().HideVersion }, false)),
		stats("show-legends", "", "off", "Shows numbers, modes and addresses of proxies, listeners and servers too.", "", 0, 0, toggle(func(t target) *bool { return &t.page().ShowLegends }, false)),
		stats("show-node", "[<name>]", "off", "Shows the machine's name: `node` of the global section, or another.", "lb1", 0, 1, behaviour{
			parse: func(s *statement) { s.proxy.Page.ShowNode, s.proxy.Page.Node = true, s.text(0) },
			print: func(p *printer) { p.optional(p.proxy.Page.ShowNode, p.proxy.Page.Node) }}),
		stats("show-desc", "[<text>...]", "off", "Shows `description` of the global section, or another text.", "front door", 0, -1, behaviour{
			parse: func(s *statement) {
				s.proxy.Page.ShowDesc, s.proxy.Page.Description = true, strings.Join(s.texts(), " ")
			},
			print: func(p *printer) { p.optional(p.proxy.Page.ShowDesc, p.proxy.Page.Description) }}),
		stats("scope", "<name> | .", "all proxies", "Shows this proxy only; `.` is the proxy itself. May be repeated.", ".", 1, 1, behaviour{parse: parsePageScope, print: printPageScope}),
		{Name: "stats show-modules", Sections: inFrontends, Summary: "Columns of HAProxy's own modules.", Example: "stats show-modules", Effect: NoEffect, reason: "there are no modules with columns of their own",
			behaviour: behaviour{parse: func(s *statement) { s.proxy.beginPage(s.pos) }}},
		{Name: "http-request use-service", Sections: InFrontend | InListen, Syntax: "prometheus-exporter [{ if | unless } <condition>]", Summary: "Answers with metrics in Prometheus' text format. Of a request that meets the [condition](#conditions-of-statistics-listeners), no password is asked." + pageOnly,
			Example: "http-request use-service prometheus-exporter if { path /metrics }", minimum: 1, maximum: -1, strict: true, behaviour: behaviour{parse: parseExporter, print: printExporter}},
		{Name: "monitor-uri", Sections: inFrontends, Syntax: "<path>", Default: "none", Summary: "Address at which the listener answers 200 to whoever asks whether the process is alive." + pageOnly, Example: "monitor-uri /alive",
			minimum: 1, maximum: 1, strict: true, behaviour: httpOnly(text(func(t target) *string { return &t.proxy.MonitorURI }))},
		{Name: "timeout http-request", Sections: inFrontends, Syntax: "<time>", Unit: "ms", Default: "10s", Summary: "Time in which a request must be there as a whole." + pageOnly, Example: "timeout http-request 10s",
			minimum: 1, maximum: 1, strict: true, behaviour: httpOnly(span(func(t target) *time.Duration { return &t.proxy.Timeouts.HTTPRequest }, time.Millisecond, 0))},
		{Name: "timeout http-keep-alive", Sections: inFrontends, Syntax: "<time>", Unit: "ms", Default: "`timeout client`, or 60s", Summary: "Time that a connection is kept for another request." + pageOnly, Example: "timeout http-keep-alive 10s",
			minimum: 1, maximum: 1, strict: true, behaviour: httpOnly(span(func(t target) *time.Duration { return &t.proxy.Timeouts.HTTPKeepAlive }, time.Millisecond, 0))},
	}
}

// httpOnly is the behaviour of a keyword that is refused unless its proxy turns out to be a statistics listener.
func httpOnly(b behaviour) behaviour {
	return behaviour{
		parse: func(s *statement) {
			s.proxy.ifHTTP(s.loader, s.pos, s.key.Name, "'"+s.key.Name+"' "+noHTTP, true)
			b.parse(s)
		},
		print: b.print,
	}
}

// page is what "stats" lines fill.
func (t target) page() *Page {
	if t.web != nil {
		return t.web
	}
	return &t.proxy.Page
}

// beginPage enables the page. One line of a proxy's own takes the place of all that its defaults say, as in HAProxy.
func (p *Proxy) beginPage(pos Pos) {
	if p.Page.inherited || !p.Page.Enabled {
		p.Page = Page{Pos: pos, Enabled: true, URI: DefaultPageURI}
	}
}

func parsePageURI(s *statement) {
	if !strings.HasPrefix(s.text(0), "/") || strings.ContainsAny(s.text(0), "#; ") {
		s.alert("expects a prefix that begins with '/' and has no '#', ';' or blank, not '%s'", s.text(0))
		return
	}
	s.target().page().URI = s.text(0)
}

func parsePageAuth(s *statement) {
	name, password, _ := strings.Cut(s.text(0), ":")
	page := s.target().page()
	if slices.ContainsFunc(page.Users, func(u PageUser) bool { return u.Name == name }) {
		s.warn("names the user '%s' a second time: the first password counts", name)
		return
	}
	page.Users = append(page.Users, PageUser{name, password})
}

func printPageAuth(p *printer) {
	for _, u := range p.page().Users {
		p.write(u.Name + ":" + u.Password)
	}
}

func parsePageAdmin(s *statement) {
	c, err := parseCondition(s.texts())
	if err != nil {
		s.fail(err)
		return
	}
	s.proxy.Page.Admin = append(s.proxy.Page.Admin, c)
}

func printPageAdmin(p *printer) {
	for _, c := range p.proxy.Page.Admin {
		p.write(c.Words...)
	}
}

func parsePageScope(s *statement) {
	s.proxy.Page.Scope = append(s.proxy.Page.Scope, s.text(0))
}

func printPageScope(p *printer) {
	for _, name := range p.proxy.Page.Scope {
		p.write(name)
	}
}

// exporterService is the one of HAProxy's services that is here.
const exporterService = "prometheus-exporter"

func parseExporter(s *statement) {
	if s.text(0) != exporterService {
		s.alert("'%s' %s, only '%s' is", s.text(0), noScope, exporterService)
		return
	}
	var c Condition
	if len(s.args) > 1 {
		var err error
		if c, err = parseCondition(s.texts()[1:]); err != nil {
			s.fail(err)
			return
		}
	}
	s.proxy.ifHTTP(s.loader, s.pos, s.key.Name, "'"+s.key.Name+"' "+noHTTP, true)
	s.proxy.Exporter = append(s.proxy.Exporter, c)
}

func printExporter(p *printer) {
	for _, c := range p.proxy.Exporter {
		p.write(append([]string{exporterService}, c.Words...)...)
	}
}

// optional writes a keyword that is on, with its argument if it has one.
func (p *printer) optional(on bool, argument string) {
	switch {
	case on && argument != "":
		p.write(argument)
	case on:
		p.write()
	}
}

// statsListenKeywords are the options of "stats listen" that "bind" has not.
func statsListenKeywords() []Keyword {
	return []Keyword{
		{Name: "auth", Sections: OnStatsListen, Syntax: "<user>:<password>", Default: "no password", Summary: "Who may see the page and the metrics. May be repeated.", Example: "auth ops:secret",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parsePageAuth, print: printPageAuth}},
		{Name: "admin", Sections: OnStatsListen, Default: "off", Summary: "Whoever sees the page may change something. Needs `auth`, or a unix socket.", Example: "admin auth ops:secret",
			behaviour: behaviour{parse: func(s *statement) { s.web.Admin = []Condition{{}} }, print: func(p *printer) { p.optional(len(p.web.Admin) > 0, "") }}},
		{Name: "uri", Sections: OnStatsListen, Syntax: "<prefix>", Default: "/stats", Summary: "What the page's addresses begin with. `/` leads there, and `/metrics` is beside it.", Example: "uri /lb",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parsePageURI, print: func(p *printer) { p.optional(p.web.URI != listenURI, p.web.URI) }}},
		{Name: "refresh", Sections: OnStatsListen, Syntax: "<time>", Unit: "s", Default: "2s", Summary: "How often the page is brought up to date.", Example: "refresh 5s",
			minimum: 1, maximum: 1, behaviour: span(func(t target) *time.Duration { return &t.web.Refresh }, time.Second, 0)},
		{Name: "realm", Sections: OnStatsListen, Syntax: "<text>", Default: "sluice statistics", Summary: "What browsers show when they ask for a password.", Example: "realm operators",
			minimum: 1, maximum: 1, behaviour: text(func(t target) *string { return &t.web.Realm })},
		{Name: "hide-version", Sections: OnStatsListen, Default: "off", Summary: "Keeps sluice's version to itself.", Example: "hide-version",
			behaviour: toggle(func(t target) *bool { return &t.web.HideVersion }, false)},
		{Name: "maxconn", Sections: OnStatsListen, Syntax: "<number>", Unit: "connections", Default: "100", Summary: "Connections at once; others wait.", Example: "maxconn 20",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: func(s *statement) {
				if n, ok := s.number(0, 1, 1<<20); ok {
					s.listen.MaxConn = n
				}
			}, print: func(p *printer) {
				if n := p.listen.MaxConn; n > 0 {
					p.write(strconv.Itoa(n))
				}
			}}},
	}
}

// listenURI is where a "stats listen" line has its page.
const listenURI = "/stats"

func parseStatsListen(s *statement) {
	address, ok := s.address(0, AddressOptions{AllowPort: true, RequirePort: true, AllowUnix: true, AllowInherited: true})
	if !ok {
		return
	}
	x := &StatsListen{Pos: s.pos, Bind: *newBind(s.pos), Page: Page{Pos: s.pos, Enabled: true, URI: listenURI, ShowLegends: true, ShowNode: true, ShowDesc: true}}
	x.Bind.Address = address
	o := *s
	o.listen, o.web, o.bind, o.place = x, &x.Page, &x.Bind, OnStatsListen
	o.parseOptions(s.args[1:])
	if local := address.Family == Unix || address.Family == Abstract; len(x.Page.Admin) > 0 && len(x.Page.Users) == 0 && !local {
		s.alert("%s : 'admin' needs 'auth', so that not everyone who can connect may change something", s.text(0))
	}
	s.global.StatsListens = append(s.global.StatsListens, x)
}

func printStatsListens(p *printer) {
	key := p.key
	for _, x := range p.global.StatsListens {
		p.key, p.listen, p.web, p.bind = key, x, &x.Page, &x.Bind
		p.line(OnStatsListen, Quote(x.Bind.Address.String()))
	}
	p.listen, p.web, p.bind = nil, nil, nil
}
