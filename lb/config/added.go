package config

// Added reads what stands behind "server" on a line, the name, the address and the options, as a server that is added to p while the
// process runs. It begins as p's "default-server" lines say, and Disabled, unless "enabled" stands there. server finds another
// one, of all that there are now, for "track"; it is the caller who sees to it that name, id and guid are free, and gives an id where
// none was given (0).
//
// The complaints are about no place in a file. The server is nil if one of them is an Alert.
func (c *Config) Added(p *Proxy, words []string, server func(proxy, name string) *Server) (*Server, []Diagnostic) {
	l := &loader{env: NewEnv(nil), config: c, effects: map[string]*effect{}}
	s := &statement{loader: l, global: &c.Global, proxy: p, place: InBackend, key: in(InBackend)["server"]}
	if len(words) < 2 {
		l.alertAt(Pos{}, "'server' expects <name> and <addr>[:<port>] as arguments.")
		return nil, l.diagnostics
	}
	for _, w := range words {
		s.args = append(s.args, Word{Text: w})
	}
	x := s.added()
	if x == nil {
		return nil, l.diagnostics
	}
	l.tellEffects()
	x.settleLimits()
	for _, r := range notAdded {
		if r.has(x) {
			l.alertAt(Pos{}, "'%s' %s", r.name, r.why)
		}
	}
	if x.Resolvers != "" && l.resolvers(x.Resolvers) == nil {
		l.alertAt(Pos{}, "there is no 'resolvers' section named '%s'", x.Resolvers)
	}
	if !l.failed {
		l.validateServer(p, x)
		l.validateTrack(p, x, server)
	}
	if l.failed {
		return nil, l.diagnostics
	}
	return x, l.diagnostics
}

// added makes the server of a statement's arguments; nil: that was not possible, and was said.
func (s *statement) added() *Server {
	if !s.validName(s.text(0)) {
		return nil
	}
	address, ok := s.serverAddress(1)
	if !ok {
		return nil
	}
	x := s.proxy.defaultServer.clone(Pos{}, s.text(0), address)
	x.Disabled = true
	o := *s
	o.server, o.place = x, OnServer
	o.parseOptions(s.args[2:])
	x.IDGiven = x.ID != 0
	return x
}

// notAdded are the options that a server cannot have if it is added at run time.
var notAdded = []struct {
	name string
	why  string
	has  func(*Server) bool
}{
	{"resolvers", "cannot be on a server that is added at run time and stands for a service: 'server-template' makes those", func(s *Server) bool { return s.SRV() }},
}
