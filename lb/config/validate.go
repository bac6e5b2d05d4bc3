package config

import (
	"fmt"
	"strings"
)

// validate looks at what no single line shows, and resolves what depends on other lines.
func (l *loader) validate() {
	for i := range l.config.Global.Logs {
		l.resolveLog(&l.config.Global.Logs[i])
	}
	l.uniqueGUIDs()
	l.uniqueIDs("proxy", len(l.config.Proxies), func(i int) (int, string, Pos) {
		p := l.config.Proxies[i]
		return p.ID, p.Name, p.Pos
	})
	for _, p := range l.config.Proxies {
		for i := range p.Logs {
			l.resolveLog(&p.Logs[i])
		}
		for _, s := range p.Servers {
			s.settleLimits()
		}
		if p.Disabled {
			continue // as HAProxy does: nothing of it will run
		}
		if p.IsPage() {
			l.validatePage(p)
			continue
		}
		if p.Kind&Frontend != 0 {
			l.validateFrontend(p)
		}
		if p.Kind&Backend != 0 {
			l.validateBackend(p)
		}
		l.validateTimeouts(p)
		l.validateHealth(p)
	}
	l.validateLookups()
	l.validateTracks()
	l.validateNamespaces()
	l.validateSections()
	l.checkTenants()
	l.validateRings()
}

// resolveLog settles the format, which depends on a global keyword that may stand below, and looks for the ring.
func (l *loader) resolveLog(t *LogTarget) {
	if t.Network == "ring" {
		l.resolveRing(t)
	}
	if t.Format == "" {
		t.Format = "local"
		if l.config.Global.SendHostname {
			t.Format = "rfc3164"
		}
	}
}

// backendNamed finds a proxy that has servers.
func (l *loader) backendNamed(name string) *Proxy {
	for _, p := range l.named[name] {
		if p.Kind&Backend != 0 {
			return p
		}
	}
	return nil
}

// validateBinds looks at the addresses that a frontend listens on.
func (l *loader) validateBinds(p *Proxy) {
	l.uniqueIDs("listener", len(p.Binds), func(i int) (int, string, Pos) { return p.Binds[i].ID, p.Binds[i].Address.String(), p.Binds[i].Pos })
	for _, b := range p.Binds {
		if b.Address.Family == Unix || b.Address.Family == Abstract || b.Address.Family == Inherited {
			continue
		}
		if b.Address.Port == 0 {
			l.alertAt(b.Pos, "'bind' needs a port")
		}
	}
	if len(p.Binds) == 0 {
		l.warnAt(p.Pos, "%s '%s' has no 'bind': it hears nobody", p.Kind, p.Name)
	}
}

func (l *loader) validateFrontend(p *Proxy) {
	l.validateBinds(p)
	if len(p.Logs) == 0 && (p.Options.TCPLog || p.LogFormat != "" || p.LogJSON) {
		l.warnAt(p.Pos, "%s '%s' has a log format but no 'log': nothing is logged", p.Kind, p.Name)
	}
	l.target(p, p.Pos, "default_backend", p.DefaultBackend)
	for _, use := range p.UseBackend {
		l.target(p, use.Pos, "use_backend", use.Name)
	}
	for i := 1; i < len(p.UseBackend); i++ {
		l.warnAt(p.UseBackend[i].Pos, "'use_backend %s' is never reached, because the one above has no condition", p.UseBackend[i].Name)
	}
	if p.Kind == Frontend && p.DefaultBackend == "" && len(p.UseBackend) == 0 {
		l.report(Diagnostic{Notice, p.Pos, fmt.Sprintf("frontend '%s' has no backend: it closes what it accepts", p.Name)})
	}
}

// target complains about a backend that is not there.
func (l *loader) target(p *Proxy, pos Pos, keyword, name string) {
	if name == "" {
		return
	}
	switch found := l.backendNamed(name); {
	case found == nil:
		var known []string
		for _, other := range l.config.Proxies {
			if other.Kind&Backend != 0 {
				known = append(known, other.Name)
			}
		}
		l.alertAt(pos, "%s '%s' : there is no backend '%s' for '%s'%s", p.Kind, p.Name, name, keyword, didYouMean(name, known))
	case found == p:
		l.alertAt(pos, "%s '%s' : '%s %s' leads back to itself", p.Kind, p.Name, keyword, name)
	}
}

func (l *loader) validateBackend(p *Proxy) {
	l.uniqueIDs("server", len(p.Servers), func(i int) (int, string, Pos) { return p.Servers[i].ID, p.Servers[i].Name, p.Servers[i].Pos })
	names := map[string]*Server{}
	for _, s := range p.Servers {
		if other := names[s.Name]; other != nil {
			l.alertAt(s.Pos, "%s '%s' has another server named '%s' at %s:%d", p.Kind, p.Name, s.Name, other.Pos.File, other.Pos.Line)
		} else {
			names[s.Name] = s
		}
		l.validateServer(p, s)
	}
}

