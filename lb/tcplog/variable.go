package tcplog

import (
	"net/netip"
	"os"
	"strconv"
	"sync"
)

// variable says what a part of a format stands for.
type variable uint8

const (
	literal variable = iota
	space
	connectLine
	errorLine
	propagate // %o
	sampled   // %[...]
	isoDate   // in JSON only, as are the next two
	listenerName
	innerText // a text made of several pieces, within JSON

	backendName
	backendConns
	backendIP
	backendPort
	backendQueue
	bytesIn
	bytesOut
	clientIP
	clientPort
	connectTime
	connections
	cookieState
	dataTime
	empty
	frontendConns
	frontendIP
	frontendName
	frontendPort
	gmtDate
	handshakeTime
	hostName
	httpStatus
	localDate
	logCounter
	millisecond
	none
	preciseDate
	processID
	queueTime
	requestCounter
	retries
	serverConns
	serverIP
	serverName
	serverPort
	serverQueue
	termination
	timestamp
	totalTime
	uniqueID
	httpOnly
)

// names is the table of the manual's 8.2.6. Those of TLS and of captured headers have nothing to show in a TCP balancer
// and are accepted for the files that name them; HAProxy in TCP mode writes the same for them.
var names = map[string]variable{
	"B": bytesOut, "H": hostName, "ID": uniqueID, "ST": httpStatus, "T": gmtDate, "Tc": connectTime, "Td": dataTime,
	"Tl": localDate, "Th": handshakeTime, "Ts": timestamp, "Tt": totalTime, "Tu": totalTime, "Tw": queueTime, "U": bytesIn,
	"ac": connections, "b": backendName, "bc": backendConns, "bi": backendIP, "bp": backendPort, "bq": backendQueue,
	"ci": clientIP, "cp": clientPort, "f": frontendName, "fc": frontendConns, "fi": frontendIP, "fp": frontendPort,
	"ft": frontendName, "lc": logCounter, "ms": millisecond, "o": propagate, "pid": processID, "rc": retries,
	"rt": requestCounter, "s": serverName, "sc": serverConns, "si": serverIP, "sp": serverPort, "sq": serverQueue,
	"t": preciseDate, "ts": termination, "tsc": cookieState,

	"hr": empty, "hrl": empty, "hs": empty, "hsl": empty, "sslc": none, "sslv": none,

	"CC": httpOnly, "CS": httpOnly, "HM": httpOnly, "HP": httpOnly, "HPO": httpOnly, "HQ": httpOnly, "HU": httpOnly,
	"HV": httpOnly, "Ta": httpOnly, "Ti": httpOnly, "Tq": httpOnly, "TR": httpOnly, "Tr": httpOnly, "r": httpOnly,
	"tr": httpOnly, "trg": httpOnly, "trl": httpOnly,
}

// These do not change while the process lives.
var (
	pid      = os.Getpid()
	hostname = sync.OnceValue(func() string {
		name, _ := os.Hostname() // an empty name is logged as "-"
		return name
	})
)

