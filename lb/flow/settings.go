package flow

import (
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/lb/tcplog"
	"github.com/sluice-lb/sluice/poller"
)

// Process is what all frontends and loops share.
type Process struct {
	MaxConn   int64 // flows per process; always set. Once the loops run, only SetMaxConn changes it
	Flows     stats.Gauge
	MaxAccept int // connections taken from one listener in a row; 0: 64
	Counter   atomic.Uint32
	Loops     []*Loop
	NoSplice  bool // bytes are only copied
	// IdleTimer is how long a direction may carry nothing until it counts as idle, and begins again with copying; 0: its
	// pauses do not matter.
	IdleTimer time.Duration
	// PathSamples is how many flows of each loop have their connection to the server looked at in a second, when they end; 0: none.
	PathSamples int

	// ConnectionRate and SessionRate bound all frontends together. They have no limit until SetPerSecond gives them one.
	ConnectionRate, SessionRate Rate

	// Namespaces are those that a PROXY header may name. It is complete before the loops run.
	Namespaces map[string]*Namespace

	frontends     []*Frontend
	tenants       []*Tenant    // complete before the loops start
	waiting       atomic.Int64 // flows that wait for a slot; counted only if there are tenants
	lastExhausted atomic.Int64 // when descriptors or memory last ran out, on the loops' clock

	// Alert tells the operator something that concerns the whole process, such as a lack of descriptors. It is called
	// once per occurrence, not per connection, and must not block.
	Alert func(text string)
}

// Timeouts in milliseconds; 0: none.
type Timeouts struct {
	Server, ServerFin, Connect, Queue, Tunnel uint64
}

// Frontend is one frontend, shared by all loops.
type Frontend struct {
	Name    string
	ID      int
	Process *Process
	Backend *Backend // where its flows go; nil: nowhere, they are closed
	MaxConn int64    // once the loops run, only SetMaxConn changes it
	Stats   *stats.Counters
	Flows   stats.Gauge
	Rate    *Rate // of sessions; nil: no limit

	Class  int16 // of its flows in a queue; lower ones are served first
	Offset int32 // ms, added to a flow's time of arrival in a queue

	ClientTimeout, ClientFinTimeout uint64 // ms; 0: none
	IndependentStreams              bool   // what is sent to a side does not count as its activity
	// SpliceRequest and SpliceResponse splice from the first byte on; otherwise a direction is spliced once it is bulk.
	SpliceRequest, SpliceResponse bool
	Redirect                      bool // the kernel moves the bytes of a flow by itself once it may: "option sockmap"
	ContStats                     bool // bytes are counted while a flow lasts, not only at its end

	Log              *tcplog.Logger
	Format           *tcplog.Format // of flows, when they end; nil: none
	ConnectFormat    *tcplog.Format // of flows, when they begin; nil: none
	ErrorFormat      *tcplog.Format // of connections that ended before they were flows
	LogASAP          bool
	DontLogNull      bool
	DontLogNormal    bool
	SeparateErrors   bool   // errors are logged at level err
	LogFrontendAddr  bool   // a format shows %fi or %fp, which cost a system call
	LogBackendSource bool   // the same for %bi and %bp
	DefaultBackend   string // for the log; empty: none
	NoLinger         bool
	Binds            []*Bind
	logCounter       atomic.Uint32
	resumed          atomic.Uint32 // turns of resume
	acceptors        []*Acceptor   // complete before the loops start
}

// Bind is one listening address of a frontend.
type Bind struct {
	Frontend    *Frontend
	Name        string
	ID          int
	MaxConn     int64 // 0: none of its own
	Flows       stats.Gauge
	Stats       *stats.Counters
	AcceptProxy bool
	IsUnix      bool
	Tenant      *Tenant    // whose budget its flows use; nil: nobody's
	Namespace   *Namespace // where it listens; nil: in the process's own
}

// Backend is where flows go: the servers' states and queues, and how to reach each of them.
type Backend struct {
	*backend.Backend
	ID int
	// Direct is the way without a server: "dispatch" and "option transparent". Servers are not consulted then.
	Direct *Target

	Retries int
	// RedispatchEvery is "option redispatch N": every N-th retry goes to another server; negative: counted from the
	// last retry back, -1 the last; 0: off.
	RedispatchEvery int
	Timeouts        Timeouts

	AbortOnClose                  bool
	IndependentStreams            bool
	NoLinger                      bool
	SpliceRequest, SpliceResponse bool
	Redirect                      bool // as Frontend.Redirect
}

