package check

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/poller"
)

// behaviour is what a server does with one connection, which it need not close.
type behaviour func(c net.Conn)

// serve starts a server and gives its port.
func serve(t testing.TB, do behaviour) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				do(c)
			}()
		}
	}()
	return ln.Addr().(*net.TCPAddr).Port
}

// closedPort is a port at which nobody listens. It is taken, so that nobody will.
func closedPort(t testing.TB) int {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return name.(*syscall.SockaddrInet4).Port
}

// silentPort does not answer connects: its backlog is full.
func silentPort(t testing.TB) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := name.(*syscall.SockaddrInet4).Port
	for { // a backlog of 0 takes one or two
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 50*time.Millisecond)
		if err != nil {
			return port
		}
		t.Cleanup(func() { c.Close() })
	}
}

func rest(c net.Conn)   { io.Copy(io.Discard, c) }
func resets(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }

// plays goes through a script: "<" reads something, "!" ends the sending, "!!" resets; anything else is sent. Then it waits
// for the other side to end.
func plays(script ...string) behaviour {
	return func(c net.Conn) {
		b := make([]byte, 4096)
		for _, s := range script {
			switch s {
			case "<":
				if _, err := c.Read(b); err != nil {
					return
				}
			case "!":
				c.(*net.TCPConn).CloseWrite()
			case "!!":
				resets(c)
				return
			default:
				if _, err := io.WriteString(c, s); err != nil {
					return
				}
			}
		}
		rest(c)
	}
}

// drips sends one byte after the other.
func drips(text string, every time.Duration) behaviour {
	return func(c net.Conn) {
		for i := range text {
			if _, err := io.WriteString(c, text[i:i+1]); err != nil {
				return
			}
			time.Sleep(every)
		}
		rest(c)
	}
}

// load reads a configuration.
func load(t testing.TB, text string) *config.Config {
	t.Helper()
	cfg, found := config.Load([]config.File{{Name: "test.cfg", Data: []byte(text)}}, config.NewEnv(os.Environ()), config.LoadOptions{})
	for _, d := range found {
		if d.Severity >= config.Alert {
			t.Fatal(found)
		}
	}
	return cfg
}

// newTarget is what lb makes of a server line, in the part that these tests need.
func newTarget(s *config.Server) *Target {
	t := &Target{ProxyVersion: max(s.SendProxy, 1), ViaSOCKS4: s.Check.ViaSocks4, ProxyCRC32C: s.ProxyV2.CRC32C}
	t.Traffic = poller.IP(netip.AddrPortFrom(s.Address.IP, uint16(s.Address.Port)))
	ip, port := s.Address.IP, s.Address.Port
	if s.Check.Address != nil {
		ip = s.Check.Address.IP
	}
	if s.Check.Port != 0 {
		port = s.Check.Port
	}
	t.Addr = poller.IP(netip.AddrPortFrom(ip, uint16(port)))
	if s.Check.SendProxy || s.SendProxy != 0 && s.Check.Address == nil && s.Check.Port == 0 {
		t.SendProxy = t.ProxyVersion
	}
	if s.Socks4 != nil {
		t.SOCKS4 = poller.IP(netip.AddrPortFrom(s.Socks4.IP, uint16(s.Socks4.Port)))
	}
	return t
}

// bed is a configuration's checks, which are not started.
type bed struct {
	checker *Checker
	servers map[string]*Server // by backend; there is one in each
	config  *config.Config
}

func newBed(t testing.TB, text string, o Options) *bed {
	t.Helper()
	cfg := load(t, text)
	o.External, o.InsecureForkWanted = cfg.Global.ExternalCheck, cfg.Global.InsecureForkWanted
	b := &bed{New(o), make(map[string]*Server), cfg}
	t.Cleanup(b.checker.Stop)
	for _, p := range cfg.Proxies {
		if p.Kind&config.Backend == 0 {
			continue
		}
		be, err := backend.New(p, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range p.Servers {
			var agent *Target
			if s.Check.Agent {
				agent = &Target{Addr: poller.IP(netip.AddrPortFrom(s.Address.IP, uint16(s.Check.AgentPort)))}
			}
			if b.servers[p.Name], err = b.checker.Add(be, be.Servers()[i], p, s, newTarget(s), agent); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b
}

// shown is a result as "show stat" has it: name, code where there is one, text.
func shown(r backend.CheckResult) string {
	code := ""
	switch r.Status {
	case backend.CheckL7OK, backend.CheckL7Conditional, backend.CheckL7Failed, backend.CheckProcessError, backend.CheckProcessTimeout, backend.CheckProcessOK:
		code = fmt.Sprint(r.Code)
	}
	return strings.TrimSuffix(fmt.Sprintf("%s/%s %s", r.Status.Name(), code, r.Text), " ")
}
