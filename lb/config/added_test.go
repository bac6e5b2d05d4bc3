package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestAdded(t *testing.T) {
	c, found := load("c.cfg", `
resolvers dns
  nameserver a 127.0.0.1:53
backend b
  balance static-rr
  timeout connect 1s
  timeout server 1s
  default-server weight 7 inter 500 slowstart 3s on-marked-down shutdown-sessions
  server s1 127.0.0.1:1 check
  server s2 127.0.0.1:1
  default-server fall 9
backend empty
`)
	if c == nil {
		t.Fatal(found)
	}
	b := c.Proxies[0]
	lookup := func(proxy, name string) *Server {
		for _, p := range c.Proxies {
			for _, s := range p.Servers {
				if p.Name == proxy && s.Name == name {
					return s
				}
			}
		}
		return nil
	}
	for _, test := range []struct {
		line string
		want string // of the server, or the first complaint
	}{
		{"x 10.0.0.1:80", "x 10.0.0.1:80 weight 7 disabled true check false fall 9"},
		{"x 10.0.0.1:80 weight 3 check enabled maxconn 5 id 12", "x 10.0.0.1:80 weight 3 disabled false check true fall 9"},
		{"x [::1]:80 disabled track s1", "x [::1]:80 weight 7 disabled true check false fall 9"},
		{"x unix@/run/x.sock send-proxy-v2 agent-check agent-port 9", "x /run/x.sock weight 7 disabled true check false fall 9"},
		{"x db.example:80 resolvers dns", "x db.example:80 weight 7 disabled true check false fall 9"},
		{"x 10.0.0.1:80 source 10.0.0.2:1000-2000 interface lo", "x 10.0.0.1:80 weight 7 disabled true check false fall 9"},
		{"x", "'server' expects <name> and <addr>[:<port>] as arguments."},
		{"x! 10.0.0.1:80", "character '!' is not allowed in the name 'x!'"},
		{"x 10.0.0.1:80 chekc", "unknown option 'chekc' on server 'x'; did you mean 'check'?"},
		{"x 10.0.0.1:80 ssl", "server 'x' : 'ssl' "},
		{"x 10.0.0.1:80 weight 300", "server 'x' : 'weight' expects a whole number from 0 to 256, not '300'"},
		{"x 10.0.0.1:80 weight", "server 'x' : 'weight' expects <0..256>"},
		{"x 10.0.0.1 check", "server 'b/x' has neither a port nor a port for its check"},
		{"x 10.0.0.1:80 agent-check", "server 'b/x' : 'agent-check' needs an 'agent-port'"},
		{"x 10.0.0.1:80 track s2", "server 'b/x' : 'b/s2' cannot be tracked, because it has no 'check'"},
		{"x 10.0.0.1:80 track nobody", "server 'b/x' : there is no server 'b/nobody' to track"},
		{"x 10.0.0.1:80 resolvers default", "there is no 'resolvers' section named 'default'"},
		{"x _db._tcp.example resolvers dns", "'resolvers' cannot be on a server that is added at run time and stands for a service"},
	} {
		s, complaints := c.Added(b, strings.Fields(test.line), lookup)
		got := ""
		switch {
		case s != nil:
			got = fmt.Sprintf("%s %s weight %d disabled %v check %v fall %d", s.Name, s.Address, s.Weight, s.Disabled, s.Check.Enabled, s.Check.Fall)
		case len(complaints) > 0:
			got = complaints[0].Text
		}
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %s; want %s", test.line, got, test.want)
		}
	}
	if s, _ := c.Added(b, strings.Fields("x 10.0.0.1:80"), lookup); s.OnMarkedDown != "shutdown-sessions" || s.SlowStart.Seconds() != 3 || s.ID != 0 || s.IDGiven {
		t.Errorf("not as default-server says: %+v", s)
	}
	if _, warned := c.Added(b, strings.Fields("x 10.0.0.1:80 check-via-socks4"), lookup); len(warned) != 1 || warned[0].Severity != Warning {
		t.Errorf("complaints %v", warned)
	}
	if len(b.Servers) != 2 || len(c.Resolvers) != 1 {
		t.Error("the configuration has changed")
	}
	if _, complaints := c.Added(c.Proxies[1], strings.Fields("x 10.0.0.1:80"), lookup); len(complaints) != 0 {
		t.Errorf("complaints %v", complaints)
	}
}
