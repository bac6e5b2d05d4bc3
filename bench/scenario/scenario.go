// Package scenario lists what is measured, as data: what the load does, what stands behind the balancer, what one unit of
// work is, and which figures matter. A runner carries it out.
package scenario

import (
	"time"

	"github.com/sluice-lb/sluice/bench/load"
	"github.com/sluice-lb/sluice/bench/origin"
)

// Scenario is one kind of work.
type Scenario struct {
	Name  string // unique, in words that a command line takes
	Title string
	Why   string // what a reader learns from it

	// Load is the work. The runner fills in its target, cores, times, and with Capacity its rate.
	Load load.Spec
	// Unit is what cost is divided by.
	Unit Unit
	// Origin is what stands behind. Empty: origin.Request.
	Origin origin.Kind
	// Web puts nginx there instead, which answers with a few bytes from memory.
	Web bool
	// Delay of each of the origin's responses.
	Delay time.Duration
	// Servers is the number of origins' addresses. 0: 1.
	Servers int
	// ServerMaxConn of each. 0: no limit. Subjects that hold no connections back are left out then.
	ServerMaxConn int
	// Priorities gives the subject a second address: who comes by the first one, Setup.Listen, goes before all who wait that came by
	// the other. Only with ServerMaxConn, and the load is to keep its targets apart.
	Priorities bool
	// Loops of the balancer, and cores that it is pinned to. 0: 1.
	Loops int
	// Veth puts load, balancer and origin into three network namespaces.
	Veth bool
	// Features are the kinds of subjects with a kernel's feature that the scenario is about. It has no other subjects then, but plain
	// sluice and HAProxy.
	Features []string

	// Capacity makes the load open loop at this part of a capacity, which is measured beforehand by the same load in closed loop.
	// Of is whose capacity: empty for each subject's own, Lowest for that of the slowest balancer, or a kind of subject, the first
	// of which sets the rate for all.
	Capacity float64
	Of       string
	// Memory is looked at before the load and while all its connections are open, and related to one connection.
	Memory bool
	// RestartAfter is the part of the measured time after which the origin is ended, and started again RestartGap later.
	RestartAfter float64
	RestartGap   time.Duration

	// Main are the metrics that ratios are shown of first; the first is the scenario's own.
	Main []string
	// Target is what the ratio sluice/HAProxy of Main[0] shall not be above. 0: none.
	Target float64

	// Quick scenarios are in the quick run.
	Quick bool
	// Rounds at most. 0: as many as were asked for.
	Rounds int
	// Length at least, of the measured time. 0: whatever was asked for.
	Length time.Duration
}

// Lowest is the capacity of the balancer that has the smallest one.
const Lowest = "lowest"

// Unit is what one unit of work is.
type Unit string

const (
	Request    Unit = "request"
	Connection Unit = "connection"
	Gigabyte   Unit = "GB" // 10⁹ bytes, up and down added
	Flow       Unit = "flow"
)

// Units are the units that a run has done.
func (s *Scenario) Units(r *load.Result) float64 {
	switch s.Unit {
	case Gigabyte:
		return float64(r.BytesIn+r.BytesOut) / 1e9
	case Flow:
		return float64(r.Connections)
	default:
		return float64(r.Requests)
	}
}

// Smallest is the scenario at the size at which it only shows that the harness works.
func (s Scenario) Smallest() Scenario {
	s.Load.Connections = min(s.Load.Connections, 20)
	s.Servers = min(s.Servers, 10)
	s.Length = 0
	s.RestartGap = min(s.RestartGap, 50*time.Millisecond)
	return s
}
