package admin

import "github.com/sluice-lb/sluice/lb/backend"

// RowType is what a row of "show stat" is about; its number is the one of the column "type".
type RowType int

// The types. A selection of "show stat" adds them up as 1<<type.
const (
	FrontendRow RowType = iota
	BackendRow
	ServerRow
	ListenerRow
)

// Row is one row of "show stat", with what it is about.
type Row struct {
	Type   RowType
	Proxy  *Proxy
	Server *backend.Server // of a ServerRow
	Bind   *Bind           // of a ListenerRow
	row
}

// row has the columns.
type row [columnCount]Value

// Value is the value of a column, which ColumnOf has found.
func (r *Row) Value(column int) Value { return r.row[column] }

// ColumnOf finds a column of "show stat" by its name; false: there is none.
func ColumnOf(name string) (column int, found bool) {
	for i := range columns {
		if columns[i].name == name {
			return i, true
		}
	}
	return 0, false
}

// Statistics walks over the rows of "show stat", in their order, with what an operator may see. A row is made when its turn has
// come, and is the receiver's until it returns; false ends the walk. A server's row holds its backend's mutex while it is
// made, and nothing else is held, so a receiver may take its time. Servers that come or go meanwhile may be missed.
func (c *CLI) Statistics(yield func(*Row) bool) {
	c.rows(selection{proxy: -1, id: -1, types: -1}, Operator, yield)
}

// view makes rows for a level.
type view struct {
	cli   *CLI
	level Level
	row   *Row // the one that is made
}

// rows makes the rows that are wanted, one after the other, until each has enough.
func (c *CLI) rows(want selection, level Level, each func(*Row) bool) {
	v := view{c, level, &Row{}}
	wants := func(typ RowType) bool { return want.types == -1 || want.types&(1<<typ) != 0 }
	take := func(r *Row) bool {
		if want.up && !r.isUp() || want.noMain && r.isMaint() {
			return true
		}
		return each(r)
	}
	for _, p := range c.process.Proxies() {
		if want.proxy != -1 && want.proxy != p.ID || want.suits != nil && !want.suits(p) {
			continue
		}
		if f := p.Frontend; f != nil && want.id <= 0 && wants(FrontendRow) && !take(v.frontendRow(p)) {
			return
		}
		if f := p.Frontend; f != nil && p.Options.SocketStats && wants(ListenerRow) {
			for i := range f.Binds {
				if (want.id == -1 || want.id == f.Binds[i].ID) && !take(v.listenerRow(p, &f.Binds[i])) {
					return
				}
			}
		}
		if p.Backend == nil {
			continue
		}
		if wants(ServerRow) {
			for _, server := range p.Backend.Servers() {
				if (want.id == -1 || want.id == server.ID) && !take(v.serverRow(p, server)) {
					return
				}
			}
		}
		if want.id <= 0 && wants(BackendRow) && !take(v.backendRow(p)) {
			return
		}
	}
}
