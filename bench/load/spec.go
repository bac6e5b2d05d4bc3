package load

import (
	"fmt"
	"net/netip"
	"time"
)

// Kind is what the connections of a run do.
type Kind string

const (
	// Request sends small requests on connections that stay: one at a time on each, the next when the response is there.
	Request Kind = "request"
	// ConnectRequestClose makes a connection for every request. Who closes first is Spec.Close.
	ConnectRequestClose Kind = "connect-request-close"
	// ConnectClose makes connections and sends nothing. It waits for the origin (kind accept-close) to close, because only
	// then has the connection been all the way through; with Close client or reset it closes as soon as it is connected.
	ConnectClose Kind = "connect-close"
	// BulkUp, BulkDown and BulkBoth move as many bytes as they can, to the origin, from it, both at once.
	BulkUp   Kind = "bulk-up"
	BulkDown Kind = "bulk-down"
	BulkBoth Kind = "bulk-both"
	// Mixed is Request on Connections, beside BulkConnections that do what Bulk says. Latency is of the requests alone.
	Mixed Kind = "mixed"
	// Idle opens Connections, one exchange on each so that it is known to be there, and holds them.
	Idle Kind = "idle"
	// SlowReaders asks for an endless response on each of Connections and does not read.
	SlowReaders Kind = "slow-readers"
)

// Who closes a connection first in the kinds that end with a close.
const (
	// CloseServer is the default: the origin closes after its response, as HTTP servers with "Connection: close" do, and the
	// load follows. The TIME_WAIT stays with the side that was connected to, on both hops, where it uses up no port.
	CloseServer = "server"
	// CloseClient: the load closes as soon as it has the whole response. Its ports stay in TIME_WAIT; over loopback the kernel uses them
	// again after a second (tcp_tw_reuse 2), elsewhere after a minute: give Sources.
	CloseClient = "client"
	// CloseReset is CloseClient with a reset (SO_LINGER 0) in place of the FIN. It leaves no TIME_WAIT.
	CloseReset = "reset"
)

// Protocols that a request can be in.
const (
	// Framed is the default: package frame's.
	Framed = "frame"
	// HTTP sends GET requests in HTTP/1.1. The length of the response, which must not vary, is learnt from the first one;
	// afterwards only the status and the number of bytes are looked at.
	HTTP = "http"
)

// Spec is one run. Its zero values are defaults where that is said.
type Spec struct {
	Kind   Kind
	Target netip.AddrPort

	// Connections are open at a time, in all threads together. 0: 1.
	Connections int
	// RequestBytes and ResponseBytes are whole lengths, header included. 0: 64 and 64. With HTTP they are ignored.
	RequestBytes, ResponseBytes int

	// Duration is measured, Warmup before it is not. Connections are opened within Warmup. With Idle and SlowReaders the measured
	// time begins when all are open.
	Duration, Warmup time.Duration

	// Rate is requests (or with the connect kinds, connections) per second in all, on a schedule of equal steps; the latency of each counts from the
	// moment at which the schedule has it, whether or not it could be sent then. 0: closed loop. With Idle and SlowReaders: openings per
	// second, 0 for as fast as they go.
	Rate float64

	// Sources are local addresses that connections are made from in turn. None: the kernel's choice. One address has 28,000 ports to one
	// target unless ip_local_port_range says otherwise.
	Sources []netip.Addr
	// Targets are used in turn beside Target by those who give more than one.
	Targets []netip.AddrPort

	// BulkBytes ends a bulk stream after so many bytes and starts the next on the same connection; Latency is then that of whole
	// transfers. 0: a stream goes on for ever. Not with BulkBoth.
	BulkBytes int
	// BulkConnections and Bulk (BulkUp, BulkDown or BulkBoth) are Mixed's. 0: 1. Empty: BulkDown.
	BulkConnections int
	Bulk            Kind

	// Threads is the number of event loops, one thread each. 0: 1.
	Threads int
	// CPUs are what the threads are pinned to, in turn. None: the affinity that the process has.
	CPUs []int

	// Close is CloseServer, CloseClient or CloseReset. Empty: CloseServer.
	Close string
	// Protocol is Framed or HTTP. Empty: Framed. Path is HTTP's. Empty: "/".
	Protocol, Path string

	// Timeout ends an exchange, its connection, or a connect that takes longer. 0: 10 s.
	Timeout time.Duration
	// RetryAfter is waited before a connection that failed is made again. 0: 10 ms.
	RetryAfter time.Duration
	// Drain is how long open-loop requests that are due within Duration are waited for after it. 0: 1 s.
	Drain time.Duration

	// Notify is told what happens, from another goroutine than the load's: EventOpen, EventMeasure, EventEnd.
	Notify func(event string) `json:"-"`
}

// Events that Notify is told.
const (
	// EventOpen: every connection has been opened once.
	EventOpen = "open"
	// EventMeasure and EventEnd: the measured time begins, ends.
	EventMeasure = "measure"
	EventEnd     = "end"
)

// Result is what a run was.
type Result struct {
	// Requests are units of work finished within the measured time: exchanges; with ConnectRequestClose and ConnectClose
	// whole connections; with BulkBytes transfers.
	Requests uint64
	// Connections are those established within the measured time; with the kinds that keep theirs, those that were open at its end.
	Connections uint64
	// BytesIn and BytesOut are received and sent within the measured time, those of bulk streams included. BulkIn and BulkOut are the bulk
	// streams' part. A byte counts as sent when the kernel has taken it.
	BytesIn, BytesOut, BulkIn, BulkOut uint64
	// Errors counts what went wrong from the first connection to the last, warm-up included, by kind: refused, reset, closed (the peer closed before the response was
	// whole), timeout, unanswered (open loop: due within the measured time and not answered within Drain), ports (none left: give Sources), descriptors,
	// garbled (not the response to this request), status (HTTP, other than 200), or the errno's name.
	Errors map[string]uint64
	// Duration is the measured time as it was. It is shorter than asked for if the run was ended early.
	Duration time.Duration

	// Latency is that of the Requests. Of open-loop requests that were unanswered, it has the time that they were waited for.
	Latency Latency
	// Lateness (open loop) is by how much the generator itself looked at its schedule too late. It is inside Latency.
	Lateness Latency
	// Queued (open loop) are requests that had to wait because every connection was in use.
	Queued uint64

	// User and System are the CPU seconds of this process within the measured time.
	User, System float64
	// Busy is the part of the measured time for which the busiest thread was on a CPU: 1 is its limit.
	Busy float64
	// CoresBusy is the part of the measured time for which the CPUs that this process may use were busy, with whatever.
	CoresBusy float64
	// Saturated tells that the generator was at its limit: Busy or CoresBusy at or above 0.95. The run says nothing about its target then.
	Saturated bool

	// Timeline counts per tenth of a second of the measured time, to see what a moment did: a restart, a storm.
	Timeline []Tick
}

// Tick is a tenth of a second.
type Tick struct{ Requests, Errors, Connections uint32 }

// Latency is a distribution, in nanoseconds.
type Latency struct {
	Count                    int64
	Mean                     float64
	P50, P90, P99, P999, Max int64
	// Histogram is an HdrHistogram in its V2 compressed encoding, in base64: 100 ns to 100 s, three digits.
	Histogram string `json:",omitempty"`
}

// withDefaults fills in the zero values, and refuses what cannot be run.
func (s Spec) withDefaults() (Spec, error) {
	return s, fmt.Errorf("load: not written yet")
}
