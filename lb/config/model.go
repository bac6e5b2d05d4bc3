package config

import (
	"io/fs"
	"net/netip"
	"strings"
	"time"
)

// Config is a validated configuration. It is built once and then only read; every loop may share it.
type Config struct {
	Global  Global
	Proxies []*Proxy // frontends, backends and listens, in the order of the files

	Resolvers []*Resolvers
	Mailers   []*Mailers
	Tenants   []*Tenant
	Rings     []*Ring

	Namespaces []Namespace // of "namespace_list": those that a PROXY header may name besides the ones of binds and servers
}

// Tenant is a "tenant" section (an extension): a budget for all that comes by the binds in a network namespace. A limit of 0 is
// none.
type Tenant struct {
	Pos                       Pos
	Name                      string
	Namespace                 string // always given, and no other tenant's
	MaxConn                   int
	RateLimitSessions         int // connections per second
	BandwidthIn, BandwidthOut int // bytes per second
	QueueShare                int // percent
}

// Pos is a place in a file: what a diagnostic points at.
type Pos struct {
	File string
	Line int // from 1
}

// Global is the process-wide section. Several "global" sections merge into one.
type Global struct {
	MaxConn      int // connections per process; 0: derived from the descriptor limit
	Threads      int // loops; 0: one per CPU of the affinity mask
	ThreadGroups int // 0: not given; otherwise 1
	CPUMap       []CPUMap
	Daemon       bool
	PIDFile      string
	User, Group  string // names, looked up at start; empty: unset
	UID, GID     int    // numbers, 0: unset
	Chroot       string
	UlimitN      int // descriptors; 0: as needed for MaxConn
	Node         string
	Description  string
	LocalPeer    string

	Logs            []LogTarget
	LogTag          string // empty: "sluice"
	LogJSON         bool   // log-format-json (an extension): the process's own messages are objects
	LogSendHostname string // empty: the system's name; only sent when SendHostname
	SendHostname    bool   // log-send-hostname: a host name stands in the header of formats that have one

	StatsSockets []StatsSocket
	StatsListens []*StatsListen // pages and metrics (an extension)
	StatsTimeout time.Duration  // default 10s
	StatsMaxConn int            // default 10

	HardStopAfter time.Duration // 0: wait for ever
	Grace         time.Duration
	SpreadChecks  int // percent, 0..50

	StateBase           string        // server-state-base: the directory of relative state files
	StateFile           string        // server-state-file; empty: none
	StateSave           bool          // server-state-save (an extension): StateFile is written
	StateSaveEvery      time.Duration // and not only when the process ends, but also so often; 0: no
	ExternalCheck       bool          // external-check: programs may be run as checks
	InsecureForkWanted  bool          // insecure-fork-wanted, without which every external check fails
	PreserveEnvironment bool          // external-check preserve-env
	MaxSpreadChecks     time.Duration // max-spread-checks; 0: the shortest interval of all servers

	BusyPolling   bool
	NoSplice      bool
	NoReusePort   bool   // noreuseport
	EBPFGuard     *Guard // ebpf-guard; nil: none
	EBPFSteering  string // ebpf-steering reuseport: cpu, least, off, or "" if it is not there
	NoGetAddrInfo bool
	SetDumpable   bool
	StrictLimits  bool // default true
	ZeroWarning   bool
	Quiet         bool
	Experimental  bool // expose-experimental-directives
	NUMAMapping   bool // default true

	DefaultPath       string // "current" (default), "config", "parent", "origin"
	DefaultPathOrigin string // the directory of "origin"

	Tune Tune
}

// CPUMap binds loops to CPUs: "cpu-map 1-4 0-3".
type CPUMap struct {
	Group   int   // thread group, 1
	Threads []int // loop numbers from 1, ascending; empty: all loops. Numbers above the count of loops mean nothing
	CPUs    []int // ascending
	Auto    bool  // "auto:": the n-th thread goes to the n-th CPU
}

// Tune holds the "tune." keywords that have a meaning here. Sizes are in bytes, 0 is the kernel's or the built-in default.
type Tune struct {
	BufSize                      int // bytes read at once, and so held back at most; 0: 65536
	MaxAccept                    int // connections accepted in a row by one loop; -1 no limit
	MaxPollEvents                int
	PipeSize                     int
	RecvBufClient, RecvBufServer int
	SendBufClient, SendBufServer int
	IdleTimer                    time.Duration // default 1s; 0: idle flows are not looked for

	// For experiments with the queue.
	NoQueueRecheck bool // flows do not look for a free server once they are queued: some are stranded
	QueueYield     int  // one in so many of the queue's atomic steps is held up; 0: none
}