func appendVariable(b []byte, p *part, r *Record, x *scratch) []byte {
	switch p.variable {
	case clientIP:
		return appendIP(b, p.flags, r.Client, r.ClientUnix)
	case clientPort:
		return appendPort(b, p.flags, r.Client, r.ClientUnix, r.ListenerID)
	case frontendIP:
		return appendIP(b, p.flags, r.FrontendAddr, r.ClientUnix)
	case frontendPort:
		return appendPort(b, p.flags, r.FrontendAddr, r.ClientUnix, r.ListenerID)
	case backendIP:
		return appendIP(b, p.flags, r.BackendSource, r.BackendUnix)
	case backendPort:
		return appendPort(b, p.flags, r.BackendSource, r.BackendUnix, 0)
	case serverIP:
		return appendIP(b, p.flags, r.BackendAddr, r.BackendUnix)
	case serverPort:
		return appendPort(b, p.flags, r.BackendAddr, r.BackendUnix, 0)

	case frontendName:
		return appendString(b, p.flags, r.Frontend)
	case backendName:
		return appendString(b, p.flags, r.Backend)
	case serverName:
		if r.Server == "" {
			return appendString(b, p.flags, "<NOSRV>")
		}
		return appendString(b, p.flags, r.Server)
	case hostName:
		return appendString(b, p.flags, hostname())
	case uniqueID:
		return appendString(b, p.flags, r.UniqueID)
	case none:
		return appendString(b, p.flags, "")
	case empty:
		return b

	case preciseDate:
		x.clock.update(r.Accept)
		b = append(b, x.clock.local[:]...)
		b = append(b, '.')
		return appendPadded(b, x.clock.nanosecond/1e6, 3)
	case localDate:
		x.clock.update(r.Accept)
		return append(append(append(b, x.clock.local[:]...), ' '), x.clock.zone[:]...)
	case gmtDate:
		return append(appendDate(b, r.Accept.UTC()), " +0000"...)
	case timestamp:
		return appendNumber(b, p.flags, r.Accept.Unix(), 4)
	case millisecond:
		if millis := r.Accept.Nanosecond() / 1e6; p.flags&hex == 0 {
			return appendPadded(b, millis, 3)
		} else {
			return appendNumber(b, p.flags, int64(millis), 2)
		}

	case handshakeTime:
		return strconv.AppendInt(b, int64(r.Handshake), 10)
	case queueTime:
		return strconv.AppendInt(b, int64(r.Queue), 10)
	case connectTime:
		return strconv.AppendInt(b, int64(r.Connect), 10)
	case dataTime:
		return strconv.AppendInt(b, int64(r.dataTime()), 10)
	case totalTime: // a TCP flow is never idle before its data, so Tu is the same
		return strconv.AppendInt(appendPlus(b, r.LogASAP), int64(r.Total), 10)
	case bytesIn:
		return strconv.AppendUint(b, r.BytesIn, 10)
	case bytesOut:
		return strconv.AppendUint(appendPlus(b, r.LogASAP), r.BytesOut, 10)

	case termination:
		return appendTermination(b, r)
	case cookieState:
		return append(appendTermination(b, r), "--"...) // no cookies here
	case connections:
		return strconv.AppendInt(b, int64(r.ActConn), 10)
	case frontendConns:
		return strconv.AppendInt(b, int64(r.FeConn), 10)
	case backendConns:
		return strconv.AppendInt(b, int64(r.BeConn), 10)
	case serverConns:
		return strconv.AppendInt(b, int64(r.SrvConn), 10)
	case retries:
		return strconv.AppendInt(appendPlus(b, r.Redispatched), int64(r.Retries), 10)
	case serverQueue:
		return strconv.AppendInt(b, int64(r.SrvQueue), 10)
	case backendQueue:
		return strconv.AppendInt(b, int64(r.BeQueue), 10)
	case httpStatus:
		return append(b, '0') // there is none; HAProxy writes this
	case requestCounter:
		return appendNumber(b, p.flags, int64(r.Counter), 4)
	case logCounter:
		return appendNumber(b, p.flags, int64(r.LogCounter), 4)
	case processID:
		return appendNumber(b, p.flags, int64(pid), 4)

	case sampled:
		return appendExpression(b, p, r, x)
	case connectLine:
		return appendConnectLine(b, r)
	case errorLine:
		return appendErrorLine(b, r, x)
	}
	return b
}

// dataTime is Td: what Tt has beyond the handshake, the queue and the connect; -1 where there was no connection.
func (r *Record) dataTime() int {
	switch {
	case r.Connect < 0:
		return -1
	case r.LogASAP: // the transfer is only beginning
		return 0
	}
	return max(0, r.Total-max(0, r.Handshake)-max(0, r.Queue)-r.Connect)
}

func appendTermination(b []byte, r *Record) []byte {
	for _, c := range r.Termination {
		if c == 0 {
			c = '-'
		}
		b = append(b, c)
	}
	return b
}

func appendConnectLine(b []byte, r *Record) []byte {
	if r.ClientUnix {
		b = append(b, "Connect to unix:"...)
		b = strconv.AppendInt(b, int64(r.ListenerID), 10)
	} else {
		b = appendHostPort(append(b, "Connect from "...), r.Client)
		b = appendHostPort(append(b, " to "...), r.FrontendAddr)
	}
	b = append(append(b, " ("...), r.Frontend...)
	return append(b, "/TCP)"...)
}

func appendErrorLine(b []byte, r *Record, x *scratch) []byte {
	b = appendIP(b, 0, r.Client, r.ClientUnix)
	b = appendPort(append(b, ':'), 0, r.Client, r.ClientUnix, r.ListenerID)
	x.clock.update(r.Accept)
	b = append(append(b, " ["...), x.clock.local[:]...)
	b = appendPadded(append(b, '.'), x.clock.nanosecond/1e6, 3)
	b = append(append(b, "] "...), r.Frontend...)
	b = append(b, '/')
	if r.ListenerName != "" {
		b = append(b, r.ListenerName...)
	} else {
		b = strconv.AppendInt(b, int64(r.ListenerID), 10)
	}
	return append(append(b, ": "...), r.Error...)
}

func appendHostPort(b []byte, a netip.AddrPort) []byte {
	b = append(appendIP(b, 0, a, false), ':')
	return appendPort(b, 0, a, false, 0)
}
