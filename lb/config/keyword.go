package config

import (
	"slices"
	"strings"
	"sync"
)

// Sections is a set of places where a keyword may stand.
type Sections uint32

// The places: four kinds of section, and the lines that take options of their own.
const (
	InGlobal Sections = 1 << iota
	InDefaults
	InFrontend
	InListen
	InBackend
	OnBind
	OnServer
	OnDefaultServer
	OnStatsSocket
	InResolvers
	InMailers
	InTenant
	OnStatsListen
	InRings
	OnRingServer
	InNamespaceList

	inFrontends = InDefaults | InFrontend | InListen // the client side
	inBackends  = InDefaults | InListen | InBackend  // the server side
	inProxies   = inFrontends | inBackends
	inRuns      = InFrontend | InListen | InBackend // proxies, but not their defaults
	onServers   = OnServer | OnDefaultServer
)

var sectionNames = []string{"global", "defaults", "frontend", "listen", "backend", "bind", "server", "default-server", "stats socket", "resolvers", "mailers", "tenant", "stats listen", "ring", "ring server", "namespace_list"}

// Names lists the places of the set.
func (s Sections) Names() []string {
	var names []string
	for i, name := range sectionNames {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Effect says whether sluice acts on a keyword that it accepts.
type Effect uint8

// A keyword that is not Acted upon gives one warning for each run of Load.
const (
	Acted    Effect = iota
	Later           // kept in the model; what it asks for is not done yet
	NoEffect        // accepted for the sake of existing files, has no meaning here
)

// Keyword is one entry of the language. Bind and server options are keywords too.
type Keyword struct {
	Name     string // one or two words, "timeout client"
	Sections Sections
	Syntax   string // its arguments
	Unit     string // of a bare number; empty where there is none
	Default  string // what holds without it; empty: nothing
	Summary  string // one sentence or two
	Example  string // a whole line; for an option, only the option
	Effect   Effect

	minimum, maximum int  // words after the name; maximum < 0: any number
	negatable        bool // "no" may precede it, and "default" too for an option
	once             bool // a repetition is a warning, and the first stays
	experimental     bool // refused unless expose-experimental-directives stands above it
	strict           bool // on the wrong side of a proxy it is an alert, not a warning
	deprecated       string
	reason           string                 // why a keyword is not Acted upon; one warning for all keywords that share it
	extent           func(words []Word) int // options of a line: how many words belong to it; nil: minimum
	behaviour
}

// behaviour ties a keyword to the model. print is nil where another keyword prints the state.
type behaviour struct {
	parse func(*statement)
	print func(*printer)
}

// Keywords lists all that is accepted, in the order in which Print writes it. The caller may keep the slice.
func Keywords() []Keyword {
	all := keywords()
	list := make([]Keyword, len(all))
	for i, k := range all {
		list[i] = *k
	}
	return list
}

// The tables are built on first use, since they refer to functions that refer to them.
var (
	build    sync.Once
	everyone []*Keyword                       // all of them, in order
	byPlace  map[Sections]map[string]*Keyword // by place and name
)

func buildTables() {
	for _, table := range [][]Keyword{
		globalKeywords(), healthGlobalKeywords(), tuneKeywords(), proxyKeywords(), pageKeywords(), timeoutKeywords(), keepAliveKeywords(), optionKeywords(),
		checkOptionKeywords(), checkRuleKeywords(), stateKeywords(), emailKeywords(), resolversKeywords(), mailersKeywords(), tenantKeywords(), ringKeywords(),
		balanceKeywords(), logKeywords(), ruleKeywords(), listenerKeywords(), bindKeywords(), statsListenKeywords(), serverKeywords(), namespaceKeywords(),
	} {
		for i := range table {
			everyone = append(everyone, &table[i])
		}
	}
	byPlace = map[Sections]map[string]*Keyword{}
	for i := range sectionNames {
		place := Sections(1 << i)
		byPlace[place] = map[string]*Keyword{}
		for _, k := range everyone {
			if k.Sections&place != 0 {
				byPlace[place][k.Name] = k
			}
		}
	}
}

func keywords() []*Keyword {
	build.Do(buildTables)
	return everyone
}

// in gives the keywords of one place by name.
func in(place Sections) map[string]*Keyword {
	build.Do(buildTables)
	return byPlace[place]
}

// find gives the keyword of the longest name that the words begin with, and the number of words that its name has.
func find(place Sections, words []Word) (*Keyword, int) {
	table := in(place)
	if len(words) > 1 {
		second, _, _ := strings.Cut(words[1].Text, "(") // "set-var(check.port)"
		if k := table[words[0].Text+" "+second]; k != nil {
			return k, 2
		}
	}
	if k := table[words[0].Text]; k != nil {
		return k, 1
	}
	return nil, 0
}

// elsewhere gives the places in which the words would be a keyword.
func elsewhere(words []Word, among Sections) Sections {
	var places Sections
	for place := Sections(1); place <= InNamespaceList; place <<= 1 {
		if k, _ := find(place, words); k != nil && place&among != 0 {
			places |= place
		}
	}
	return places
}

// names lists the keywords of a place that begin with a prefix, without the prefix, for a "did you mean".
func names(place Sections, prefix string) []string {
	var list []string
	for name := range in(place) {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			list = append(list, rest)
		}
	}
	slices.Sort(list)
	return list
}
