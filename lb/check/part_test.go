package check

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/lb/backend"
)

// A server that writes its answer in parts, and closes then, sees no reset, although the first part decides the check: the
// result is told at once, and the rest is heard out.
func TestServersAreHeardOut(t *testing.T) {
	for _, test := range []struct{ name, lines, first, rest string }{
		{"header and body apart", "option httpchk GET /", "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\n", "body"},
		{"without a length", "option httpchk GET /", "HTTP/1.0 200 OK\r\n\r\n", strings.Repeat("body", 9000)},
		{"wrong status", "option httpchk GET /", "HTTP/1.0 503 No\r\n\r\n", "body"},
		{"agent", "", "up\n", "and more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			decided, ended := make(chan bool), make(chan error, 1)
			port := serve(t, func(c net.Conn) {
				b := make([]byte, 4096)
				if test.lines != "" {
					c.Read(b)
				}
				io.WriteString(c, test.first)
				<-decided
				if _, err := io.WriteString(c, test.rest); err != nil {
					ended <- err
					return
				}
				c.(*net.TCPConn).CloseWrite()
				_, err := c.Read(b)
				ended <- err
			})
			s := newBed(t, fmt.Sprintf("backend b\n  mode tcp\n  %s\n  server s 127.0.0.1:%d check inter 10s agent-check agent-inter 10s agent-port %d\n",
				test.lines, port, port), Options{}).servers["b"]
			if test.lines != "" {
				s.check(s.health, func(backend.CheckResult) { close(decided) })
			} else {
				s.ask(s.conversation.Load(), s.agent, func(backend.AgentReport) { close(decided) })
			}
			if err := <-ended; err != io.EOF {
				t.Errorf("the server saw %v instead of the end", err)
			}
		})
	}
}
