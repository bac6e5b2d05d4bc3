package check

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// records keeps what comes in over a connection, and how it ends.
func records(answer string, heard chan<- string) behaviour {
	return func(c net.Conn) {
		if strings.HasPrefix(answer, "now ") {
			io.WriteString(c, answer[4:])
		}
		c.SetReadDeadline(time.Now().Add(2 * time.Second))
		var all []byte
		b := make([]byte, 65536)
		for {
			n, err := c.Read(b)
			all = append(all, b[:n]...)
			if n > 0 && answer != "" {
				io.WriteString(c, answer)
			}
			if err != nil {
				end := " <" + err.Error() + ">"
				switch {
				case err == io.EOF:
					end = " FIN"
				case errors.Is(err, syscall.ECONNRESET):
					end = " RST"
				}
				heard <- string(all) + end
				return
			}
		}
	}
}

// What the checks send, byte for byte, and how they end. The words of HAProxy 2.6 in the same situations were recorded for
// these; its own name in ssl-hello-chk is not sent.
func TestWhatIsSent(t *testing.T) {
	const localhost = "%LOCAL% %PORT%"
	for _, test := range []struct{ name, lines, args, answer, want string }{
		{"tcp-check send", "option tcp-check\ntcp-check send-lf a%[int(3)]b%b%s\ntcp-check send-binary 414243\ntcp-check send-binary-lf 4%[int(5)]46", "", "", "a3bbsABCEF RST"},
		{"linger", "option tcp-check\ntcp-check connect linger\ntcp-check send x", "", "", "x FIN"},
		{"send-proxy of the server", "", "send-proxy", "", "PROXY TCP4 127.0.0.1 127.0.0.1 " + localhost + "\r\n RST"},
		{"check-send-proxy", "", "check-send-proxy", "", "PROXY TCP4 127.0.0.1 127.0.0.1 " + localhost + "\r\n RST"},
		{"send-proxy of the server, another address", "option tcp-check\ntcp-check connect default\ntcp-check send foo", "send-proxy addr 127.0.0.1", "", "foo RST"},
		{"send-proxy-v2", "", "send-proxy-v2", "", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00 RST"},
		{"send-proxy-v2 with checksum", "", "send-proxy-v2 proxy-v2-options crc32c", "", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x07\x03\x00\x04\xa9\xb8\x7e\x8f RST"},
		{"check-send-proxy of a server with version 2", "", "send-proxy-v2 check-send-proxy", "", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00 RST"},
		{"connect", "option tcp-check\ntcp-check connect\ntcp-check send foo", "send-proxy", "", "foo RST"},
		{"connect default", "option tcp-check\ntcp-check connect default\ntcp-check send foo", "send-proxy", "", "PROXY TCP4 127.0.0.1 127.0.0.1 " + localhost + "\r\nfoo RST"},
		{"connect send-proxy", "option tcp-check\ntcp-check connect send-proxy\ntcp-check send foo", "", "", "PROXY TCP4 127.0.0.1 127.0.0.1 " + localhost + "\r\nfoo RST"},

		{"httpchk", "option httpchk", "", okay, "OPTIONS / HTTP/1.0\r\n\r\n RST"},
		{"httpchk URI", "option httpchk /foo", "", okay, "OPTIONS /foo HTTP/1.0\r\n\r\n RST"},
		{"httpchk METHOD URI", "option httpchk GET /foo", "", okay, "GET /foo HTTP/1.0\r\n\r\n RST"},
		{"httpchk with version", "option httpchk HEAD /foo HTTP/1.1", "", okay, "HEAD /foo HTTP/1.1\r\nconnection: close\r\n\r\n RST"},
		{"headers", "option httpchk GET /foo HTTP/1.1\nhttp-check send hdr Host www hdr X-Foo bar", "", okay, "GET /foo HTTP/1.1\r\nhost: www\r\nx-foo: bar\r\nconnection: close\r\n\r\n RST"},
		{"headers that are the check's own", "option httpchk GET /foo HTTP/1.1\nhttp-check send hdr Host www hdr Connection keep-alive hdr content-length 5 hdr X-Foo bar", "", okay, "GET /foo HTTP/1.1\r\nhost: www\r\nx-foo: bar\r\n\r\n RST"},
		{"body", "option httpchk\nhttp-check send meth POST uri /x ver HTTP/1.1 hdr Host www body 'hello body'", "", okay, "POST /x HTTP/1.1\r\nhost: www\r\ncontent-length: 10\r\nconnection: close\r\n\r\nhello body RST"},
		{"formats", "option httpchk\nhttp-check send uri-lf /a/%[int(5)]/%b/%s/%H body-lf body%[int(7)] hdr A b%[int(8)]", "", okay, "OPTIONS /a/5/b/s/node HTTP/1.0\r\na: b8\r\ncontent-length: 5\r\n\r\nbody7 RST"},
		{"absolute URI", "option httpchk GET http://foo.bar/baz HTTP/1.1\nhttp-check send hdr Host www", "", okay, "GET http://www/baz HTTP/1.1\r\nhost: www\r\nconnection: close\r\n\r\n RST"},
		{"send-state", "option httpchk\nhttp-check send-state", "", okay, "OPTIONS / HTTP/1.0\r\nx-haproxy-server-state: UP 1/3; address=127.0.0.1; port=%SERVER%; name=b/s; node=node; weight=1/1; scur=0/0; qcur=0\r\n\r\n RST"},

		{"smtpchk", "option smtpchk", "", "now 220 hi\r\n", "HELO localhost\r\n <"},
		{"smtpchk EHLO", "option smtpchk EHLO foo.bar", "", "now 220 hi\r\n", "EHLO foo.bar\r\n <"},
		{"pgsql-check", "option pgsql-check user pg", "", "", "\x00\x00\x00\x11\x00\x03\x00\x00user\x00pg\x00\x00 <"},
		{"redis-check", "option redis-check", "", "+PONG\r\n", "*1\r\n$4\r\nPING\r\n RST"},
		{"ldap-check", "option ldap-check", "", "", "0\x0c\x02\x01\x01`\x07\x02\x01\x03\x04\x00\x80\x00 <"},
		{"spop-check", "option spop-check", "", "", "\x00\x00\x00N\x01\x00\x00\x00\x01\x00\x00\x12supported-versions\x08\x032.0\x0emax-frame-size\x03\xfc\xf0\x06\x0ccapabilities\x08\x00\x0bhealthcheck\x11 <"},
		{"mysql-check", "option mysql-check user my", "", "now " + mysqlGreeting, "$\x00\x00\x01\x00\x82\x00\x00\x00\x00\x00\x01!" + strings.Repeat("\x00", 23) + "my\x00\x00\x01\x00\x00\x00\x01 <"},
		{"mysql-check pre-41", "option mysql-check user my pre-41", "", "now " + mysqlGreeting, "\x09\x00\x00\x01\x00\x80\x00\x00\x01my\x00\x00\x01\x00\x00\x00\x01 <"},
		{"mysql-check without user", "option mysql-check", "", "now " + mysqlGreeting, " FIN"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			heard := make(chan string, 4)
			port := serve(t, records(test.answer, heard))
			text := fmt.Sprintf("backend b\n  mode tcp\n  timeout connect 1s\n  timeout server 1s\n  %s\n  server s 127.0.0.1:%d check inter 150ms %s\n",
				strings.ReplaceAll(test.lines, "\n", "\n  "), port, test.args)
			s := newBed(t, text, Options{Node: "node"}).servers["b"]
			s.once(t)
			got := <-heard
			want := strings.ReplaceAll(test.want, "%SERVER%", fmt.Sprint(port))
			if before, _, ok := strings.Cut(want, "%LOCAL%"); ok { // the port of the connection that is over
				fields := strings.Fields(strings.TrimPrefix(got, before))
				if len(fields) > 0 {
					want = strings.NewReplacer("%LOCAL%", fields[0], "%PORT%", fmt.Sprint(port)).Replace(want)
				}
			}
			if strings.HasSuffix(want, "<") { // ends at the time limit, in its own way
				want = strings.TrimSuffix(want, " <")
				got = strings.TrimSuffix(strings.TrimSuffix(got, " FIN"), " RST")
			}
			if got != want {
				t.Errorf("sent %q\nwant %q", got, want)
			}
		})
	}
}

// A bare check never becomes a connection to the server's program: the handshake is not completed.
func TestBareCheckIsNotAccepted(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := newBed(t, fmt.Sprintf("backend b\n  mode tcp\n  server s %s check\n", ln.Addr()), Options{}).servers["b"]
	for range 3 {
		if got := s.once(t); got != "L4OK/" {
			t.Fatal(got)
		}
	}
	ln.(*net.TCPListener).SetDeadline(time.Now().Add(50 * time.Millisecond))
	if c, err := ln.Accept(); err == nil {
		c.Close()
		t.Error("the server accepted a connection")
	}
}