// StatsSocket is a "stats socket" line: where the operator's command line listens.
type StatsSocket struct {
	Pos             Pos
	Bind            Bind
	Level           string // user, operator (default), admin
	ExposeListeners bool   // "expose-fd listeners": a successor may fetch the listening sockets
	SeverityOutput  string // none (default), number, string
}

// ProxyKind says in which section a proxy was declared.
type ProxyKind uint8

// A listen is a frontend and a backend in one.
const (
	Frontend ProxyKind = 1
	Backend  ProxyKind = 2
	Listen   ProxyKind = Frontend | Backend
)

// Proxy is a frontend, a backend, or both at once. The fields of a side that it has not are zero.
type Proxy struct {
	Pos         Pos
	Kind        ProxyKind
	Name        string
	ID          int // "id", given or assigned from 1 up
	IDGiven     bool
	GUID        string
	Description string
	Disabled    bool

	// Frontend side.
	Binds             []*Bind
	MaxConn           int // 0: the process's limit
	Backlog           int // 0: MaxConn
	RateLimitSessions int // per second; 0: none
	DefaultBackend    string
	UseBackend        []UseBackend // in order; unconditional for now

	// Backend side.
	Servers           []*Server
	Balance           Balance
	HashType          HashType
	HashBalanceFactor int // percent, 0: off
	FullConn          int // 0: 10 % of the sum of the maxconn of the frontends that lead here
	Retries           int // default 3
	Redispatch        int // "option redispatch N": 0 off, -1 on the last retry, n>0 every n-th, n<0 the n-th from the last
	Source            *Source
	Dispatch          *Address

	Health         HealthCheck
	EmailAlert     EmailAlert
	LoadState      string // load-server-state-from-file: global, local, none (default)
	StateFile      string // of "local": server-state-file-name or the backend's name; relative to Global.StateBase
	NoRetry        bool   // retry-on none; otherwise failed connects are retried
	ForcePersist   bool   // a connection stays with the server that it was given: no redispatch
	IgnorePersist  bool   // nothing binds a connection to a server
	PanicThreshold int    // percent of the servers; when fewer are up, all of them are used (an extension); 0: off

	// Of a statistics listener; see IsPage.
	HTTP       bool // mode http
	Page       Page
	Exporter   []Condition // http-request use-service prometheus-exporter: who meets one gets metrics
	MonitorURI string

	Timeouts Timeouts
	Options  Options

	// Place in a queue of the connections that come here, from "tcp-request content"; nil: this proxy sets none. What a
	// backend sets overrides its frontend's.
	PriorityClass  *int // -2047..2047, lower ones first
	PriorityOffset *int // ms, -524287..524287, added to the time of arrival

	KeepAliveClient, KeepAliveServer KeepAlive // clitcpka-*, srvtcpka-*

	Logs           []LogTarget // "log global" is already replaced by global's
	LogTag         string
	LogFormat      string // empty: none; "option tcplog" gives the built-in one through Options.TCPLog
	ErrorLogFormat string
	LogJSON        bool     // log-format-json (an extension); in a backend it is about messages only
	LogJSONItems   []string // its fields; none: the built-in ones

	defaultServer *Server // while the section is being read
	http          []*needsHTTP
}

// UseBackend is one use_backend rule; its condition comes with the rules.
type UseBackend struct {
	Pos  Pos
	Name string
}

// Timeouts of a proxy; 0: none set, that is, infinite.
type Timeouts struct {
	Client, ClientFin      time.Duration
	Server, ServerFin      time.Duration
	Connect, Queue, Tunnel time.Duration
	Check, Tarpit          time.Duration
	HTTPRequest            time.Duration // of statistics listeners
	HTTPKeepAlive          time.Duration
}

// Options are the "option" keywords. All default to false but where said.
type Options struct {
	TCPLog, LogASAP, DontLogNull, DontLogNormal, LogSeparateErrors bool
	LogHealthChecks                                                bool
	TCPKAClient, TCPKAServer                                       bool // clitcpka, srvtcpka; tcpka sets both
	SmartAccept, SmartConnect                                      bool
	SpliceAuto, SpliceRequest, SpliceResponse                      bool
	NoLinger, AbortOnClose                                         bool
	Sockmap                                                        bool // the kernel moves the bytes, where it can
	ContStats, SocketStats                                         bool
	IndependentStreams                                             bool
	Transparent                                                    bool
	AllBackups                                                     bool
	Persist                                                        bool
}

