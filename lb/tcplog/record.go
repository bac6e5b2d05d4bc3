package tcplog

import (
	"net/netip"
	"time"
)

// Record is one flow as its log line tells it. The caller owns it: Append and Flow read it before they return and keep
// nothing, so a loop may use one Record for all its flows. Strings that are empty are logged as "-" or as their field's
// own word ("<NOSRV>").
type Record struct {
	Client        netip.AddrPort // %ci %cp: as the PROXY header said, if there was one
	ClientUnix    bool           // the client came over a unix socket: %ci %fi are "unix", %cp %fp are ListenerID
	FrontendAddr  netip.AddrPort // %fi %fp: the address that the client connected to
	BackendSource netip.AddrPort // %bi %bp: the address that we connected from; zero: no connection
	BackendAddr   netip.AddrPort // %si %sp: the address that we connected to; zero: no connection
	BackendUnix   bool           // the server is a unix socket: %si %bi are "unix", %sp %bp are 0
	ListenerID    int            // the bind's id; stands for the ports of a unix client
	ListenerName  string         // the bind's name, for the error line; empty: ListenerID is shown

	Accept time.Time // %t %T %Tl %Ts %ms: wall clock
	Now    time.Time // %[date]: when the line is written, wall clock

	// Milliseconds; -1: not reached. Td and Tu are derived.
	Handshake int // Th: PROXY header received
	Queue     int // Tw: waiting for a slot
	Connect   int // Tc: to the server, retries included
	Total     int // Tt: from accept to this line

	Frontend string // %f %ft
	Backend  string // %b; the frontend's name when no backend was chosen
	Server   string // %s; empty: "<NOSRV>"

	BytesIn  uint64 // %U: from the client
	BytesOut uint64 // %B: to the client

	Termination [2]byte // %ts, manual 8.5; zero bytes stand for '-'

	ActConn, FeConn, BeConn, SrvConn int // %ac %fc %bc %sc, this flow included

	Retries      int  // %rc
	Redispatched bool // a '+' before %rc

	SrvQueue, BeQueue int // %sq %bq: how many were ahead of this flow

	UniqueID   string // %ID
	Counter    uint32 // %rt: the flow's number in the process
	LogCounter uint32 // %lc: the frontend's count of log lines

	LogASAP bool // the flow goes on: a '+' before %Tt, %Tu and %B

	// For sample expressions and JSON only.
	FrontendID, BackendID, ServerID int
	DefaultBackend                  string // the frontend's; empty: none
	Loop                            int    // from 0
	Class                           int16  // of the flow in a queue
	Offset                          int32  // ms, the same
	ReceivedProxy                   bool   // there was a PROXY header
	Authority, CarriedID            []byte // what that carried; empty: nothing

	Error string // the message of the error line, such as "Connection closed while waiting for PROXY protocol header"
}
