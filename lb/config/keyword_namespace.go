package config

import "strings"

// namespaceKeywords are those about network namespaces: an option of binds and servers, and the section that says which of them
// a PROXY header may name.
func namespaceKeywords() []Keyword {
	const late = " **Extension:** with `late` it need not exist yet: it is awaited."
	bind := func(t target) (*string, *bool) { return &t.bind.Namespace, &t.bind.NamespaceLate }
	server := func(t target) (*string, *bool) { return &t.server.Namespace, &t.server.NamespaceLate }
	return []Keyword{
		{Name: "namespace", Sections: InNamespaceList, Syntax: "{ <name> | <path> } [late]", Summary: "A network namespace that the PROXY header of a client may name, besides those that a `bind` or `server` has." + late, Example: "namespace blue",
			minimum: 1, maximum: 2, behaviour: behaviour{parse: parseListedNamespace, print: printListedNamespaces}},
		{Name: "namespace", Sections: OnBind | OnStatsSocket, Syntax: "{ <name> | <path> } [late]", Default: "that of the process", Summary: "Network namespace in which it listens, by its name in /var/run/netns or by a path." + late, Example: "namespace blue late",
			minimum: 1, maximum: 1, extent: namespaceExtent, behaviour: namespace(bind, false)},
		{Name: "namespace", Sections: OnStatsListen, Syntax: "{ <name> | <path> }", Default: "that of the process", Summary: "Network namespace in which it listens.", Example: "namespace blue",
			minimum: 1, maximum: 1, behaviour: namespace(bind, false)},
		{Name: "namespace", Sections: onServers, Syntax: "{ <name> | <path> | * } [late]", Default: "that of the process", Summary: "Network namespace from which the server is reached, by its name in /var/run/netns or by a path. `*`: the one that the client's PROXY header names, or else the one of the `bind`." + late, Example: "namespace blue",
			minimum: 1, maximum: 1, extent: namespaceExtent, behaviour: namespace(server, true)},
	}
}

// ClientNamespace is what a server's "namespace" says for that of its client.
const ClientNamespace = "*"

func namespaceExtent(words []Word) int {
	if len(words) > 1 && words[1].Text == "late" {
		return 2
	}
	return 1
}

func namespace(at func(target) (*string, *bool), wild bool) behaviour {
	return behaviour{
		parse: func(s *statement) {
			late := len(s.args) > 1
			switch name := s.text(0); {
			case name == ClientNamespace && wild && late:
				s.alert("cannot await '*', which is no namespace of its own: 'late' stands where the namespaces are named")
			case name == ClientNamespace && wild, s.namespaceName(name):
				n, l := at(s.target())
				*n, *l = name, late
			}
		},
		print: func(p *printer) {
			switch n, late := at(p.target); {
			case *late:
				p.write(*n, "late")
			case *n != "":
				p.write(*n)
			}
		},
	}
}

// namespaceName complains about what cannot be a name in /var/run/netns, nor an absolute path.
func (s *statement) namespaceName(name string) bool {
	switch {
	case strings.HasPrefix(name, "/"):
		return true
	case name == "":
		s.alert("expects a name, not an empty word")
	case name == ClientNamespace:
		s.alert("can be '*' for a server only")
	case strings.Contains(name, "/"), name == ".", name == "..":
		s.alert("expects a name in /var/run/netns, or a path that begins with '/', not '%s'", name)
	default:
		return true
	}
	return false
}

func (l *loader) openNamespaceList(line Line) {
	if len(line.Words) > 1 {
		l.alertAt(line.Pos, "'namespace_list' has an unexpected argument '%s'", line.Words[1].Text)
	}
}

func parseListedNamespace(s *statement) {
	if !s.namespaceName(s.text(0)) {
		return
	}
	late := len(s.args) > 1
	if late {
		if _, ok := s.one(1, "late"); !ok {
			return
		}
	}
	s.config.Namespaces = append(s.config.Namespaces, Namespace{s.pos, s.text(0), late})
}

func printListedNamespaces(p *printer) {
	for _, n := range p.listed {
		if n.Late {
			p.write(n.Name, "late")
		} else {
			p.write(n.Name)
		}
	}
}

// validateNamespaces complains about binds whose socket comes from elsewhere, or cannot come later.
func (l *loader) validateNamespaces() {
	inherited := func(b *Bind) {
		if b.Namespace != "" && b.Address.Family == Inherited {
			l.alertAt(b.Pos, "bind : 'namespace' means nothing for %s, a socket that exists already", b.Address)
		}
	}
	page := func(b *Bind) { // Go's own server has it, which keeps its socket
		inherited(b)
		if b.NamespaceLate {
			l.alertAt(b.Pos, "bind : a statistics listener cannot await its 'namespace': 'late' is for others")
		}
	}
	for _, p := range l.config.Proxies {
		for _, b := range p.Binds {
			if p.IsPage() {
				page(b)
			} else {
				inherited(b)
			}
		}
	}
	for _, s := range l.config.Global.StatsListens {
		inherited(&s.Bind)
	}
	for i := range l.config.Global.StatsSockets {
		inherited(&l.config.Global.StatsSockets[i].Bind)
	}
}
