package load

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/sluice-lb/sluice/bench/frame"
)

// Kind is what the connections of a run do.
type Kind string

const (
	// Request sends small requests on connections that stay: one at a time on each.
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
	// Idle opens Connections, makes one exchange on each so that it is known to be there, and holds them.
	Idle Kind = "idle"
	// SlowReaders asks for an endless response on each of Connections and does not read.
	SlowReaders Kind = "slow-readers"
)

// Who closes a connection first in the kinds that end with a close.
const (
	// CloseServer is the default: the origin closes after its response, as HTTP servers with "Connection: close" do, and
	// the load follows. The TIME_WAIT stays with the side that was connected to, on both hops, where it uses up no port.
	CloseServer = "server"
	// CloseClient: the load closes as soon as it has the whole response. Its ports stay in TIME_WAIT; over loopback the
	// kernel uses them again after a second (tcp_tw_reuse 2), elsewhere after a minute: give Sources.
	CloseClient = "client"
	// CloseReset is CloseClient with a reset (SO_LINGER 0) in place of the FIN. It leaves no TIME_WAIT.
	CloseReset = "reset"
)

// Protocols that a request can be in.
const (
	// Framed is the default: package frame's.
	Framed = "frame"
	// HTTP sends GET requests in HTTP/1.1. The length of the response, which must not vary, is learnt from a first one;
	// afterwards only the status and the number of bytes are looked at.
	HTTP = "http"
)

// Spec is one run. Zero values are defaults where that is said.
type Spec struct {
	Kind   Kind
	Target netip.AddrPort
	// Targets are used in turn with Target, one connection each. None: Target alone.
	Targets []netip.AddrPort
	// PerTarget keeps the latencies of each target apart as well, in Result.PerTarget.
	PerTarget bool

	// Connections are open at a time, in all threads together. 0: 1.
	Connections int
	// RequestBytes and ResponseBytes are whole lengths, header included. 0: 64. Not with HTTP.
	RequestBytes, ResponseBytes int

	// Duration is measured, Warmup before it is not. Connections are opened within Warmup. With Idle and SlowReaders the
	// measured time begins when all are open.
	Duration, Warmup time.Duration

	// Rate is requests (with the connect kinds: connections) per second in all, on a schedule of equal steps. 0: closed
	// loop. With Idle and SlowReaders it is openings per second, 0 for as fast as they go. Not with the bulk kinds.
	Rate float64

	// Burst has the schedule's requests due so many at a time, each time after the steps of all of them: the rate stays. Independent clients do come
	// in bunches, and the generator wakes up once for each bunch. 0: 1. Only with Rate.
	Burst int

	// Sources are local addresses that connections are made from in turn. None: the kernel's choice. One address has 28,000
	// ports to one target unless ip_local_port_range says otherwise.
	Sources []netip.Addr

	// BulkBytes ends a bulk stream after so many bytes and starts the next on the same connection; Latency is then that of
	// whole transfers. 0: a stream goes on for ever. Not with both directions at once.
	BulkBytes int
	// BulkConnections and Bulk (BulkUp, BulkDown or BulkBoth) are Mixed's. 0: 1. Empty: BulkDown.
	BulkConnections int
	Bulk            Kind

	// BulkRate holds each bulk stream that the load sends to so many bytes per second (SO_MAX_PACING_RATE), so that neither end is at its
	// limit; origin.Spec has the same for those it sends. 0: no limit.
	BulkRate int

	// Threads is the number of event loops, one thread each. 0: 1.
	Threads int
	// CPUs are what the threads are pinned to, in turn. None: the affinity that the process has.
	CPUs []int

	// Close is CloseServer, CloseClient or CloseReset. Empty: CloseServer.
	Close string
	// Protocol is Framed or HTTP. Empty: Framed. Path is HTTP's. Empty: "/".
	Protocol, Path string

	// Timeout ends a connect or an exchange that takes longer, with its connection. 0: 10 s.
	Timeout time.Duration
	// RetryAfter is waited before a connection that failed is made again. 0: 10 ms.
	RetryAfter time.Duration
	// Drain is how long open-loop requests that are due within Duration are waited for after it. 0: 1 s.
	Drain time.Duration

	// Notify is told EventOpen, EventMeasure and EventEnd, by the goroutine that called Run. nil: nobody is.
	Notify func(event string) `json:"-"`
}

// Events that Notify is told.
const (
	// EventOpen: every connection has been opened, or has failed, once. The kinds that connect for each request have none.
	EventOpen = "open"
	// EventMeasure and EventEnd: the measured time begins, ends. What others measure beside the load starts and stops there.
	EventMeasure = "measure"
	EventEnd     = "end"
)

