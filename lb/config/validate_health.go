package config

import (
	"slices"
	"strings"
)

// inherit is for what a section begins with, of its defaults.
func (h *HealthCheck) inherit() {
	h.tcpRules, h.httpRules = slices.Clip(h.tcpRules), slices.Clip(h.httpRules)
	h.tcpInherited, h.httpInherited, h.requestInherited = len(h.tcpRules) > 0, len(h.httpRules) > 0, h.Kind == CheckHTTP
}

// settleHealth decides what a proxy's checks are, now that all lines of it are known.
func (l *loader) settleHealth() {
	for _, p := range l.config.Proxies {
		h := &p.Health
		var unused [][2]string // rules, and the option that they need
		if len(h.tcpRules) > 0 && h.Kind != CheckTCP && !h.tcpInherited {
			unused = append(unused, [2]string{"tcp-check", "tcp-check"})
		}
		if len(h.httpRules) > 0 && h.Kind != CheckHTTP && !h.httpInherited {
			unused = append(unused, [2]string{"http-check", "httpchk"})
		}
		for _, u := range unused {
			l.warnAt(p.Pos, "%s '%s' has '%s' lines but no 'option %s' (or another check below it): they are ignored", p.Kind, p.Name, u[0], u[1])
		}
		switch h.Kind {
		case CheckTCP:
			h.Rules = h.tcpRules
		case CheckHTTP:
			h.Rules = h.httpRules
		case CheckConnect:
			h.Pos = Pos{}
		}
		h.tcpRules, h.httpRules, h.tcpInherited, h.httpInherited, h.requestInherited = nil, nil, false, false, false
		if p.Kind&Backend != 0 && p.LoadState == "local" && p.StateFile == "" {
			p.StateFile = p.Name
		}
		l.settleEmail(p)
	}
}

// settleEmail turns email alerts off that nobody would get.
func (l *loader) settleEmail(p *Proxy) {
	e := &p.EmailAlert
	if *e == (EmailAlert{}) {
		return
	}
	if e.Mailers == "" || e.From == "" || e.To == "" {
		l.warnAt(e.Pos, "%s '%s' sends no email alerts: they need 'email-alert mailers', 'email-alert from' and 'email-alert to'", p.Kind, p.Name)
		*e = EmailAlert{}
		return
	}
	if e.Level == "" {
		e.Level = "alert"
	}
}

// validateHealth looks at the checks of a proxy that will run.
func (l *loader) validateHealth(p *Proxy) {
	g, h := &l.config.Global, &p.Health
	if h.Kind == CheckExternal {
		if !g.ExternalCheck {
			l.alertAt(h.Pos, "%s '%s' : 'option external-check' needs 'external-check' in the global section", p.Kind, p.Name)
		}
		if !g.InsecureForkWanted {
			l.warnAt(h.Pos, "%s '%s' : 'option external-check' will fail without 'insecure-fork-wanted' in the global section", p.Kind, p.Name)
		}
		switch {
		case h.ExternalCommand == "":
			l.alertAt(h.Pos, "%s '%s' : 'option external-check' needs an 'external-check command'", p.Kind, p.Name)
		case h.ExternalCommand[0] != '/' && h.ExternalPath == "":
			l.alertAt(h.Pos, "%s '%s' : 'external-check command %s' does not begin with a slash, and there is no 'external-check path' to find it in", p.Kind, p.Name, h.ExternalCommand)
		}
	} else if h.ExternalCommand != "" || h.ExternalPath != "" {
		l.warnAt(p.Pos, "%s '%s' has an 'external-check' line but no 'option external-check': it is ignored", p.Kind, p.Name)
	}
	if h.Kind != CheckHTTP && (h.DisableOn404 || h.SendState) {
		l.warnAt(p.Pos, "%s '%s' has 'http-check disable-on-404' or 'http-check send-state' but no 'option httpchk': it is ignored", p.Kind, p.Name)
	}
	if p.LoadState == "global" && g.StateFile == "" {
		l.warnAt(p.Pos, "%s '%s' has 'load-server-state-from-file global', but the global section has no 'server-state-file'", p.Kind, p.Name)
	}
	if name := p.EmailAlert.Mailers; name != "" && !slices.ContainsFunc(l.config.Mailers, func(m *Mailers) bool { return m.Name == name }) {
		var known []string
		for _, m := range l.config.Mailers {
			known = append(known, m.Name)
		}
		l.alertAt(p.EmailAlert.Pos, "%s '%s' : there is no 'mailers' section named '%s'%s", p.Kind, p.Name, name, didYouMean(name, known))
	}
}

