package origin

import (
	"net/netip"
	"time"
)

// Kind is what an origin does with a connection.
type Kind string

const (
	// Request answers requests in package frame's protocol, endless ones included: it serves every kind of load but ConnectClose.
	Request Kind = "request"
	// Echo sends back what it reads.
	Echo Kind = "echo"
	// Sink reads and counts.
	Sink Kind = "sink"
	// Source writes for ever.
	Source Kind = "source"
	// AcceptClose closes what it accepts.
	AcceptClose Kind = "accept-close"
)

// Spec is one origin.
type Spec struct {
	Kind Kind
	// Listen are the addresses, all served alike. A port 0 is chosen by the kernel; Ready tells which.
	Listen []netip.AddrPort
	// Delay is waited before each response (Request), as a server with work to do would. It takes no CPU and holds up no other request.
	Delay time.Duration
	// Ready is told the addresses once all are listened on.
	Ready func([]netip.AddrPort) `json:"-"`
}

// Result is what an origin did, from its start to its end.
type Result struct {
	Connections, Requests uint64
	BytesIn, BytesOut     uint64
	// Errors are connections that ended with something other than their peer's FIN, and requests without a right header.
	Errors uint64
	// MostAtOnce is the largest number of requests that were being served at a moment.
	MostAtOnce int64
	// ByAddress are the requests (AcceptClose: the connections) of each of Spec.Listen.
	ByAddress []uint64
	// User and System are the CPU seconds of this process, Duration is the time it ran.
	User, System float64
	Duration     time.Duration
}
