package admin

import (
	"io"
	"net/netip"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

// Process is what the commands look at and act upon. Any goroutine may call any method; those that need a loop's answer give
// up when the process ends.
type Process interface {
	Info() Info
	Proxies() []*Proxy // those that are not disabled, in the order of the configuration; always the same
	Loops() []Loop
	Steering() *Steering    // nil: it is off
	Lookup() *Lookup        // nil: it is off
	Guard() (*Guard, error) // nil: it is off
	Deny(netip.Prefix) error
	Allow(netip.Prefix) (found bool, err error)
	Resolvers() []Resolvers
	Tenants() []Tenant
	Namespaces() []Namespace // in the order of the configuration
	StartupLogs() []string
	Rings() []Ring
	WriteServerState(w io.Writer, backend string) error

	// Address is where flows to a server go now. The port is 0 if it is the one that clients connected to.
	Address(s *backend.Server) (address netip.AddrPort, unix string)
	// SetAddress changes it, for the flows to come.
	SetAddress(s *backend.Server, address netip.AddrPort) error

	// AddServer adds a server of what stands behind "server" on a line. The notices are what the operator should know besides.
	AddServer(p *Proxy, words []string) (notices []string, err error)
	// RemoveServer is backend.Backend.Remove, and ends what else there is of the server.
	RemoveServer(s *backend.Server) error

	// SetName changes the name that a server's address comes from, and gives the one before.
	SetName(s *backend.Server, name string) (before string, err error)
	// SetAgentSend changes what a server's agent is told.
	SetAgentSend(s *backend.Server, text string) error

	// SetCheck changes where a server's health checks go, or its agent: an invalid address, and port 0, stay as they are.
	SetCheck(s *backend.Server, agent bool, address netip.Addr, port uint16) error

	SetFrontend(p *Proxy, to FrontendState) error
	SetRates(connections, sessions int) // of the process, per second; 0: no limit; negative: as it is
	SetMaxConn(n int)                   // of the process; 0: what it began with

	// Sessions hands out the open flows in pieces, which are the receiver's until it returns; false ends the walk.
	// addresses: with those that cost a system call.
	Sessions(addresses bool, each func([]Session) bool)
	ShutSession(id uint64) (found bool)
	ShutServerSessions(s *backend.Server)
	ClearMaxima() // of the loops
}

// Info is the process as a whole.
type Info struct {
	Version, Date  string
	Node           string
	Description    string
	Pid            int
	Uptime         time.Duration
	Started        time.Time
	Loops          int
	MemoryLimit    int64 // bytes; 0: none
	Heap, HeapUsed uint64
	Descriptors    int // limit
	MaxConn        int // now
	HardMaxConn    int // at start
	ConnRateLimit  int // connections per second; 0: none
	SessRateLimit  int // sessions per second; 0: none
	Flows          int
	MaxPipes       int
	Pipes          int // that carry bytes
	IdlePipes      int // that are kept for others
	Runnable       int // goroutines that wait for a processor
	Stopping       bool
	Listeners      int
	DroppedLogs    uint64
	LogDrops       []Counter // the same by reason, with words that are label values
	BusyPolling    bool
}

// Proxy is one proxy of the configuration with what became of it.
type Proxy struct {
	*config.Proxy
	Frontend *Frontend        // nil: it has no such side
	Backend  *backend.Backend // nil: it has no such side
	FullConn int
}

// Frontend is the frontend side of a proxy.
type Frontend struct {
	Stats      *stats.Counters
	Flows      *stats.Gauge
	State      func() FrontendState
	Limit      func() int // maxconn
	SetMaxConn func(int)
	Binds      []Bind
}

// Bind is one listening address.
type Bind struct {
	ID      int
	Name    string
	Address string
	Limit   int // 0: the frontend's
	Stats   *stats.Counters
	Flows   *stats.Gauge
}

// FrontendState tells whether a frontend accepts.
type FrontendState uint8

// The states.
const (
	Open    FrontendState = iota
	Paused                // "disable frontend"
	Stopped               // "shutdown frontend", or the process is stopping
)

// String is the word in "show stat".
func (s FrontendState) String() string { return [...]string{"OPEN", "PAUSED", "STOP"}[s] }

// Session is one flow, as seen a moment ago.
type Session struct {
	ID                        uint64
	Loop                      int // from 0
	Stage                     string
	Frontend, Backend, Server string
	Bind                      string
	Client                    string // address:port, or "unix:1"
	IPv6, Unix                bool
	Accepted                  time.Time
	Age                       time.Duration
	Expires                   time.Duration // negative: never
	In, Out                   uint64
	ToServer, ToClient        int // bytes held back
	Retries                   int
	Spliced, Redirected       bool
	ClientFD, ServerFD        int // 0: none

	Destination, Source, Target netip.AddrPort // invalid: not asked for, or none
}

// Loop is one loop's load.
type Loop struct {
	Flows         int
	Accepted      uint64 // connections
	Thread        int    // the system's id of its thread; 0: not known
	Turns, Events uint64
	Busy, Waiting time.Duration
	LongestGap    time.Duration
	Gaps          []uint64 // turns by the µs between two waits: class n holds times of n bits
}

// Resolvers is one section's name servers.
type Resolvers struct {
	Name    string
	Servers []NameServer
}

// NameServer has its counters, in the order in which they are shown.
type NameServer struct {
	Name     string
	Counters []Counter
}

// Namespace is a network namespace that binds or servers are in.
type Namespace struct {
	Name           string
	Late           bool // it is awaited from the start
	Present        bool
	Problem        string // why it cannot be entered; empty: it can, or is absent
	Inode          uint64
	Since          time.Duration // that it is there, or absent
	Binds, Servers int
	Waiting        int    // sockets that are ready
	Taken          uint64 // sockets that were ready when a connect needed them
	Missed         uint64 // times that none was
	Failed         uint64 // times that none could be made
	Came, Went     uint64 // times
}

// Counter is a number with a name.
type Counter struct {
	Name  string
	Value uint64
}
