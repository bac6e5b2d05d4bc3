package check

import (
	"errors"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/wire"
	"github.com/sluice-lb/sluice/poller"
)

// connectStep opens a connection, in place of the one before it.
type connectStep struct {
	standard  bool // PROXY header and SOCKS4 as the server's own settings say
	sendProxy bool
	viaSOCKS4 bool
	linger    bool
	address   poller.Addr             // the zero Addr: the target's
	port      uint16                  // 0: the address's, or the target's
	portFrom  *config.CheckExpression // gives the port; nil: port
}

// newConnect reads a "connect" rule.
func newConnect(r *config.CheckRuleConnect) (*connectStep, string, error) {
	c := &connectStep{standard: r.Default, sendProxy: r.SendProxy, viaSOCKS4: r.ViaSOCKS4, linger: r.Linger}
	what := "connect"
	if r.Address != nil {
		switch a := r.Address; {
		case a.Family == config.Unix:
			c.address = poller.Addr{Path: a.Path}
		case a.Family == config.Abstract:
			c.address = poller.Addr{Path: "@" + a.Path}
		default:
			c.address = poller.IP(netip.AddrPortFrom(a.IP, uint16(a.Port)))
		}
	}
	if r.Port == "" {
		return c, what, nil
	}
	if n, err := strconv.ParseUint(r.Port, 10, 16); err == nil {
		c.port = uint16(n)
		return c, what + " port " + r.Port, nil
	}
	e, err := config.ParseCheckExpression(r.Port)
	c.portFrom = &e
	return c, what, err
}

// where finds the address to connect to.
func (c *connectStep) where(x *exchange) (poller.Addr, string) {
	addr := c.address
	if addr == (poller.Addr{}) {
		if x.target.Err != nil {
			return addr, x.target.Err.Error()
		}
		addr = x.target.Addr
	}
	if addr.IsUnix() {
		return addr, ""
	}
	port := c.port
	if c.portFrom != nil {
		value, _ := c.portFrom.Value(x.know())
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return addr, "the port is '" + value + "', which is none"
		}
		port = uint16(n)
	}
	if port == 0 {
		if port = addr.Port(); port == 0 {
			port = x.target.Addr.Port()
		}
	}
	if port == 0 {
		return addr, "there is no port to connect to"
	}
	return poller.IP(netip.AddrPortFrom(addr.Addr(), port)), ""
}

func (c *connectStep) do(x *exchange, s *step, last bool) bool {
	x.close()
	x.forget()
	x.ended, x.linger = false, c.linger
	addr, wrong := c.where(x)
	if wrong != "" {
		return x.fail(backend.CheckSocketError, wrong+x.script.where(s))
	}
	t := x.target
	options, to := &t.Options, addr
	viaSOCKS4 := t.SOCKS4.IsValid() && (c.viaSOCKS4 || c.standard && t.ViaSOCKS4)
	version := 0
	switch {
	case c.sendProxy:
		version = t.ProxyVersion
	case c.standard:
		version = t.SendProxy
	}
	if viaSOCKS4 {
		to = t.SOCKS4
	} else if last && version == 0 && !addr.IsUnix() {
		// Nothing will be said. The handshake's last packet is held back, and the reset that ends the check goes instead of
		// it: the server's program does not even hear of it.
		x.options = t.Options
		x.options.NoQuickAck = true
		options = &x.options
	}
	x.deadline = time.Now().Add(x.script.connectTime)
	if err := x.conn.Connect(to, t.Source, options, x.deadline); err != nil {
		return x.broken(err, s)
	}
	x.connected = true
	if viaSOCKS4 {
		if err := x.openSOCKS4(addr); err != nil {
			return x.broken(err, s)
		}
	}
	if version != 0 {
		if err := x.sendProxy(version, addr); err != nil {
			return x.broken(err, s)
		}
	}
	if x.script.answerTime > 0 {
		x.deadline = time.Now().Add(x.script.answerTime)
		x.conn.SetDeadline(x.deadline)
	}
	return true
}

// openSOCKS4 asks the SOCKS4 proxy at the other end for a way to target. It answers with 8 bytes and no more.
func (x *exchange) openSOCKS4(target poller.Addr) error {
	b := wire.AppendSOCKS4(make([]byte, 0, wire.MaxAppend), target.AddrPort)
	if len(b) == 0 {
		return errSOCKS4Address
	}
	if _, err := x.conn.Write(b); err != nil {
		return err
	}
	var reply [wire.SOCKS4ReplySize]byte
	for n := 0; ; {
		more, err := x.conn.Read(reply[n:])
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) || err == poller.ErrInterrupted {
				return err
			}
			return errSOCKS4Read
		}
		n += more
		switch _, err := wire.DecodeSOCKS4(reply[:n]); err {
		case nil:
			return nil
		case wire.ErrShort:
		default:
			return errSOCKS4Denied
		}
	}
}

// socksError is what went wrong between us and a SOCKS4 proxy.
type socksError string

func (e socksError) Error() string { return string(e) }

const (
	errSOCKS4Address socksError = "a SOCKS4 proxy reaches IPv4 addresses only"
	errSOCKS4Denied  socksError = "SOCKS4 Proxy deny the request"
	errSOCKS4Read    socksError = "SOCKS4 Proxy read error during handshake"
)

// sendProxy sends a PROXY header. Version 1 has the connection's own addresses; version 2 says LOCAL, as the protocol wants
// it for what a proxy does on its own account.
func (x *exchange) sendProxy(version int, target poller.Addr) error {
	b := make([]byte, 0, wire.MaxAppend)
	if version == 2 {
		b = wire.AppendV2(b, wire.Endpoint{}, wire.Endpoint{}, wire.V2Options{Local: true, CRC32C: x.target.ProxyCRC32C})
	} else {
		local := x.conn.Local()
		b = wire.AppendV1(b, wire.Endpoint{AddrPort: local.AddrPort, Path: local.Path}, wire.Endpoint{AddrPort: target.AddrPort, Path: target.Path})
	}
	_, err := x.conn.Write(b)
	return err
}
