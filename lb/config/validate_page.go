package config

import (
	"slices"
	"strings"
)

// needsHTTP is a line that is right in a statistics listener and wrong in every other proxy. Which of the two its proxy is, is
// known at the end only: "mode" may stand below it, or in the defaults.
type needsHTTP struct {
	pos      Pos
	name     string
	alert    string // in other proxies
	acted    bool   // it does something in a statistics listener; otherwise that is a warning
	defaults bool   // it stands in a defaults section
	heirs    int    // proxies that have it
	pages    int    // of these, statistics listeners
}

// ifHTTP notes such a line.
func (p *Proxy) ifHTTP(l *loader, pos Pos, name, alert string, acted bool) *needsHTTP {
	n := &needsHTTP{pos: pos, name: name, alert: alert, acted: acted, defaults: l.place == InDefaults}
	l.http = append(l.http, n)
	p.http = append(p.http, n)
	return n
}

// harmless are the HTTP keywords without which a statistics listener does the same.
var harmless = strings.Fields(`option|httplog option|httpslog option|httpclose option|http-server-close option|http-keep-alive option|forceclose
	option|http-tunnel option|http-use-htx option|http-no-delay option|http-pretend-keepalive option|http-ignore-probes option|forwardfor option|forwarded
	option|originalto option|http-buffer-request option|http-use-proxy-header option|h1-case-adjust-bogus-client option|accept-invalid-http-request
	errorfile errorfiles errorloc errorloc302 errorloc303 compression max-keep-alive-queue http-reuse unique-id-header`)

// harmlessOnPage tells whether a refused keyword may stand in a statistics listener.
func harmlessOnPage(name string) bool {
	first, second, _ := strings.Cut(name, " ")
	return slices.Contains(harmless, first) || slices.Contains(harmless, first+"|"+second)
}

// settlePages decides which proxies are statistics listeners, and complains about what is right in one of the two kinds only.
func (l *loader) settlePages() {
	ignored := map[Pos]bool{}
	for _, p := range l.config.Proxies {
		page := p.IsPage()
		for _, n := range p.http {
			n.heirs++
			if page {
				n.pages++
			}
		}
		switch {
		case page:
			l.settlePage(p)
		case p.Page.Enabled && !p.HTTP && !ignored[p.Page.Pos]:
			ignored[p.Page.Pos] = true
			l.warnAt(p.Page.Pos, "'stats' is ignored, because %s '%s' is not in 'mode http'", p.Kind, p.Name)
		}
		if !page {
			p.Page, p.Exporter, p.MonitorURI, p.Timeouts.HTTPRequest, p.Timeouts.HTTPKeepAlive = Page{}, nil, "", 0, 0
		}
		p.http, p.Page.inherited = nil, false
	}
	for _, n := range l.http {
		switch {
		case n.name == "mode" && n.heirs == 0 && n.defaults: // nobody runs in it
		case n.pages == 0 || n.name == "mode" && n.pages < n.heirs:
			l.alertAt(n.pos, "%s", n.alert)
		case !n.acted:
			l.warnAt(n.pos, "'%s' has no effect: statistics listeners do without it, and all else is TCP", n.name)
		case n.pages < n.heirs:
			l.warnAt(n.pos, "'%s' has an effect in statistics listeners only", n.name)
		}
	}
}

// settlePage makes a statistics listener of a proxy: it has no servers, and so no backend's side.
func (l *loader) settlePage(p *Proxy) {
	refuse := func(pos Pos, keyword string) {
		l.alertAt(pos, "%s '%s' : '%s' cannot stand in a statistics listener: sluice balances TCP only", p.Kind, p.Name, keyword)
	}
	if len(p.Servers) > 0 {
		refuse(p.Servers[0].Pos, "server")
	}
	if p.Dispatch != nil {
		refuse(p.Pos, "dispatch")
	}
	if len(p.UseBackend) > 0 {
		refuse(p.UseBackend[0].Pos, "use_backend")
	}
	if p.DefaultBackend != "" {
		refuse(p.Pos, "default_backend")
	}
	for _, b := range p.Binds {
		if b.AcceptProxy || b.ExpectProxyL4 {
			l.alertAt(b.Pos, "bind : a PROXY header cannot be expected by a statistics listener")
		}
		for _, option := range []struct {
			name  string
			given bool
		}{{"maxconn", b.MaxConn > 0}, {"thread", len(b.Threads) > 0}, {"shards", b.Shards > 0}} {
			if option.given {
				l.warnAt(b.Pos, "bind : '%s' has no effect in a statistics listener", option.name)
			}
		}
		b.MaxConn, b.Threads, b.Shards = 0, nil, 0
	}
	var idle []string
	for name, given := range map[string]bool{
		"rate-limit sessions": p.RateLimitSessions > 0, "tcp-request content": p.PriorityClass != nil || p.PriorityOffset != nil,
	} {
		if given {
			idle = append(idle, name)
		}
	}
	slices.Sort(idle)
	for _, name := range idle {
		l.warnAt(p.Pos, "%s '%s' : '%s' has no effect in a statistics listener", p.Kind, p.Name, name)
	}
	p.PriorityClass, p.PriorityOffset, p.RateLimitSessions = nil, nil, 0
	if len(p.Page.Admin) > 0 && len(p.Page.Users) == 0 && !p.onlyLocal() {
		l.warnAt(p.Page.Pos, "%s '%s' : 'stats admin' without 'stats auth': whoever can connect and meets its condition may change servers", p.Kind, p.Name)
	}
	for i, name := range p.Page.Scope {
		if name == "." {
			p.Page.Scope = slices.Clone(p.Page.Scope)
			p.Page.Scope[i] = p.Name
		}
	}
	*p = *p.derive(Frontend, p.Name, p.Pos)
}

// onlyLocal tells whether a proxy listens on unix sockets only.
func (p *Proxy) onlyLocal() bool {
	return !slices.ContainsFunc(p.Binds, func(b *Bind) bool { return b.Address.Family != Unix && b.Address.Family != Abstract })
}

// validatePage looks at a statistics listener as a whole. Its web server has limits of its own where no timeout is set.
func (l *loader) validatePage(p *Proxy) {
	l.validateBinds(p)
}
