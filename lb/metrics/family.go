package metrics

import (
	"math"

	dto "github.com/prometheus/client_model/go"

	"github.com/sluice-lb/sluice/lb/admin"
)

// scope is what a family is about, and the word of the parameter "scope".
type scope int

const (
	ofGlobal scope = iota
	ofFrontend
	ofListener
	ofBackend
	ofServer
	ofRuntime
	scopes // how many there are
)

var scopeNames = [scopes]string{"global", "frontend", "listener", "backend", "server", "runtime"}

const (
	counter   = dto.MetricType_COUNTER
	gauge     = dto.MetricType_GAUGE
	histogram = dto.MetricType_HISTOGRAM
)

// family is one metric of everything in its scope. Exactly one of column, state, count and spread is there.
type family struct {
	name string // whole, with the prefix
	kind dto.MetricType
	help string

	// column is taken from each row when its turn in the walk has come; absent: it has no sample.
	column func(*admin.Row) float64
	// state is taken the same way, and is which of names it is in: that sample is 1, the others are 0; absent: it has none.
	state func(*admin.Row) float64

	// count is read when the family's turn has come: one sample for each of names.
	count func(e *entity, i int) float64
	// spread sets a histogram's classes, one more than bounds, and gives the sum.
	bounds []float64
	spread func(e *entity, classes []uint64) (sum float64)

	label string // of names
	names []string

	slot int // where an entity has column or state
}

// absent is a value that has no sample.
var absent = math.Inf(-1)

// group is a list of entities.
type group int

const (
	theProcess group = iota
	builds           // the process, with its version
	loops
	logDrops
	programs
	guardDrops
	nameServers
	tenants
	frontends
	listeners
	backends
	servers
	groups // how many there are
)

// tables are all families but the runtime's, in the order in which they are sent.
var tables = []struct {
	scope    scope
	group    group
	families []family
}{
	{ofGlobal, theProcess, processFamilies}, {ofGlobal, builds, buildFamilies},
	{ofFrontend, frontends, frontendFamilies},
	{ofListener, listeners, listenerFamilies},
	{ofBackend, backends, backendFamilies},
	{ofServer, servers, serverFamilies},
	{ofGlobal, loops, loopFamilies}, {ofGlobal, logDrops, logFamilies}, {ofGlobal, programs, programFamilies}, {ofGlobal, guardDrops, guardFamilies}, {ofGlobal, nameServers, nameServerFamilies}, {ofGlobal, tenants, tenantFamilies},
	{ofFrontend, frontends, ownFrontendFamilies},
	{ofBackend, backends, ownBackendFamilies},
	{ofServer, servers, ownServerFamilies},
}

// kept are the families of each group that have a column or a state: an entity has their values, at their slots.
var kept = func() (all [groups][]*family) {
	for _, t := range tables {
		for i := range t.families {
			if f := &t.families[i]; f.column != nil || f.state != nil {
				f.slot = len(all[t.group])
				all[t.group] = append(all[t.group], f)
			}
		}
	}
	return all
}()

// of gives a column of "show stat" as it is. Unknown names are a mistake in a table, which any test finds.
func of(name string) func(*admin.Row) float64 { return scaled(name, 1) }

// seconds gives a column of "show stat" that is in milliseconds.
func seconds(name string) func(*admin.Row) float64 { return scaled(name, 1000) }

func scaled(name string, divisor float64) func(*admin.Row) float64 {
	column := columnOf(name)
	return func(r *admin.Row) float64 {
		v := r.Value(column)
		if v.Empty() {
			return math.NaN()
		}
		return v.Number() / divisor
	}
}

func columnOf(name string) int {
	column, found := admin.ColumnOf(name)
	if !found {
		panic("show stat has no column " + name)
	}
	return column
}
