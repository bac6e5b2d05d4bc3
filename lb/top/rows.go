package top

import (
	"cmp"
	"slices"
	"strings"
)

// selection is which rows are shown, and in which order.
type selection struct {
	only     string // rows of this proxy alone; empty: of all
	kinds    kinds
	filter   string // in the name, the status or the address, whatever its case
	problems bool   // only what is not well, or has failed since the sample before
	sort     int    // a column; 0: the order of the configuration
	reverse  bool
}

// kinds of rows that are shown.
type kinds int

const (
	allKinds kinds = iota
	proxiesOnly
	serversOnly
	kindsCount
)

func (k kinds) String() string {
	return [...]string{"everything", "frontends and backends", "servers"}[k]
}

// choose gives the lines of a sample.
func (c *selection) choose(s *sample, t *tracker) []line {
	if s == nil {
		return nil
	}
	var lines []line
	filter := strings.ToLower(c.filter)
	for i := range s.rows {
		l := line{row: &s.rows[i], track: t.rows[s.rows[i].key], severity: s.rows[i].severity()}
		l.name = c.nameOf(l.row)
		if c.shows(&l, filter) {
			lines = append(lines, l)
		}
	}
	if less := columns[c.sort].less; less != nil {
		slices.SortStableFunc(lines, func(a, b line) int { return less(&a, &b) })
	} else {
		inOrder(lines)
	}
	if c.reverse {
		slices.Reverse(lines)
	}
	return lines
}

func (c *selection) shows(l *line, filter string) bool {
	isServer := l.kind == server
	switch {
	case c.only != "" && l.proxy != c.only,
		c.kinds == proxiesOnly && (isServer || l.kind == listener),
		c.kinds == serversOnly && !isServer,
		c.problems && l.severity == well && l.track.errors == 0:
		return false
	}
	return filter == "" || strings.Contains(strings.ToLower(l.proxy+"/"+l.row.key.name+" "+l.status+" "+l.field("addr")), filter)
}

// nameOf is a row's name: indented below its proxy, or in full where the proxy may not stand above it.
func (c *selection) nameOf(r *row) string {
	switch r.kind {
	case frontend:
		return r.proxy + " (frontend)"
	case backend:
		return r.proxy + " (backend)"
	}
	if columns[c.sort].less != nil || c.kinds == serversOnly || c.reverse || c.problems || c.filter != "" {
		return r.proxy + "/" + r.key.name
	}
	return "  " + r.key.name
}

// inOrder puts each proxy's frontend and backend before its servers.
func inOrder(lines []line) {
	place := make(map[string]int)
	for i := range lines {
		if _, found := place[lines[i].proxy]; !found {
			place[lines[i].proxy] = i
		}
	}
	rank := [...]int{frontend: 0, listener: 1, backend: 2, server: 3}
	slices.SortStableFunc(lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(place[a.proxy], place[b.proxy]), cmp.Compare(rank[a.kind], rank[b.kind]))
	})
}
