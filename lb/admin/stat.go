package admin

import (
	"slices"
	"strconv"
	"strings"
)

// selection is what "show stat" was asked for.
type selection struct {
	proxy, id  int // -1: all
	types      int // bits, -1: all
	up, noMain bool
	typed      bool
	json       bool
	desc       bool
	suits      func(*Proxy) bool // nil: all
}

// showStat is "show stat [{<iid>|<proxy>} <type> <sid>] [typed|json] [desc] [up|no-maint]".
func (s *session) showStat(arguments []string) {
	want := selection{proxy: -1, id: -1, types: -1}
	if len(arguments) >= 2 && arguments[0] == "domain" {
		if arguments[1] != "proxy" {
			s.answer.fail("'domain' can only be 'proxy' here.")
			return
		}
		arguments = arguments[2:]
	}
	if len(arguments) >= 3 {
		p := s.proxyNamed(arguments[0])
		n, err := strconv.Atoi(arguments[0])
		switch {
		case p != nil:
			want.proxy = p.ID
		case err == nil:
			want.proxy = n
		case !isWord(arguments[0]):
			s.answer.fail("No such proxy.")
			return
		}
		if p != nil || err == nil {
			want.types, _ = strconv.Atoi(arguments[1])
			want.id, _ = strconv.Atoi(arguments[2])
			arguments = arguments[3:]
		}
	}
	want.typed, want.json = slices.Contains(arguments, "typed"), slices.Contains(arguments, "json")
	want.desc = slices.Contains(arguments, "desc")
	want.up, want.noMain = slices.Contains(arguments, "up"), slices.Contains(arguments, "no-maint")
	s.writeStat(want)
}

func isWord(w string) bool {
	return slices.Contains([]string{"typed", "json", "desc", "up", "no-maint"}, w)
}

func (s *session) writeStat(want selection) {
	a := s.answer
	switch {
	case want.json:
		a.printf("[")
	case !want.typed:
		a.printf("# ")
		for i := range columns {
			a.printf("%s,", columns[i].name)
		}
		a.printf("-,\n")
	}
	first := true
	s.cli.rows(want, s.level, func(r *Row) bool {
		switch {
		case want.json:
			if !first {
				a.printf(",")
			}
			s.writeJSONRow(r)
		case want.typed:
			s.writeTypedRow(r, want.desc)
		default:
			for i := range r.row {
				a.printf("%s,", quoted(r.row[i].String()))
			}
			a.printf("-,\n")
		}
		first = false
		return a.err == nil
	})
	if want.json {
		a.printf("]\n")
	}
}

const typeLetters = "FBSL"

var typeNames = [...]string{"Frontend", "Backend", "Server", "Listener"}

func (s *session) writeTypedRow(r *Row, desc bool) {
	prefix := string(typeLetters[r.Type]) + "." + r.row[iid].String() + "." + r.row[sid].String() + "."
	for i := range r.row {
		if !r.row[i].Empty() {
			s.answer.printf("%s%d.%s.1:%s:%s:%s%s\n", prefix, i, columns[i].name, r.tags(i), r.row[i].kind, r.row[i].String(), described(desc, &columns[i]))
		}
	}
}

// tags of a column: how many servers serve is a number that moves, and whether a server is a backup is not.
func (r *Row) tags(i int) string {
	if (i == act || i == bck) && r.Type == BackendRow {
		return "MGP"
	}
	return columns[i].tags
}

func (s *session) writeJSONRow(r *Row) {
	s.answer.printf("[")
	first := true
	for i := range r.row {
		if r.row[i].Empty() {
			continue
		}
		if !first {
			s.answer.printf(",")
		}
		first = false
		c := columns[i]
		c.tags = r.tags(i)
		s.answer.printf(`{"objType":"%s","proxyId":%s,"id":%s,`, typeNames[r.Type], r.row[iid].String(), r.row[sid].String())
		writeJSON(s.answer, i, &c, r.row[i])
	}
	s.answer.printf("]")
}

// proxyNamed finds a proxy by its name or by "#" and its id; nil: there is none.
func (s *session) proxyNamed(name string) *Proxy {
	return s.proxy(name, func(*Proxy) bool { return true })
}

func (s *session) frontendNamed(name string) *Proxy {
	return s.proxy(name, func(p *Proxy) bool { return p.Frontend != nil })
}

func (s *session) backendNamed(name string) *Proxy {
	return s.proxy(name, func(p *Proxy) bool { return p.Backend != nil })
}

func (s *session) proxy(name string, suits func(*Proxy) bool) *Proxy {
	id := -1
	if rest, found := strings.CutPrefix(name, "#"); found {
		if n, err := strconv.Atoi(rest); err == nil {
			id = n
		}
	}
	for _, p := range s.process.Proxies() {
		if (p.Name == name || p.ID == id) && suits(p) {
			return p
		}
	}
	return nil
}