// Target is how to reach one server. It is replaced as a whole when it changes.
type Target struct {
	Addr       poller.Addr // port 0 with PortOffset false: the port that the client connected to
	PortOffset int         // added to the port that the client connected to; used if OffsetPort
	OffsetPort bool
	ClientIP   bool // the address is unspecified: the one that the client connected to
	Options    poller.ConnectOptions
	Source     poller.Addr // zero: the kernel chooses
	SourceUse  SourceUse

	SendProxy      int         // version of the PROXY header to send; 0: none
	ProxyCRC32C    bool        // version 2 with a checksum
	ProxyUnique    bool        // version 2 with the unique id, if the client's PROXY header carried one
	ProxyAuthority bool        // version 2 with the authority, if the client's PROXY header carried one
	SOCKS4         poller.Addr // valid: connect there and ask it for Addr
	SmartConnect   bool        // hold the handshake's last ACK back for the first bytes
	Namespace      *Namespace  // where the socket is made; nil: in the process's own
	// ClientNamespace has the socket made where the client comes from: Flow.clientNamespace.
	ClientNamespace bool
	Unresolved      bool // the server's name has no address: connecting fails
}

// SetTarget says how flows get to s from their next connect on. A server's first call comes before the server is used; after that
// any goroutine may call it.
func SetTarget(s *backend.Server, t *Target) {
	if s.Data == nil {
		s.Data = new(atomic.Pointer[Target])
	}
	s.Data.(*atomic.Pointer[Target]).Store(t)
}

// TargetOf is what SetTarget said last. Any goroutine may call it.
func TargetOf(s *backend.Server) *Target { return s.Data.(*atomic.Pointer[Target]).Load() }

// SourceUse is "usesrc": whose address the connection to the server comes from.
type SourceUse uint8

// The values of SourceUse.
const (
	OwnSource      SourceUse = iota
	ClientSource             // usesrc client: the client's address and port
	ClientIPSource           // usesrc clientip: the client's address, any port
)

// Rate bounds an event's frequency over the last second: the current second's count and a share of the one before it.
type Rate struct {
	PerSecond uint32 // once the loops run, only SetPerSecond changes it
	// word packs the second (upper 32 bits) and its count; before is the count of the second before.
	word   atomic.Uint64
	before atomic.Uint32
}

// Allow counts one event at now and reports whether it stays within the rate.
func (r *Rate) Allow(now time.Duration) bool {
	for {
		w := r.word.Load()
		second, count := uint32(w>>32), uint32(w)
		current := uint32(now / time.Second)
		if second != current {
			old := count
			if current != second+1 {
				old = 0
			}
			if r.word.CompareAndSwap(w, uint64(current)<<32) {
				r.before.Store(old)
			}
			continue
		}
		elapsed := uint64(now % time.Second)
		share := uint64(r.before.Load()) * (uint64(time.Second) - elapsed) / uint64(time.Second)
		if uint64(count)+share >= uint64(r.Limit()) {
			return false
		}
		if r.word.CompareAndSwap(w, w+1) {
			return true
		}
	}
}

// Wait is how long at least Allow will refuse after it did so at now, if no other event is taken back: a millisecond or more, up to the
// end of the second, when the count begins anew.
func (r *Rate) Wait(now time.Duration) time.Duration {
	wait := time.Second - now%time.Second
	if room, before := int64(r.Limit())-int64(uint32(r.word.Load())), int64(r.before.Load()); room > 0 && before > 0 {
		wait -= time.Duration(room * int64(time.Second) / before) // the share of the second before has melted so far by then
	}
	return max(wait, time.Millisecond)
}

// SetPerSecond changes the bound, from the next event on. Any goroutine may call it.
func (r *Rate) SetPerSecond(n uint32) { atomic.StoreUint32(&r.PerSecond, n) }

// Limit is the bound. Any goroutine may call it.
func (r *Rate) Limit() uint32 { return atomic.LoadUint32(&r.PerSecond) }

// Return takes one event back that was allowed and did not happen.
func (r *Rate) Return() {
	for {
		w := r.word.Load()
		if uint32(w) == 0 || r.word.CompareAndSwap(w, w-1) {
			return
		}
	}
}

// NewFrontend adds a frontend to the process. The caller fills in the rest before the loops run.
func NewFrontend(p *Process, name string, loops int) *Frontend {
	f := &Frontend{Name: name, Process: p, Stats: stats.New(loops)}
	p.frontends = append(p.frontends, f)
	return f
}

// spliceAfter is the number of full reads in a row after which one side's bytes are spliced.
func (f *Frontend) spliceAfter(b *Backend, fromServer bool) uint8 {
	switch {
	case f.Process.NoSplice:
		return neverSplice
	case fromServer && (f.SpliceResponse || b.SpliceResponse), !fromServer && (f.SpliceRequest || b.SpliceRequest):
		return 0
	}
	return spliceAfter
}
