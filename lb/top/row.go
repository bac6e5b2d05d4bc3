package top

import (
	"strconv"
	"strings"
)

// The names of the rows that are no servers.
const (
	frontendName = "FRONTEND"
	backendName  = "BACKEND"
)

// key names a row in a sample, and the same row in the next one.
type key struct{ proxy, name string }

// kind is what a row is about, as the column "type" tells it.
type kind int

const (
	frontend kind = iota
	backend
	server
	listener
)

// row is a line of "show stat".
type row struct {
	key
	kind   kind
	places map[string]int // of the columns, by name; shared by all rows
	fields []string

	status                                    string
	current, limit, queued, total, rate       int64 // limit 0: none
	bytesIn, bytesOut, errors, retries, downs int64
	weight                                    int64
}

func newRow(places map[string]int, fields []string) row {
	r := row{key: key{fields[0], fields[1]}, places: places, fields: fields}
	r.kind = kind(r.number("type"))
	r.status = r.field("status")
	r.current, r.limit, r.queued, r.total, r.rate = r.number("scur"), r.number("slim"), r.number("qcur"), r.number("stot"), r.number("rate")
	r.bytesIn, r.bytesOut = r.number("bin"), r.number("bout")
	r.errors = r.number("ereq") + r.number("econ") + r.number("eresp") + r.number("dreq") + r.number("dresp")
	r.retries, r.downs, r.weight = r.number("wretr"), r.number("chkdown"), r.number("weight")
	return r
}

// field gives a column of the row; empty: it has none.
func (r *row) field(name string) string {
	if i, found := r.places[name]; found && i < len(r.fields) {
		return r.fields[i]
	}
	return ""
}

func (r *row) number(name string) int64 {
	n, _ := strconv.ParseInt(r.field(name), 10, 64)
	return n
}

// severity is how much a row wants to be looked at.
type severity int

const (
	well severity = iota
	warning
	bad
)

// mark is the sign before the row: what colours say, without them.
func (s severity) mark() string { return [...]string{" ", "~", "!"}[s] }

// severity judges a row by its state, its queue and its limit.
func (r *row) severity() severity {
	word, _, _ := strings.Cut(r.status, " ")
	switch word {
	case "DOWN", "STOP":
		return bad
	case "MAINT", "DRAIN", "NOLB", "PAUSED", "FULL":
		return warning
	}
	if strings.Contains(r.status, "/") || r.queued > 0 || r.kind != backend && r.limit > 0 && r.current >= r.limit {
		return warning // on its way up or down; waited for; full
	}
	return well
}
