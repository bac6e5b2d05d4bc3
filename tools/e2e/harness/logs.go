package harness

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Receiver is a syslog server that keeps what it gets, one line per datagram.
type Receiver struct {
	*Lines
	Addr string // what stands in the configuration: 127.0.0.1:PORT, or a path
}

// ReceiveUDP receives on a loopback UDP port.
func ReceiveUDP(t testing.TB) *Receiver {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadBuffer(4 << 20)
	return receive(t, conn, conn.LocalAddr().String())
}

// ReceiveUnix receives on a unix datagram socket.
func ReceiveUnix(t testing.TB) *Receiver {
	t.Helper()
	path := filepath.Join(ShortDir(t), "log")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	return receive(t, conn, path)
}

func receive(t testing.TB, conn net.Conn, addr string) *Receiver {
	r := &Receiver{NewLines(), addr}
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			r.Add(strings.TrimSuffix(string(buffer[:n]), "\n"))
		}
	}()
	t.Cleanup(func() { conn.Close() })
	return r
}

// TCPLog is one line of 'option tcplog', field by field as section 8.2.2 of the manual names them.
type TCPLog struct {
	Client     string
	ClientPort int
	Accepted   time.Time
	Frontend   string
	Backend    string
	Server     string // "<NOSRV>" if there was none
	Tw, Tc, Tt int    // milliseconds; -1: not reached
	Early      bool   // '+' on Tt and bytes: logged before the end (option logasap)
	Bytes      int64  // from the server to the client
	State      string // two letters, section 8.5
	ActConn    int
	FeConn     int
	BeConn     int
	SrvConn    int
	Retries    int
	Redispatch bool // '+' on the retries
	SrvQueue   int
	BackQueue  int
}

var tcplogLine = regexp.MustCompile(`^(\S+):(\d+) ` +
	`\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{3})\] ` +
	`([^\s/]+) ([^\s/]+)/([^\s/]+) ` +
	`(-1|\d+)/(-1|\d+)/(\+?)(\d+) (\+?)(\d+) ` +
	`([CSPRIDLUKcs-][RQCHDLT-]) ` +
	`(\d+)/(\d+)/(\d+)/(\d+)/(\+?)(\d+) (\d+)/(\d+)$`)

// ParseTCPLog takes a line of 'option tcplog' apart. It accepts nothing that deviates by a byte.
func ParseTCPLog(line string) (TCPLog, error) {
	m := tcplogLine.FindStringSubmatch(line)
	if m == nil {
		return TCPLog{}, fmt.Errorf("not a line of tcplog: %q", line)
	}
	accepted, err := time.ParseInLocation("02/Jan/2006:15:04:05.000", m[3], time.Local)
	if err != nil {
		return TCPLog{}, err
	}
	if m[9] != m[11] {
		return TCPLog{}, fmt.Errorf("'+' on only one of Tt and bytes: %q", line)
	}
	number := func(text string) int { n, _ := strconv.Atoi(text); return n }
	return TCPLog{
		Client: m[1], ClientPort: number(m[2]), Accepted: accepted, Frontend: m[4], Backend: m[5], Server: m[6],
		Tw: number(m[7]), Tc: number(m[8]), Tt: number(m[10]), Early: m[9] == "+", Bytes: int64(number(m[12])),
		State: m[13], ActConn: number(m[14]), FeConn: number(m[15]), BeConn: number(m[16]), SrvConn: number(m[17]),
		Redispatch: m[18] == "+", Retries: number(m[19]), SrvQueue: number(m[20]), BackQueue: number(m[21]),
	}, nil
}

// RFC3164 is the header of the default format: priority, date, tag, process id.
var RFC3164 = regexp.MustCompile(`^<(\d{1,3})>([A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d) (\S+)\[(\d+)\]: (.*)$`)

// Flow returns the next line of tcplog that the receiver gets in the default format, skipping what the process says
// about itself.
func (r *Receiver) Flow(t testing.TB) TCPLog {
	t.Helper()
	for {
		line := r.Next(t)
		m := RFC3164.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("not a syslog line: %q", line)
		}
		if strings.HasPrefix(m[5], "Proxy ") || strings.HasPrefix(m[5], "Server ") ||
			strings.HasPrefix(m[5], "backend ") || strings.HasPrefix(m[5], "Stopping ") {
			continue // the process's own news, not a flow's
		}
		flow, err := ParseTCPLog(m[5])
		if err != nil {
			t.Fatal(err)
		}
		return flow
	}
}
