package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// nginx reads what the balancer writes, in both versions and both families, also when the address came in by a PROXY
// header itself.
func TestProxyProtocolToNginx(t *testing.T) {
	t.Parallel()
	nginx, logs := harness.StartNginx(t), harness.ReceiveUDP(t)
	four, middle, inner := harness.Loopback(t), harness.Loopback(t), harness.Loopback(t)
	six := fmt.Sprintf("[::1]:%d", harness.Port(t))
	for _, option := range []string{"send-proxy", "send-proxy-v2"} {
		t.Run(option, func(t *testing.T) {
			harness.Start(t, config(logs, "",
				section("listen direct", "bind "+four+","+six, "server nginx "+nginx.Proxy+" "+option),
				section("listen outer", "bind "+middle, "server inner "+inner+" "+option),
				section("listen inner", "bind "+inner+" accept-proxy", "server nginx "+nginx.Proxy+" "+option)))
			for _, addr := range []string{four, six, middle} {
				got := harness.Run(t, "curl", "-sS", "-w", "%{local_ip} %{local_port}", "http://"+addr+"/addr")
				seen, real, _ := strings.Cut(got, "\n")
				host, port, _ := net.SplitHostPort(addr)
				if want := real + " " + host + " " + port; seen != want {
					t.Errorf("through %s nginx saw '%s', want '%s'", addr, seen, want)
				}
			}
		})
	}
}

// curl writes the header itself.
func TestProxyProtocolFromCurl(t *testing.T) {
	t.Parallel()
	nginx, logs, addr := harness.StartNginx(t), harness.ReceiveUDP(t), harness.Loopback(t)
	harness.Start(t, config(logs, "",
		section("listen front", "bind "+addr+" accept-proxy", "server nginx "+nginx.Proxy+" send-proxy-v2")))
	got := harness.Run(t, "curl", "-sS", "--haproxy-protocol", "-w", "%{local_ip} %{local_port}", "http://"+addr+"/addr")
	seen, real, _ := strings.Cut(got, "\n")
	if !strings.HasPrefix(seen, real+" 127.0.0.1 ") {
		t.Errorf("nginx saw '%s', curl was %s", seen, real)
	}
}

const v2 = "\r\n\r\n\x00\r\nQUIT\n"

// What comes in: the log names the client of the header, and the payload behind it arrives whole.
func TestProxyProtocolIn(t *testing.T) {
	t.Parallel()
	logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
	harness.Start(t, config(logs, "", section("listen front", "bind "+addr+" accept-proxy", "server origin "+origin.Addr)))
	six := "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	for _, c := range []struct {
		name, header, client string
		port                 int // 0: the real one
	}{
		{"v1 TCP4", "PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\n", "192.0.2.1", 5000},
		{"v1 TCP6", "PROXY TCP6 2001:db8::1 2001:db8::2 5001 80\r\n", "2001:db8::1", 5001},
		{"v1 UNKNOWN", "PROXY UNKNOWN\r\n", "127.0.0.1", 0},
		{"v1 UNKNOWN with addresses", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "127.0.0.1", 0},
		{"v2 TCP4", v2 + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x13\x8a\x00\x50", "192.0.2.1", 5002},
		{"v2 TCP6", v2 + "\x21\x21\x00\x24" + six + six + "\x13\x8b\x00\x50", "2001:db8::1", 5003},
		{"v2 TLVs", v2 + "\x21\x11\x00\x13\xc0\x00\x02\x01\xc0\x00\x02\x02\x13\x8c\x00\x50\x04\x00\x04\x00\x00\x00\x00", "192.0.2.1", 5004},
		{"v2 LOCAL", v2 + "\x20\x00\x00\x00", "127.0.0.1", 0},
		{"v2 LOCAL with addresses", v2 + "\x20\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x13\x8a\x00\x50", "127.0.0.1", 0},
	} {
		for _, together := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s,together=%v", c.name, together), func(t *testing.T) {
				if c.name == "v1 UNKNOWN with addresses" {
					harness.SluiceOnly(t, harness.UnknownAddresses)
				}
				client := harness.DialTCP(t, addr)
				if together {
					harness.Say(t, client, c.header+"hello")
					harness.Hear(t, client, "hello")
				} else {
					harness.Say(t, client, c.header)
					exchange(t, client)
				}
				want := c.port
				if want == 0 {
					want = client.LocalAddr().(*net.TCPAddr).Port
				}
				client.Close()
				if flow := logs.Flow(t); flow.Client != c.client || flow.ClientPort != want || flow.Bytes != 5 {
					t.Errorf("logged %s:%d with %d bytes, want %s:%d with 5", flow.Client, flow.ClientPort, flow.Bytes, c.client, want)
				}
			})
		}
	}
}

