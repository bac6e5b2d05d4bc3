package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// LoadOptions are what Load needs from rooms that it must not import.
type LoadOptions struct {
	// CheckLogFormat tells what is wrong with the argument of log-format or error-log-format. nil: anything goes.
	CheckLogFormat func(format string, env *Env) error
	// CheckLogJSON does the same for the items of log-format-json.
	CheckLogJSON func(items []string, env *Env) error
}

// Load reads files, in order, as one configuration. It gives all complaints that it has about all of them, in the order
// of the text; the configuration is nil if one of them is an Alert. env is changed by setenv and its like;
// nil is an empty environment.
func Load(files []File, env *Env, o LoadOptions) (*Config, []Diagnostic) {
	if env == nil {
		env = NewEnv(nil)
	}
	l := &loader{
		env: env, options: o, config: &Config{Global: newGlobal()}, defaults: map[string]*defaultsSection{}, effects: map[string]*effect{},
		given: map[*Keyword]Pos{}, named: map[string][]*Proxy{},
	}
	l.reader = NewReader(files, env, l.report)
	for {
		line, ok := l.reader.Next()
		if !ok {
			break
		}
		l.line(line)
	}
	l.tellEffects()
	l.settlePages()
	l.settleHealth()
	l.validate()
	l.sort(files)
	if l.failed {
		return nil, l.diagnostics
	}
	l.assignIDs()
	return l.config, l.diagnostics
}

// loader reads one configuration. It belongs to one call of Load.
type loader struct {
	env     *Env
	options LoadOptions
	http    []*needsHTTP // in the order of the text
	reader  *Reader
	config  *Config

	diagnostics []Diagnostic
	failed      bool // one of them is an Alert

	place    Sections            // the section of the current line; 0 before the first one
	skipping bool                // it is a section that is not read
	proxy    *Proxy              // of the current section; nil in global
	dns      *Resolvers          // the same for "resolvers"
	mail     *Mailers            // and for "mailers"
	tenant   *Tenant             // and for "tenant"
	ring     *Ring               // and for "ring"
	named    map[string][]*Proxy // all proxies; a frontend and a backend may share a name
	defaults map[string]*defaultsSection
	latest   *Proxy            // of the last defaults section, named or not
	given    map[*Keyword]Pos  // keywords that the global sections have given, of those that count once
	timeouts map[*Keyword]bool // given in the current section

	toldRings []Pos // of log lines whose rings were looked for

	effects map[string]*effect
	order   []*effect
}

// defaultsSection is a named one.
type defaultsSection struct {
	proxy   *Proxy
	doubled bool // the name is not unique
}

// effect collects the keywords that are accepted without being acted upon, for one warning.
type effect struct {
	pos    Pos
	names  []string
	seen   map[string]bool
	reason string
}

// sort puts the diagnostics into the order of the text. What is about no line comes last.
func (l *loader) sort(files []File) {
	order := map[string]int{}
	for i, f := range slices.Backward(files) {
		order[f.Name] = i
	}
	slices.SortStableFunc(l.diagnostics, func(a, b Diagnostic) int {
		if general := cmp.Compare(min(b.Pos.Line, 1), min(a.Pos.Line, 1)); general != 0 {
			return general
		}
		return cmp.Or(cmp.Compare(order[a.Pos.File], order[b.Pos.File]), cmp.Compare(a.Pos.Line, b.Pos.Line))
	})
}

func newGlobal() Global {
	g := Global{StrictLimits: true, NUMAMapping: true, StatsMaxConn: 10, StatsTimeout: 10e9, DefaultPath: "current"}
	g.Tune.IdleTimer = 1e9
	return g
}

func (l *loader) report(d Diagnostic) {
	l.diagnostics = append(l.diagnostics, d)
	l.failed = l.failed || d.Severity == Alert
}

func (l *loader) alertAt(pos Pos, format string, a ...any) {
	l.report(Diagnostic{Alert, pos, fmt.Sprintf(format, a...)})
}

func (l *loader) warnAt(pos Pos, format string, a ...any) {
	l.report(Diagnostic{Warning, pos, fmt.Sprintf(format, a...)})
}

// line opens a section, or reads a keyword of the section that is open.
func (l *loader) line(line Line) {
	switch words := line.Words; {
	case l.section(line):
	case l.skipping:
	case l.place == 0:
		l.alertAt(line.Pos, "unknown keyword '%s' out of section%s", words[0].Text, didYouMean(words[0].Text, openers))
	default:
		l.keyword(line)
	}
}