func (s *Spec) bulk() bool { return s.Kind == BulkUp || s.Kind == BulkDown || s.Kind == BulkBoth }

// connects tells whether each request has a connection of its own.
func (s *Spec) connects() bool { return s.Kind == ConnectRequestClose || s.Kind == ConnectClose }

// holds tells whether connections are opened and then left alone.
func (s *Spec) holds() bool { return s.Kind == Idle || s.Kind == SlowReaders }

// open tells whether requests go by a schedule.
func (s *Spec) open() bool { return s.Rate > 0 && !s.holds() }

// withDefaults fills in the zero values, and refuses what cannot be run.
func (s Spec) withDefaults() (Spec, error) {
	s.Connections = max(s.Connections, 1)
	s.Threads = min(max(s.Threads, 1), s.Connections)
	setDefault(&s.Burst, 1)
	setDefault(&s.RequestBytes, 64)
	setDefault(&s.ResponseBytes, 64)
	setDefault(&s.Close, CloseServer)
	setDefault(&s.Protocol, Framed)
	setDefault(&s.Path, "/")
	setDefault(&s.Timeout, 10*time.Second)
	setDefault(&s.RetryAfter, 10*time.Millisecond)
	setDefault(&s.Drain, time.Second)
	if s.Kind == Mixed {
		setDefault(&s.BulkConnections, 1)
		setDefault(&s.Bulk, BulkDown)
	} else {
		s.BulkConnections, s.Bulk = 0, ""
	}
	if s.bulk() {
		s.Bulk = s.Kind
	}
	if s.Target.IsValid() {
		s.Targets = append([]netip.AddrPort{s.Target}, s.Targets...)
	}
	return s, s.check()
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (s *Spec) check() error {
	switch s.Kind {
	case Request, ConnectRequestClose, ConnectClose, BulkUp, BulkDown, BulkBoth, Mixed, Idle, SlowReaders:
	default:
		return fmt.Errorf("load: there is no kind %q", s.Kind)
	}
	switch s.Bulk {
	case BulkUp, BulkDown, BulkBoth, "":
	default:
		return fmt.Errorf("load: bulk is %q, and has to be %s, %s or %s", s.Bulk, BulkUp, BulkDown, BulkBoth)
	}
	switch s.Close {
	case CloseServer, CloseClient, CloseReset:
	default:
		return fmt.Errorf("load: close is %q, and has to be %s, %s or %s", s.Close, CloseServer, CloseClient, CloseReset)
	}
	switch {
	case len(s.Targets) == 0:
		return errors.New("load: no target")
	case s.Duration <= 0:
		return errors.New("load: no duration")
	case s.Rate < 0, s.Rate > 1e7:
		return fmt.Errorf("load: a rate of %g per second", s.Rate)
	case s.Burst < 1:
		return fmt.Errorf("load: bursts of %d requests", s.Burst)
	case s.RequestBytes < frame.Header, s.RequestBytes > frame.Longest:
		return fmt.Errorf("load: a request has %d to %d bytes, not %d", frame.Header, frame.Longest, s.RequestBytes)
	case s.ResponseBytes < 1, s.ResponseBytes > frame.Longest:
		return fmt.Errorf("load: a response has 1 to %d bytes, not %d", frame.Longest, s.ResponseBytes)
	case s.BulkBytes != 0 && s.Bulk == BulkBoth:
		return errors.New("load: bulk in both directions has no end; leave out its bytes")
	case s.BulkBytes != 0 && (s.BulkBytes < frame.Header || s.BulkBytes > frame.Longest):
		return fmt.Errorf("load: a bulk transfer has %d to %d bytes, not %d", frame.Header, frame.Longest, s.BulkBytes)
	case s.BulkRate < 0:
		return fmt.Errorf("load: a bulk rate of %d bytes per second", s.BulkRate)
	case s.Rate > 0 && s.bulk():
		return errors.New("load: bulk streams have no rate")
	case s.Protocol != Framed && s.Protocol != HTTP:
		return fmt.Errorf("load: protocol is %q, and has to be %s or %s", s.Protocol, Framed, HTTP)
	case s.Protocol == HTTP && (s.Bulk != "" || s.Kind == SlowReaders || s.Kind == ConnectClose):
		return fmt.Errorf("load: %s is not there in HTTP", s.Kind)
	}
	for _, target := range s.Targets {
		for _, source := range s.Sources {
			if source.Is4() != target.Addr().Is4() {
				return fmt.Errorf("load: no connection from %s to %s", source, target)
			}
		}
	}
	return nil
}
