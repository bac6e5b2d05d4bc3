package flow

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/lb/wire"
)

func acceptProxy(s *script) { s.bind.AcceptProxy = true }

func endpoints() (from, to wire.Endpoint) {
	return wire.Endpoint{AddrPort: netip.MustParseAddrPort("192.0.2.7:1111")}, wire.Endpoint{AddrPort: netip.MustParseAddrPort("198.51.100.9:22")}
}

// A header may come in any pieces, with payload right behind it; the addresses that it tells are passed on.
func TestHeaderInPieces(t *testing.T) {
	from, to := endpoints()
	v1 := string(wire.AppendV1(nil, from, to))
	v2 := string(wire.AppendV2(nil, from, to, wire.V2Options{CRC32C: true, UniqueID: []byte("id-42"), Authority: []byte("example.org")}))
	for name, header := range map[string]string{"v1": v1, "v2": v2} {
		for _, pieces := range []int{1, 2, len(header)} {
			s := newScript(t, scriptProxy(&config.Server{}), acceptProxy)
			SetTarget(s.backend.Servers()[0], &Target{Addr: s.servers[0].listener.Addr(), SendProxy: 2, ProxyUnique: true, ProxyAuthority: true})
			client := s.client()
			for i := range pieces {
				if i > 0 {
					s.servers[0].none()
				}
				piece := header[i*len(header)/pieces : (i+1)*len(header)/pieces]
				if i == pieces-1 {
					piece += "payload"
				}
				client.send(piece)
			}
			server := s.servers[0].accept()
			have := ""
			for deadline := time.Now().Add(5 * time.Second); !strings.HasSuffix(have, "payload") && time.Now().Before(deadline); s.settle() {
				more, _ := server.read()
				have += more
			}
			h, n, err := wire.Decode([]byte(have))
			if err != nil || h.Source != from || h.Destination != to || have[n:] != "payload" {
				t.Errorf("%s in %d pieces: the server got %q: %+v, %v", name, pieces, have, h, err)
				continue
			}
			id, authority, _ := wire.Carried([]byte(have[:n]))
			if name == "v2" && (string(id) != "id-42" || string(authority) != "example.org") || name == "v1" && (id != nil || authority != nil) {
				t.Errorf("%s: unique id %q, authority %q", name, id, authority)
			}
			client.reset()
			s.over()
			s.counts(s.frontend.Stats, stats.Sessions, 1, stats.BytesIn, len("payload"))
		}
	}
}

// The address of the header is the flow's from then on; LOCAL and UNKNOWN leave the connection's own.
func TestHeaderAddresses(t *testing.T) {
	for header, want := range map[string]string{
		"PROXY TCP4 192.0.2.7 198.51.100.9 1111 22\r\n":              "192.0.2.7:1111",
		"PROXY TCP6 2001:db8::1 2001:db8::2 1111 22\r\n":             "[2001:db8::1]:1111",
		"PROXY UNKNOWN\r\n":                                          "127.0.0.1:",
		"PROXY UNKNOWN ffff:f::1 ffff:f::1 65535 65535\r\n":          "127.0.0.1:",
		"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00":                     "127.0.0.1:",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x00\x00\x05\x04\x00\x02\x00\x00": "127.0.0.1:",
	} {
		s := newScript(t, scriptProxy(&config.Server{}), acceptProxy)
		client := s.client()
		client.send(header)
		s.servers[0].accept()
		if got := s.loop.flows.sourceOf().String(); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s, not %s", header, got, want)
		}
		client.reset()
		s.over()
	}
}

// A header that is wrong or late, or does not come, closes the connection before any server hears of it, and is counted.
func TestBadHeaders(t *testing.T) {
	for _, test := range []struct {
		name  string
		do    func(s *script, c *peer)
		count stats.ID
		text  string
	}{
		{"not a header", func(s *script, c *peer) { c.send("GET / HTTP/1.1\r\n\r\n") }, stats.HeaderMalformed, "Received something which does not look like a PROXY protocol header"},
		{"malformed v1", func(s *script, c *peer) { c.send("PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n") }, stats.HeaderMalformed, "Received an invalid PROXY protocol header"},
		{"malformed behind a good piece", func(s *script, c *peer) { c.send("PROXY TCP4 1.2."); c.send("3.400 5.6.7.8 1 2\r\n") }, stats.HeaderMalformed, "Received an invalid PROXY protocol header"},
		{"endless v1", func(s *script, c *peer) { c.send("PROXY TCP4 " + strings.Repeat("1", 200)) }, stats.HeaderMalformed, "Received an invalid PROXY protocol header"},
		{"wrong v2 version", func(s *script, c *peer) { c.send("\r\n\r\n\x00\r\nQUIT\n\x31\x11\x00\x00") }, stats.HeaderMalformed, "Received .*"},
		{"closed at once", func(s *script, c *peer) { c.finish() }, stats.HeaderAborted, "Connection closed while waiting for PROXY protocol header"},
		{"closed within it", func(s *script, c *peer) { c.send("PROXY TC"); c.finish() }, stats.HeaderAborted, "Truncated PROXY protocol header received"},
		{"reset", func(s *script, c *peer) { c.send("PROXY TC"); c.reset() }, stats.HeaderAborted, ".*"},
		{"late", func(s *script, c *peer) {
			s.pass(9 * time.Second)
			c.send("PROXY TC") // a piece does not give it more time
			s.pass(time.Second - time.Millisecond)
			if s.loop.count != 1 {
				s.t.Error("too early")
			}
			s.pass(time.Millisecond)
		}, stats.HeaderTimeout, "Timeout while waiting for PROXY protocol header"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(t, scriptProxy(&config.Server{}), acceptProxy)
			s.frontend.ClientTimeout = 10_000
			c := s.client()
			test.do(s, c)
			s.over()
			if c.Open() {
				if _, end := c.read(); end != "EOF" {
					t.Errorf("the client's end is %q", end)
				}
			}
			s.line(`f/bind: ` + test.text)
			for _, id := range []stats.ID{stats.HeaderMalformed, stats.HeaderAborted, stats.HeaderTimeout} {
				want := 0
				if id == test.count {
					want = 1
				}
				s.counts(s.frontend.Stats, id, want)
			}
			s.counts(s.frontend.Stats, stats.Connections, 1, stats.Sessions, 0)
			s.servers[0].none()
		})
	}
}

// What goes out to a server that wants a header, for a client without one.
func TestSendProxy(t *testing.T) {
	for version := 1; version <= 2; version++ {
		s := newScript(t, scriptProxy(&config.Server{}))
		SetTarget(s.backend.Servers()[0], &Target{Addr: s.servers[0].listener.Addr(), SendProxy: version, ProxyCRC32C: true})
		client, server := s.flow() // the header comes before the client has said anything
		have, _ := server.read()
		h, n, err := wire.Decode([]byte(have))
		if err != nil || n != len(have) {
			t.Fatalf("version %d: %q: %v", version, have, err)
		}
		if want := s.peers.LocalAddr(&client.Socket).AddrPort; h.Source.AddrPort != want || h.Destination.AddrPort != s.addr.AddrPort {
			t.Errorf("version %d: from %v to %v, not %v to %v", version, h.Source, h.Destination, want, s.addr)
		}
		client.send("x")
		server.got("x", "")
		client.reset()
		s.over()
		s.counts(s.frontend.Stats, stats.BytesIn, 1) // the header is not the client's
	}
}