// KeepAlive is the kernel's TCP keep-alive schedule; 0: the kernel's default.
type KeepAlive struct {
	Count          int
	Idle, Interval time.Duration
}

// Algorithm names a way to choose a server.
type Algorithm uint8

// The values of "balance".
const (
	RoundRobin Algorithm = iota
	StaticRR
	LeastConn
	First
	SourceHash // "balance source"
	Random
	Hash // "balance hash <expr>" with a source-derived key
)

// Balance is the "balance" keyword.
type Balance struct {
	Algorithm Algorithm
	Draws     int    // random(N), default 2
	Expr      string // hash: "src", "src,ipmask(24)", ...; parsed into Mask4 and Mask6
	Mask4     int    // bits of an IPv4 source that count, default 32
	Mask6     int    // bits of an IPv6 source that count, default 128
	WithPort  bool   // hash src_port takes part
}

// HashMethod, HashFunction: the words of "hash-type".
type HashMethod uint8
type HashFunction uint8

// The hash-type methods; Maglev is an extension.
const (
	MapBased HashMethod = iota
	Consistent
	Maglev
)

// The hash-type functions.
const (
	SDBM HashFunction = iota
	DJB2
	WT6
	CRC32
	XXHash
	NoHash
)

// HashType is the "hash-type" keyword.
type HashType struct {
	Method    HashMethod
	Function  HashFunction
	Avalanche bool
}

// IsStatic tells the algorithms that lay their servers out once; the others are dynamic, in the manual's words.
func (p *Proxy) IsStatic() bool {
	switch p.Balance.Algorithm {
	case StaticRR:
		return true
	case SourceHash, Hash:
		return p.HashType.Method == MapBased
	}
	return false
}

// Family of an address, as its prefix gives it.
type Family uint8

// The families; AnyFamily is an address without prefix, to be found by its form.
const (
	AnyFamily Family = iota
	IPv4
	IPv6
	Unix
	Abstract  // abns@
	Inherited // fd@N
)

// Address is one address of a bind, server or source line, before names are resolved.
type Address struct {
	Family     Family
	Host       string     // as written; empty for *, and for unix
	IP         netip.Addr // valid when Host is a literal, or unspecified for *
	Port       int        // 0: none given; for a server: the port that the client connected to
	PortEnd    int        // last port of a range; equal to Port otherwise
	PortOffset bool       // "+10", "-10": a server's port relative to the client's destination port
	Path       string     // unix path or abstract name
	FD         int        // fd@N
	// Prefix is that of "192.0.2.0/24", where a keyword takes one; then IP is its first address. Not valid: a single address.
	Prefix netip.Prefix
}

// Bind is one listening address: a line with several addresses or a port range gives several Binds that share the rest. Prefixes
// and large ranges of ports of a line, of one family, are one Bind, for one listener: see Lookup.
type Bind struct {
	Pos     Pos
	Address Address // one address, one port; with Lookup the first of those
	// Lookup has the addresses whose connections a kernel program must bring to the listener; empty: it listens on Address itself.
	Lookup        []Address
	Name          string
	ID            int
	AcceptProxy   bool
	ExpectProxyL4 bool // expect-proxy layer4
	Backlog       int
	DeferAccept   bool
	Interface     string
	MaxConn       int
	MSS           int
	Nice          int
	Threads       []int         // loops (from 1) that accept here, ascending; empty: all. Numbers above the count of loops mean nothing
	Shards        int           // 0: by-thread; n>0: that many sockets
	UserTimeout   time.Duration // tcp-ut
	FastOpen      bool          // tfo
	TOS           int           // -1: unset
	Transparent   bool
	V4V6, V6Only  bool
	User, Group   string      // unix sockets
	UID, GID      int         // -1: unset
	Mode          fs.FileMode // 0: unset
	MD5Key        string
	Namespace     string // network namespace, a name in /var/run/netns or an absolute path; empty: the process's
	NamespaceLate bool   // it is awaited (an extension)
	StatsLevel    string // "level" on stats socket
}

// Namespace is a network namespace of "namespace_list".
type Namespace struct {
	Pos  Pos
	Name string // in /var/run/netns, or an absolute path
	Late bool   // it is awaited (an extension)
}