// validateChecked looks at what a server line says about checks and names.
func (l *loader) validateChecked(p *Proxy, s *Server) {
	if s.Check.Enabled && !s.portOfCheck(p) {
		l.alertAt(s.Pos, "server '%s/%s' has neither a port nor a port for its check", p.Name, s.Name)
	}
	if s.Observe != "" && !s.Check.Enabled {
		l.warnAt(s.Pos, "server '%s/%s' : 'observe' needs 'check', and is ignored", p.Name, s.Name)
	}
	if s.Check.ViaSocks4 && s.Socks4 == nil {
		l.warnAt(s.Pos, "server '%s/%s' : 'check-via-socks4' needs 'socks4', and is ignored", p.Name, s.Name)
	}
	if s.Damping.Changes > 0 && s.Track != "" {
		l.warnAt(s.Pos, "server '%s/%s' : 'damp' has no effect on a server that tracks another", p.Name, s.Name)
	}
	named := s.Address.Host != "" && !s.Address.IP.IsValid()
	switch {
	case s.Resolvers == "":
		if named && strings.HasPrefix(s.Address.Host, "_") {
			l.warnAt(s.Pos, "server '%s/%s' : '%s' looks like the name of a service, which only 'resolvers' can find", p.Name, s.Name, s.Address.Host)
		}
	case l.resolvers(s.Resolvers) != nil:
	case s.Resolvers == "default":
		d := newResolvers(Pos{}, "default")
		d.Implicit, d.ParseResolvConf = true, true
		l.config.Resolvers = append(l.config.Resolvers, d)
	default:
		var known []string
		for _, r := range l.config.Resolvers {
			known = append(known, r.Name)
		}
		l.alertAt(s.Pos, "server '%s/%s' : there is no 'resolvers' section named '%s'%s", p.Name, s.Name, s.Resolvers, didYouMean(s.Resolvers, known))
	}
}

// portOfCheck tells whether a check knows where to go: by the server's line, by the answer to a service's name, or by a
// script that begins with a connection to a port.
func (s *Server) portOfCheck(p *Proxy) bool {
	switch {
	case s.Address.Family == Unix, s.Address.Family == Abstract, s.Address.Port != 0 && !s.Address.PortOffset, s.Check.Port != 0, s.SRV():
		return true
	}
	if a := s.Check.Address; a != nil && (a.Port != 0 || a.Family == Unix || a.Family == Abstract) {
		return true
	}
	script := p.Health.Script()
	if first := nextStep(script, 0); first < len(script) {
		c := script[first].Connect
		return c.Port != "" || c.Address != nil && (c.Address.Port != 0 || c.Address.Family == Unix)
	}
	return false
}

func (l *loader) resolvers(name string) *Resolvers {
	for _, r := range l.config.Resolvers {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// validateSections complains about sections that help nobody.
func (l *loader) validateSections() {
	for _, r := range l.config.Resolvers {
		if r.Name != "" && len(r.NameServers) == 0 && !r.ParseResolvConf {
			l.warnAt(r.Pos, "resolvers '%s' has no name server", r.Name)
		}
	}
	for _, m := range l.config.Mailers {
		if m.Name != "" && len(m.Mailers) == 0 {
			l.warnAt(m.Pos, "mailers '%s' has no mailer", m.Name)
		}
	}
}