// settleLimits makes the limit of a server that has only one of the two a fixed one.
func (s *Server) settleLimits() {
	if s.MinConn > s.MaxConn {
		s.MaxConn = s.MinConn
	} else if s.MinConn == 0 {
		s.MinConn = s.MaxConn
	}
}

func (l *loader) validateServer(p *Proxy, s *Server) {
	l.validateChecked(p, s)
	if s.Check.Agent && s.Check.AgentPort == 0 {
		l.alertAt(s.Pos, "server '%s/%s' : 'agent-check' needs an 'agent-port'", p.Name, s.Name)
	}
	if s.Check.Enabled && s.Track != "" {
		l.alertAt(s.Pos, "server '%s/%s' cannot have both 'check' and 'track'", p.Name, s.Name)
	}
}

// validateTimeouts complains about flows that would live for ever.
func (l *loader) validateTimeouts(p *Proxy) {
	var missing []string
	if p.Kind&Frontend != 0 && p.Timeouts.Client == 0 {
		missing = append(missing, "timeout client")
	}
	if p.Kind&Backend != 0 && len(p.Servers) > 0 {
		if p.Timeouts.Connect == 0 {
			missing = append(missing, "timeout connect")
		}
		if p.Timeouts.Server == 0 && p.Timeouts.Tunnel == 0 {
			missing = append(missing, "timeout server")
		}
	}
	if len(missing) > 0 {
		l.warnAt(p.Pos, "missing timeouts for %s '%s': without %s, dead connections are never noticed", p.Kind, p.Name, quoteAll(missing))
	}
}

// uniqueIDs complains about a given number that two have.
func (l *loader) uniqueIDs(what string, count int, at func(int) (id int, name string, pos Pos)) {
	owners := map[int]int{}
	for i := range count {
		id, name, pos := at(i)
		if id == 0 {
			continue
		}
		if owner, taken := owners[id]; taken {
			_, other, _ := at(owner)
			l.alertAt(pos, "%s '%s' : id %d is already that of '%s'", what, name, id, other)
			continue
		}
		owners[id] = i
	}
}

func (l *loader) uniqueGUIDs() {
	owners := map[string]string{}
	claim := func(guid, owner string, pos Pos) {
		if guid == "" {
			return
		}
		if other, taken := owners[guid]; taken {
			l.alertAt(pos, "guid '%s' of %s is already that of %s", guid, owner, other)
			return
		}
		owners[guid] = owner
	}
	for _, p := range l.config.Proxies {
		claim(p.GUID, fmt.Sprintf("%s '%s'", p.Kind, p.Name), p.Pos)
		for _, s := range p.Servers {
			claim(s.GUID, fmt.Sprintf("server '%s/%s'", p.Name, s.Name), s.Pos)
		}
	}
}

// validateTracks follows each "track" to a server that is checked.
func (l *loader) validateTracks() {
	servers := map[string]map[string]*Server{}
	for _, p := range l.config.Proxies {
		if p.Kind&Backend == 0 {
			continue
		}
		table := map[string]*Server{}
		for _, s := range p.Servers {
			table[s.Name] = s
		}
		servers[p.Name] = table
	}
	for _, p := range l.config.Proxies {
		for _, s := range p.Servers {
			if !p.Disabled {
				l.validateTrack(p, s, func(proxy, name string) *Server { return servers[proxy][name] })
			}
		}
	}
}

func (l *loader) validateTrack(p *Proxy, s *Server, server func(proxy, name string) *Server) {
	if s.Track == "" {
		return
	}
	backend, at := p.Name, s
	seen := map[*Server]bool{}
	defer func() {
		if _, _, other := strings.Cut(s.Track, "/"); !other {
			s.Track = p.Name + "/" + s.Track
		}
	}()
	for at.Track != "" {
		if seen[at] {
			l.alertAt(s.Pos, "server '%s/%s' : 'track %s' leads back to itself", p.Name, s.Name, s.Track)
			return
		}
		seen[at] = true
		proxy, name, other := strings.Cut(at.Track, "/")
		if !other {
			proxy, name = backend, at.Track
		}
		next := server(proxy, name)
		if next == nil {
			l.alertAt(s.Pos, "server '%s/%s' : there is no server '%s/%s' to track", p.Name, s.Name, proxy, name)
			return
		}
		backend, at = proxy, next
	}
	if !at.Check.Enabled && !at.Check.Agent {
		l.alertAt(s.Pos, "server '%s/%s' : '%s/%s' cannot be tracked, because it has no 'check'", p.Name, s.Name, backend, at.Name)
	}
}