// Server is one server of a backend. A server-template gives as many as it says.
type Server struct {
	Pos              Pos
	Name             string
	ID               int // "id", given or assigned from 1 up within the backend
	IDGiven          bool
	GUID             string
	Address          Address
	Weight           int // 0..256, default 1
	MaxConn          int // 0: none
	MinConn          int // equal to MaxConn unless given: only a smaller one makes the limit follow the backend's load
	MaxQueue         int // 0: none
	Backup, Disabled bool
	Source           *Source // overrides the backend's
	Interface        string
	UserTimeout      time.Duration
	FastOpen         bool
	TOS              int // -1: unset
	Socks4           *Address
	MD5Key           string

	SendProxy      int // 0: none, 1 or 2: the version
	ProxyV2        ProxyV2Options
	SlowStart      time.Duration
	SlowStartOnNew bool // slowstart TIME on-new (an extension): also for servers that were never up before
	Damping        Damping

	Check         Check
	Track         string   // "proxy/server" once the configuration is loaded, also where the proxy was left out
	OnMarkedDown  string   // empty, shutdown-sessions
	OnMarkedUp    string   // empty, shutdown-backup-sessions
	Observe       string   // empty, layer4
	ErrorLimit    int      // default 10
	OnError       string   // fastinter, fail-check (default), sudden-death, mark-down
	InitAddr      []string // last, libc, none, or an address; nil: last, libc
	InitState     string   // up (default), down, fully-up, fully-down
	Resolvers     string   // name of a section; empty: names are resolved at start only
	Resolve       Resolve
	Template      *Template // of a server-template's servers
	Namespace     string    // as Bind's, or ClientNamespace
	NamespaceLate bool      // it is awaited (an extension)
}

// Template is what the servers of one "server-template" line share.
type Template struct {
	Prefix string
	Low    int  // number of the first
	High   int  // and of the last
	SRV    bool // as Server.SRV says
	ID     int  // "id" of the line, that of the first server; 0: assigned
}

// SRV tells whether the name is one of a service, such as "_http._tcp.example.com": the answer to it gives address, port and
// weight.
func (s *Server) SRV() bool { return strings.HasPrefix(s.Address.Host, "_") && s.Resolvers != "" }

// ProxyV2Options is "proxy-v2-options".
type ProxyV2Options struct {
	CRC32C, UniqueID, Authority bool
}

// Check is "check" and its companions.
type Check struct {
	Enabled                     bool
	Address                     *Address      // "addr"; nil: the server's. Its port, if any, counts when Port is 0
	Port                        int           // 0: the server's
	Inter, FastInter, DownInter time.Duration // default 2s; 0 for the other two: Inter
	Rise, Fall                  int           // default 2 and 3
	SendProxy                   bool          // check-send-proxy. Without it, as the traffic unless Address or Port is set
	ViaSocks4                   bool
	Agent                       bool
	AgentPort                   int
	AgentAddr                   *Address // nil: the server's
	AgentSend                   string
	AgentInter                  time.Duration // default 2s
}

// Source is "source ADDR[:port[-port]] [usesrc ADDR|client|clientip] [interface NAME]".
type Source struct {
	Address    Address
	UseSource  string   // "", "client", "clientip", "address"
	UseAddress *Address // with "address"
	Interface  string
}

// LogTarget is one "log" line.
type LogTarget struct {
	Pos      Pos
	Network  string // udp, unixgram, stdout, stderr, fd, ring
	Address  string // host:port, path, or the ring's name
	FD       int
	Length   int    // default 1024
	Format   string // local (default, or rfc3164 with log-send-hostname), rfc3164, rfc5424, priority, short, raw, timed, iso
	Sample   *Sample
	Facility string // kern .. local7
	Level    string // most verbose level sent: emerg .. debug; default debug
	MinLevel string // most severe level that keeps its name; default emerg
}

// Ring is a "ring" section: a buffer of the latest log lines.
type Ring struct {
	Pos         Pos
	Name        string
	Description string // empty: none
	Format      string // as LogTarget.Format, which it goes before; empty: the target's
	MaxLen      int    // bytes of a line; 0: as many as there is room for
	Size        int    // bytes, default 16384
	BackingFile string // empty: memory only

	TimeoutConnect, TimeoutServer time.Duration // 0: none
	Servers                       []RingServer
}

// RingServer is a log server that a ring's lines are sent to over TCP.
type RingServer struct {
	Pos        Pos
	Name       string
	Address    Address
	OctetCount bool // log-proto octet-count
}

// Sample is "sample 1,3-5:10": of every Size lines those whose number (from 1) is in a range.
type Sample struct {
	Ranges [][2]int
	Size   int
}