// What is no header closes the connection before a server hears of it.
func TestProxyProtocolMalformed(t *testing.T) {
	t.Parallel()
	logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
	harness.Start(t, config(logs, "", section("listen front", "bind "+addr+" accept-proxy", "server origin "+origin.Addr)))
	for _, header := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 5000\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 99999 80\r\n",
		"PROXY TCP4 2001:db8::1 192.0.2.2 5000 80\r\n",
		"PROXY TCP6 192.0.2.1 192.0.2.2 5000 80\r\n",
		"PROXY TCP9 192.0.2.1 192.0.2.2 5000 80\r\n",
		"PROXY " + strings.Repeat("x", 200) + "\r\n",
		v2 + "\x31\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x13\x8a\x00\x50", // version 3
		v2 + "\x21\x11\x00\x04\xc0\x00\x02\x01",                                 // too short for its family
		v2 + "\x22\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x13\x8a\x00\x50", // unknown command
	} {
		if strings.Contains(header, "99999") && harness.Differs(harness.PortRange) {
			continue
		}
		client := harness.DialTCP(t, addr)
		harness.Say(t, client, header)
		answer, _ := io.ReadAll(client)
		if len(answer) > 0 {
			t.Errorf("%q was answered with %q", header, answer)
		}
		client.Close()
		if line := logs.Next(t); !strings.Contains(line, "PROXY") {
			t.Errorf("%q logged %q, want a line about the PROXY header", header, line)
		}
	}
	if origin.Accepted.Load() != 0 {
		t.Errorf("%d connections reached the server", origin.Accepted.Load())
	}
}

// What goes out, byte for byte.
func TestProxyProtocolOut(t *testing.T) {
	t.Parallel()
	logs := harness.ReceiveUDP(t)
	for _, c := range []struct {
		name, host, option string
		want               func(from, to *net.TCPAddr) string
	}{
		{"v1 TCP4", "127.0.0.1", "send-proxy", func(from, to *net.TCPAddr) string {
			return fmt.Sprintf("PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n", from.Port, to.Port)
		}},
		{"v1 TCP6", "::1", "send-proxy", func(from, to *net.TCPAddr) string {
			return fmt.Sprintf("PROXY TCP6 ::1 ::1 %d %d\r\n", from.Port, to.Port)
		}},
		{"v2 TCP4", "127.0.0.1", "send-proxy-v2", func(from, to *net.TCPAddr) string {
			return v2 + "\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01" + string([]byte{
				byte(from.Port >> 8), byte(from.Port), byte(to.Port >> 8), byte(to.Port)})
		}},
		{"v2 TCP6", "::1", "send-proxy-v2", func(from, to *net.TCPAddr) string {
			return v2 + "\x21\x21\x00\x24" + string(net.IPv6loopback) + string(net.IPv6loopback) + string([]byte{
				byte(from.Port >> 8), byte(from.Port), byte(to.Port >> 8), byte(to.Port)})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			heard := make(chan []byte, 1)
			origin := harness.Serve(t, func(s harness.Stream) {
				text, _ := io.ReadAll(s)
				heard <- text
			})
			addr := net.JoinHostPort(c.host, fmt.Sprint(harness.Port(t)))
			bind := strings.NewReplacer("[", "", "]", "").Replace(addr)
			harness.Start(t, config(logs, "", section("listen front", "bind "+bind, "server origin "+origin.Addr+" "+c.option)))
			client := harness.DialTCP(t, addr)
			harness.Say(t, client, "hello")
			want := c.want(client.LocalAddr().(*net.TCPAddr), client.RemoteAddr().(*net.TCPAddr)) + "hello"
			client.CloseWrite()
			if got := <-heard; !bytes.Equal(got, []byte(want)) {
				t.Errorf("the server heard\n%q, want\n%q", got, want)
			}
			harness.AwaitEnd(t, client)
		})
	}
}

// A server that speaks first is not held up by an expected header, and the header goes out before the client speaks.
func TestProxyProtocolServerSpeaksFirst(t *testing.T) {
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	origin := harness.Serve(t, func(s harness.Stream) {
		line := make([]byte, 6)
		io.ReadFull(s, line)
		io.WriteString(s, "220 "+string(line))
		io.Copy(io.Discard, s)
	})
	harness.Start(t, config(logs, "", section("listen front", "bind "+addr, "server origin "+origin.Addr+" send-proxy")))
	client := harness.DialTCP(t, addr)
	harness.Hear(t, client, "220 PROXY ")
}
