package config

import (
	"slices"
	"strings"
)

// openers are the words that open a section that is read.
var openers = []string{"global", "defaults", "frontend", "backend", "listen", "resolvers", "mailers", "tenant", "ring", "namespace_list"}

// section opens a section if the line does that.
func (l *loader) section(line Line) bool {
	words := line.Words
	name := words[0].Text
	reason, known := knownSections[name]
	if !known && !slices.Contains(openers, name) {
		return false
	}
	l.skipping, l.proxy, l.dns, l.mail, l.tenant, l.ring, l.timeouts = known, nil, nil, nil, nil, nil, map[*Keyword]bool{}
	l.reader.SetSection(name)
	if known {
		l.alertAt(line.Pos, "section '%s' %s", name, reason)
		return true
	}
	l.place = Sections(1 << slices.Index(sectionNames, name))
	switch name {
	case "global":
		if len(words) > 1 {
			l.alertAt(line.Pos, "'global' has an unexpected argument '%s'", words[1].Text)
		}
	case "defaults":
		l.openDefaults(line)
	case "resolvers":
		l.openResolvers(line)
	case "mailers":
		l.openMailers(line)
	case "tenant":
		l.openTenant(line)
	case "ring":
		l.openRing(line)
	case "namespace_list":
		l.openNamespaceList(line)
	default:
		l.openProxy(line)
	}
	return true
}

// header reads "[NAME] [from DEFAULTS]". base is nil where nothing is named or found.
func (l *loader) header(line Line) (name string, base *Proxy) {
	words := line.Words[1:]
	if len(words) > 0 && (words[0].Text != "from" || l.place != InDefaults) {
		name, words = words[0].Text, words[1:]
		l.checkName(line.Pos, name)
	}
	if len(words) == 0 {
		return name, nil
	}
	switch {
	case words[0].Text != "from":
		hint := ""
		if l.place == InListen || l.place == InFrontend {
			hint = "; addresses stand on 'bind' lines"
		}
		l.alertAt(line.Pos, "'%s' has an unexpected argument '%s' after its name%s", line.Words[0].Text, words[0].Text, hint)
		return name, nil
	case len(words) == 1:
		l.alertAt(line.Pos, "'from' expects the name of a 'defaults' section")
		return name, nil
	case len(words) > 2:
		l.alertAt(line.Pos, "'%s' has an unexpected argument '%s'", line.Words[0].Text, words[2].Text)
	}
	from := words[1].Text
	switch d := l.defaults[from]; {
	case d == nil:
		var known []string
		for name := range l.defaults {
			known = append(known, name)
		}
		slices.Sort(known)
		l.alertAt(line.Pos, "there is no 'defaults' section named '%s' above%s", from, didYouMean(from, known))
	case d.doubled:
		l.alertAt(line.Pos, "there are several 'defaults' sections named '%s'", from)
	default:
		return name, d.proxy
	}
	return name, nil
}

func (l *loader) openDefaults(line Line) {
	name, base := l.header(line)
	if base == nil {
		base = builtin()
	}
	l.proxy = base.derive(Listen, name, line.Pos)
	l.latest = l.proxy
	if name == "" {
		return
	}
	if before := l.defaults[name]; before != nil {
		before.doubled = true
		return
	}
	l.defaults[name] = &defaultsSection{proxy: l.proxy}
}

func (l *loader) openProxy(line Line) {
	kind := map[Sections]ProxyKind{InFrontend: Frontend, InBackend: Backend, InListen: Listen}[l.place]
	name, base := l.header(line)
	if base == nil {
		base = l.latest
	}
	if base == nil {
		base = builtin()
	}
	l.proxy = base.derive(kind, name, line.Pos)
	if name == "" {
		l.alertAt(line.Pos, "'%s' expects a name", line.Words[0].Text)
		return // its lines are read nevertheless, for what is wrong with them
	}
	for _, other := range l.named[name] {
		if other.Kind&kind != 0 {
			l.alertAt(line.Pos, "%s '%s' has the same name as %s '%s' at %s:%d", kind, name, other.Kind, other.Name, other.Pos.File, other.Pos.Line)
			return
		}
	}
	l.config.Proxies = append(l.config.Proxies, l.proxy)
	l.named[name] = append(l.named[name], l.proxy)
}

// String is the word that opens the section.
func (k ProxyKind) String() string {
	return map[ProxyKind]string{Frontend: "frontend", Backend: "backend", Listen: "listen"}[k]
}

// builtin is what holds without a defaults section.
func builtin() *Proxy {
	return &Proxy{Kind: Listen, Retries: 3, LoadState: "none", Balance: Balance{Draws: 2, Mask4: 32, Mask6: 128}, defaultServer: newServer(Pos{})}
}

// derive makes a proxy that starts with the settings of a defaults section, as far as they are about the sides that it
// has. What its pointers lead to is shared, and never changed.
func (p *Proxy) derive(kind ProxyKind, name string, pos Pos) *Proxy {
	d := *p
	d.Pos, d.Kind, d.Name = pos, kind, name
	d.Logs, d.http = slices.Clone(p.Logs), slices.Clone(p.http)
	d.Page.inherited = p.Page.Enabled
	d.Health.inherit()
	d.defaultServer = p.defaultServer.clone(Pos{}, "", Address{})
	o, t := &d.Options, &d.Timeouts
	if kind&Frontend == 0 {
		d.MaxConn, d.Backlog, d.RateLimitSessions, d.DefaultBackend = 0, 0, 0, ""
		d.KeepAliveClient, d.LogFormat, d.ErrorLogFormat, d.LogJSONItems = KeepAlive{}, "", "", nil
		t.Client, t.ClientFin = 0, 0
		o.DontLogNull, o.DontLogNormal, o.LogASAP, o.LogSeparateErrors = false, false, false, false
		o.TCPKAClient, o.SmartAccept, o.ContStats, o.SocketStats, o.TCPLog = false, false, false, false, false
	}
	if kind&Backend == 0 {
		d.Balance, d.HashType, d.HashBalanceFactor, d.FullConn = Balance{}, HashType{}, 0, 0
		d.Retries, d.Redispatch, d.Source, d.KeepAliveServer = 0, 0, nil, KeepAlive{}
		t.Server, t.ServerFin, t.Connect, t.Queue, t.Tunnel, t.Check = 0, 0, 0, 0, 0, 0
		o.LogHealthChecks, o.TCPKAServer, o.SmartConnect, o.AbortOnClose = false, false, false, false
		o.Transparent, o.AllBackups, o.Persist = false, false, false
		d.Health, d.LoadState, d.StateFile, d.NoRetry, d.PanicThreshold = HealthCheck{}, "", "", false, 0
	}
	return &d
}

// nameCharacters are what HAProxy allows in names, besides letters and digits.
const nameCharacters = "_.:-"

// checkName complains about a character that names must not hold.
func (l *loader) checkName(pos Pos, name string) bool {
	if name == "" {
		l.alertAt(pos, "a name must not be empty")
		return false
	}
	for _, c := range name {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(nameCharacters, c) {
			continue
		}
		l.alertAt(pos, "character '%c' is not allowed in the name '%s'", c, name)
		return false
	}
	return true
}

// validName complains about the name that a statement gives.
func (s *statement) validName(name string) bool { return s.checkName(s.pos, name) }