// keyword reads one line of a section.
func (l *loader) keyword(line Line) {
	s := statement{loader: l, pos: line.Pos, place: l.place, global: &l.config.Global, proxy: l.proxy, dns: l.dns, mail: l.mail, tenant: l.tenant, ring: l.ring}
	words, prefix := line.Words, ""
	if first := words[0].Text; first == "no" || first == "default" {
		if len(words) == 1 {
			l.alertAt(line.Pos, "'%s' expects a keyword", first)
			return
		}
		prefix, words = first, words[1:]
		s.no, s.reset = first == "no", first == "default"
	}
	k, count := find(l.place, words)
	if k == nil {
		k, count = l.misplaced(line.Pos, words)
		if k == nil {
			return
		}
		s.proxy = l.proxy.derive(Listen, l.proxy.Name, l.proxy.Pos) // read for what is wrong with it, and forgotten
	}
	s.key, s.word, s.args = k, words[count-1].Text, words[count:]
	switch {
	case s.no && !k.negatable, s.reset && !(k.negatable && words[0].Text == "option"):
		l.alertAt(line.Pos, "'%s' cannot stand before '%s'", prefix, k.Name)
		return
	case len(s.args) < k.minimum && !s.no:
		s.alert("expects %s", k.Syntax)
		return
	case k.maximum >= 0 && len(s.args) > k.maximum:
		s.alert("has an unexpected argument '%s'", s.text(k.maximum))
		return
	}
	if k.experimental && !l.config.Global.Experimental {
		s.alert("is experimental, and needs 'expose-experimental-directives' above it")
		return
	}
	if l.repeated(&s) {
		return
	}
	l.tell(k, s.pos)
	if k.deprecated != "" {
		s.warn("is deprecated: %s", k.deprecated)
	}
	k.parse(&s)
}

// repeated complains about what is given twice, and tells whether the line is to be ignored.
func (l *loader) repeated(s *statement) bool {
	switch k := s.key; {
	case k.once:
		if before, given := l.given[k]; given {
			s.warn("was already given at %s:%d, the first one counts", before.File, before.Line)
			return true
		}
		l.given[k] = s.pos
	case strings.HasPrefix(k.Name, "timeout ") && l.place != InDefaults:
		if l.timeouts[k] {
			s.warn("takes the place of an earlier one in the same section")
		}
		l.timeouts[k] = true
	}
	return false
}

// misplaced complains about a keyword that the section does not have. The keyword comes back if it is only a warning.
func (l *loader) misplaced(pos Pos, words []Word) (*Keyword, int) {
	name, section := words[0].Text, l.place.Names()[0]
	if others := elsewhere(words, inRuns|InDefaults|InGlobal); others != 0 {
		near := others
		inRun := l.place&inRuns != 0
		if inRun && others&inRuns != 0 {
			near &= inRuns
		}
		k, count := find(near&-near, words)
		switch {
		case inRun && others&inRuns != 0 && !k.strict:
			l.warnAt(pos, "'%s' is ignored, because %s '%s' has no %s side", k.Name, section, l.proxy.Name, missingSide(l.place))
			return k, count
		default:
			l.alertAt(pos, "'%s' is not allowed in a '%s' section, only in %s", k.Name, section, quoteAll((others & (InGlobal | inProxies)).Names()))
		}
		return nil, 0
	}
	if full, reason := why(l.place, words); reason != "" {
		if reason == noHTTP && l.place&inFrontends != 0 && harmlessOnPage(full) {
			l.proxy.ifHTTP(l, pos, full, "'"+full+"' "+reason, false)
			return nil, 0
		}
		l.alertAt(pos, "'%s' %s", full, reason)
		return nil, 0
	}
	if second := names(l.place, name+" "); len(second) > 0 {
		if len(words) == 1 {
			l.alertAt(pos, "'%s' expects one of %s", name, quoteAll(second))
			return nil, 0
		}
		l.alertAt(pos, "unknown keyword '%s %s' in '%s' section%s", name, words[1].Text, section, didYouMean(words[1].Text, second))
		return nil, 0
	}
	var first []string
	for _, known := range names(l.place, "") {
		word, _, _ := strings.Cut(known, " ")
		first = append(first, word)
	}
	l.alertAt(pos, "unknown keyword '%s' in '%s' section%s", name, section, didYouMean(name, append(first, openers...)))
	return nil, 0
}

func missingSide(place Sections) string {
	if place == InBackend {
		return "frontend"
	}
	return "backend"
}

// tell notes a keyword that is not acted upon.
func (l *loader) tell(k *Keyword, pos Pos) {
	if k.Effect == Acted {
		return
	}
	key := k.reason
	if k.Effect == NoEffect {
		key = k.Name
	}
	e := l.effects[key]
	if e == nil {
		e = &effect{pos: pos, seen: map[string]bool{}, reason: k.reason}
		l.effects[key] = e
		l.order = append(l.order, e)
	}
	if !e.seen[k.Name] {
		e.seen[k.Name] = true
		e.names = append(e.names, k.Name)
	}
}

// tellEffects gives one warning for each reason, at the first keyword that it is about.
func (l *loader) tellEffects() {
	for _, e := range l.order {
		verb := "has"
		if len(e.names) > 1 {
			verb = "have"
		}
		l.warnAt(e.pos, "%s %s no effect: %s", quoteAll(e.names), verb, e.reason)
	}
}
