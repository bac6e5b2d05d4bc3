package config

import (
	"strconv"
	"strings"
)

// Guard is "ebpf-guard": an XDP program in front of the network stack. Rates are SYNs per second; 0: no limit.
type Guard struct {
	Pos                     Pos
	Interfaces              []string
	Mode                    string // auto (default), native, generic
	DenyFile                string // empty: none
	SourceRate, SourceBurst int    // of each source; a burst of 0 is as many as the rate
	PrefixRate, PrefixBurst int    // of each prefix
	Prefix4, Prefix6        int    // bits of the prefixes; 0: 24 and 64
}

// guardNumbers are the words of "ebpf-guard" that a number follows.
var guardNumbers = []struct {
	word string
	most int
	at   func(*Guard) *int
}{
	{"syn-rate", 1_000_000, func(g *Guard) *int { return &g.SourceRate }},
	{"syn-burst", 1_000_000, func(g *Guard) *int { return &g.SourceBurst }},
	{"prefix-syn-rate", 10_000_000, func(g *Guard) *int { return &g.PrefixRate }},
	{"prefix-syn-burst", 10_000_000, func(g *Guard) *int { return &g.PrefixBurst }},
	{"prefix-ipv4", 32, func(g *Guard) *int { return &g.Prefix4 }},
	{"prefix-ipv6", 128, func(g *Guard) *int { return &g.Prefix6 }},
}

func parseGuard(s *statement) {
	if s.global.EBPFGuard != nil {
		s.alert("is there already, at %s:%d: several interfaces are given as a list, like 'interface eth0,eth1'", s.global.EBPFGuard.Pos.File, s.global.EBPFGuard.Pos.Line)
		return
	}
	g := &Guard{Pos: s.pos, Mode: "auto"}
	for i := 0; i < len(s.args); i += 2 {
		word := s.text(i)
		if i+1 == len(s.args) {
			s.alert("expects a value behind '%s'", word)
			return
		}
		if !s.guardWord(g, word, i+1) {
			return
		}
	}
	switch {
	case len(g.Interfaces) == 0:
		s.alert("expects 'interface' with the names of one or more")
		return
	case g.SourceBurst > 0 && g.SourceRate == 0, g.PrefixBurst > 0 && g.PrefixRate == 0:
		s.alert("has a burst without its rate")
		return
	}
	s.global.EBPFGuard = g
}

// guardWord reads one word with the value at i.
func (s *statement) guardWord(g *Guard, word string, i int) (ok bool) {
	switch word {
	case "interface":
		for name := range strings.SplitSeq(s.text(i), ",") {
			if name == "" || len(name) > 15 || strings.ContainsAny(name, "/ ") {
				s.alert("has '%s', which is no name of an interface", name)
				return false
			}
			g.Interfaces = append(g.Interfaces, name)
		}
		return true
	case "mode":
		g.Mode, ok = s.one(i, "auto", "native", "generic")
		return ok
	case "deny-file":
		g.DenyFile = s.text(i)
		return true
	}
	var names []string
	for _, n := range guardNumbers {
		if n.word == word {
			*n.at(g), ok = s.number(i, 1, n.most)
			return ok
		}
		names = append(names, n.word)
	}
	s.unknownWord(word, append(names, "interface", "mode", "deny-file")...)
	return false
}

func printGuard(p *printer) {
	g := p.global.EBPFGuard
	if g == nil {
		return
	}
	words := []string{"interface", strings.Join(g.Interfaces, ",")}
	if g.Mode != "auto" {
		words = append(words, "mode", g.Mode)
	}
	if g.DenyFile != "" {
		words = append(words, "deny-file", g.DenyFile)
	}
	for _, n := range guardNumbers {
		if v := *n.at(g); v > 0 {
			words = append(words, n.word, strconv.Itoa(v))
		}
	}
	p.write(words...)
}
