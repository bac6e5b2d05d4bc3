package origin

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Kind is what an origin does with a connection.
type Kind string

const (
	// Request answers requests in package frame's protocol, endless ones included: it serves every kind of load but
	// connect-close. A peer that half-closes before it has its response may lose it.
	Request Kind = "request"
	// Lean answers finite requests in package frame's protocol, one at a time on a connection, from one bare epoll loop: at a fraction of
	// Request's CPU, for measurements in which load and origin have one core between them. Requests must not be pipelined.
	Lean Kind = "lean"
	// Echo sends back what it reads, and the FIN.
	Echo Kind = "echo"
	// Sink reads and counts until the FIN, then closes.
	Sink Kind = "sink"
	// Source writes until the peer closes. It begins as the endless response of package frame does.
	Source Kind = "source"
	// AcceptClose closes what it accepts.
	AcceptClose Kind = "accept-close"
)

// Spec is one origin.
type Spec struct {
	Kind Kind
	// Listen are the addresses, all served alike. A port 0 is chosen by the kernel; Ready tells which.
	Listen []netip.AddrPort
	// Delay is waited before each response (Request), as by a server that has work to do. It takes no CPU and holds up no other
	// connection's requests.
	Delay time.Duration
	// Stall stops the service of requests for StallFor, once, when StallAfter has passed since the start: what arrives meanwhile is answered
	// late. 0: never.
	StallAfter, StallFor time.Duration
	// StreamRate holds each endless response, and each Source, to so many bytes per second (SO_MAX_PACING_RATE). 0: no limit.
	StreamRate int
	// MaxConn is how many connections a balancer may have open to one address at a time (Lean): those beyond it are counted, not refused. 0: any
	// number.
	MaxConn int
	// Ready is told the addresses, in the order of Listen, once all are listened on.
	Ready func([]netip.AddrPort) `json:"-"`
}

func (s *Spec) check() error {
	switch s.Kind {
	case Request, Lean, Echo, Sink, Source, AcceptClose:
	default:
		return fmt.Errorf("origin: there is no kind %q", s.Kind)
	}
	switch {
	case len(s.Listen) == 0:
		return errors.New("origin: no address to listen on")
	case s.StreamRate < 0:
		return fmt.Errorf("origin: a rate of %d bytes per second", s.StreamRate)
	case s.Delay < 0:
		return fmt.Errorf("origin: a delay of %s", s.Delay)
	case s.MaxConn != 0 && s.Kind != Lean:
		return fmt.Errorf("origin: %s does not look at a limit of connections", s.Kind)
	case s.Delay != 0 && s.Kind == Lean:
		return fmt.Errorf("origin: %s does not wait for single requests; %s does", Lean, Request)
	case (s.Delay != 0 || s.StallFor != 0) && s.Kind != Request && s.Kind != Lean:
		return fmt.Errorf("origin: %s has no responses to delay", s.Kind)
	}
	return nil
}

// Result is what an origin did, from its start to its end.
type Result struct {
	Connections, Requests uint64
	BytesIn, BytesOut     uint64
	// Errors are requests without a right header, and streams that ended with something other than their peer's FIN or reset.
	Errors uint64
	// MostAtOnce is the largest number of requests that were in service at a moment, Delay included.
	MostAtOnce int64
	// OverLimit are the connections that came while Spec.MaxConn others of their address were open.
	OverLimit uint64
	// ByAddress are the requests, with the other kinds the connections, of each of Spec.Listen.
	ByAddress []uint64
	// User and System are the CPU seconds of this process, Duration is the time that the origin ran.
	User, System float64
	Duration     time.Duration
}
