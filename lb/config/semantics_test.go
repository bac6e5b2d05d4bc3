package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// accepted loads a configuration that must be.
func accepted(t *testing.T, text string) *Config {
	t.Helper()
	c, diagnostics := load("text", text)
	if c == nil {
		t.Fatalf("refused:\n%s", complaints(diagnostics))
	}
	return c
}

func proxyNamed(t *testing.T, c *Config, name string) *Proxy {
	t.Helper()
	for _, p := range c.Proxies {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no proxy '%s'", name)
	return nil
}

// Steering is off, or one of three words.
func TestSteering(t *testing.T) {
	for _, mode := range []string{"cpu", "least", "off"} {
		if c := accepted(t, "global\n ebpf-steering reuseport "+mode+"\n"); c.Global.EBPFSteering != mode {
			t.Errorf("%q, want %q", c.Global.EBPFSteering, mode)
		}
	}
	if c := accepted(t, "global\n"); c.Global.EBPFSteering != "" {
		t.Errorf("%q without the keyword", c.Global.EBPFSteering)
	}
	for _, line := range []string{"ebpf-steering reuseport", "ebpf-steering reuseport most", "ebpf-steering least", "ebpf-steering reuseport cpu least"} {
		if c, diagnostics := load("text", "global\n "+line+"\n"); c != nil || len(diagnostics) != 1 || diagnostics[0].Pos.Line != 2 {
			t.Errorf("%s: %v", line, complaints(diagnostics))
		}
	}
}

// TestDefaults follows settings from defaults sections into proxies.
func TestDefaults(t *testing.T) {
	c := accepted(t, `
defaults first
 timeout client 1s
 timeout connect 2s
 maxconn 10
 option splice-auto
 retries 5
frontend f1
 bind :1
backend b1
 no option splice-auto
defaults second from first
 timeout client 3s
 option redispatch
frontend f2
 bind :2
defaults
frontend f3
 bind :3
backend b3
backend b2 from second
 default option redispatch
listen l2 from second
 bind :4
`)
	want := map[string]struct {
		client, connect time.Duration
		maxconn         int
		splice          bool
		retries         int
		redispatch      int
	}{
		"f1": {time.Second, 0, 10, true, 0, 0},
		"b1": {0, 2 * time.Second, 0, false, 5, 0},
		"f2": {3 * time.Second, 0, 10, true, 0, 0},
		"f3": {},
		"b3": {retries: 3},
		"b2": {0, 2 * time.Second, 0, true, 5, 0},
		"l2": {3 * time.Second, 2 * time.Second, 10, true, 5, -1},
	}
	for name, w := range want {
		p := proxyNamed(t, c, name)
		got := w
		got.client, got.connect, got.maxconn = p.Timeouts.Client, p.Timeouts.Connect, p.MaxConn
		got.splice, got.retries, got.redispatch = p.Options.SpliceAuto, p.Retries, p.Redispatch
		if got != w {
			t.Errorf("%s: %+v, expected %+v", name, got, w)
		}
	}
}

// TestDefaultServer shows that options hold for the lines below only, and for proxies that begin below.
func TestDefaultServer(t *testing.T) {
	c := accepted(t, `
defaults
 default-server weight 10 send-proxy
backend b
 server a 10.0.0.1:80
 default-server maxconn 5 no-send-proxy
 server b 10.0.0.1:80 weight 20
 server-template t 2-3 10.0.0.1:80 minconn 2
backend c
 server a 10.0.0.1:80 maxconn 7
`)
	var got []string
	for _, p := range c.Proxies {
		for _, s := range p.Servers {
			got = append(got, fmt.Sprint(p.Name, "/", s.Name, " ", s.ID, " ", s.Weight, " ", s.MinConn, "-", s.MaxConn, " ", s.SendProxy))
		}
	}
	want := []string{"b/a 1 10 0-0 1", "b/b 2 20 5-5 0", "b/t2 3 10 2-5 0", "b/t3 4 10 2-5 0", "c/a 1 10 7-7 1"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestPriorities reads what is set for queues: the last rule of a section counts, and what is out of range is cut.
func TestPriorities(t *testing.T) {
	c, diagnostics := load("text", `
frontend f
 bind :1
 tcp-request content set-priority-class int(-7)
 tcp-request content set-priority-offset int(+100)
 tcp-request content set-priority-class int(-2047)
 default_backend b
backend b
 tcp-request content set-priority-offset int(-524288)
 tcp-request content set-priority-class "int(99999999999999999999)"
 server s 10.0.0.1:80
backend plain
`)
	if c == nil {
		t.Fatal(complaints(diagnostics))
	}
	for name, want := range map[string]string{"f": "-2047 100", "b": "2047 -524287", "plain": "none none"} {
		p := proxyNamed(t, c, name)
		got := []string{"none", "none"}
		for i, field := range []*int{p.PriorityClass, p.PriorityOffset} {
			if field != nil {
				got[i] = fmt.Sprint(*field)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, expected %s", name, got, want)
		}
	}
	want := []string{
		"text:9: warning: 'tcp-request content' set-priority-offset is from -524287 to 524287: -524288 is taken for -524287",
		"text:10: warning: 'tcp-request content' set-priority-class is from -2047 to 2047: 9223372036854775807 is taken for 2047",
	}
	if got := complaints(diagnostics); !strings.Contains(got, want[0]) || !strings.Contains(got, want[1]) {
		t.Errorf("got\n%swant %q", got, want)
	}
	roundTrip(t, c)
}

// TestIDs gives numbers from 1 up, skipping those that are taken anywhere.
func TestIDs(t *testing.T) {
	c := accepted(t, `
frontend a
 bind :1
 bind :2-3
 bind :4 id 2
backend b
 id 1
 server a 10.0.0.1:1
 server b 10.0.0.1:1 id 1
 server-template t 2 10.0.0.1:1 id 5
 server c 10.0.0.1:1
frontend c
 bind :9
`)
	var proxies, binds, servers []int
	for _, p := range c.Proxies {
		proxies = append(proxies, p.ID)
		for _, b := range p.Binds {
			binds = append(binds, b.ID)
		}
		for _, s := range p.Servers {
			servers = append(servers, s.ID)
		}
	}
	for _, test := range []struct{ got, want []int }{
		{proxies, []int{2, 1, 3}}, {binds, []int{1, 3, 4, 2, 1}}, {servers, []int{2, 1, 5, 6, 3}},
	} {
		if !reflect.DeepEqual(test.got, test.want) {
			t.Errorf("got %v, expected %v", test.got, test.want)
		}
	}
}

// TestLogs follows log targets from global through defaults.
func TestLogs(t *testing.T) {
	c := accepted(t, `
global
 log 10.0.0.1 local0
 log-send-hostname
defaults
 log global
 log stderr format short daemon
frontend inherits
 bind :1
 log global
 log 10.0.0.2:99 local1 info err
frontend drops
 bind :2
 no log
 log /dev/log local2
global
 log abns@late local3
`)
	for name, want := range map[string]string{
		"inherits": "udp 10.0.0.1:514 rfc3164 local0 debug emerg, stderr  short daemon debug emerg, udp 10.0.0.2:99 rfc3164 local1 info err",
		"drops":    "unixgram /dev/log rfc3164 local2 debug emerg",
	} {
		var got []string
		for _, l := range proxyNamed(t, c, name).Logs {
			got = append(got, strings.Join([]string{l.Network, l.Address, l.Format, l.Facility, l.Level, l.MinLevel}, " "))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s:\n got %s\nwant %s", name, strings.Join(got, ", "), want)
		}
	}
	if n := len(c.Global.Logs); n != 2 || c.Global.Logs[1].Address != "@late" {
		t.Errorf("global: %+v", c.Global.Logs)
	}
}

// TestLogFormat: the last one of log-format and option tcplog counts.
func TestLogFormat(t *testing.T) {
	c := accepted(t, `
defaults
 log 10.0.0.1 local0
 option tcplog
frontend a
 bind :1
frontend b
 bind :2
 log-format %ci
frontend c
 bind :3
 log-format-json time
 log-format %ci
 option tcplog
frontend d
 bind :4
 log-format-json time
frontend e
 bind :5
 log-format-json
 no log-format-json
 option tcplog
frontend f
 bind :6
 log-format-json time
 log-format-json
backend g
`)
	for name, want := range map[string]string{"d": "[time]", "f": "[]"} {
		p := proxyNamed(t, c, name)
		if !p.LogJSON || p.LogFormat != "" || p.Options.TCPLog || fmt.Sprint(p.LogJSONItems) != want {
			t.Errorf("%s: %v %v, '%s' and %v", name, p.LogJSON, p.LogJSONItems, p.LogFormat, p.Options.TCPLog)
		}
	}
	for name, want := range map[string]string{"a": "", "b": "%ci", "c": "", "e": ""} {
		p := proxyNamed(t, c, name)
		if p.LogFormat != want || p.Options.TCPLog != (want == "") || p.LogJSON || p.LogJSONItems != nil {
			t.Errorf("%s: '%s' and %v", name, p.LogFormat, p.Options.TCPLog)
		}
	}
}

// TestSeveralFiles: sections do not end with a file's end, and diagnostics name the file.
func TestSeveralFiles(t *testing.T) {
	c, diagnostics := Load([]File{
		{"a.cfg", []byte("defaults\n timeout client 1s\n")},
		{"b.cfg", []byte("frontend f\n bind :1\n blance\n")},
		{"c.cfg", []byte("backend b\n servr x\n")},
	}, nil, LoadOptions{})
	var places []string
	for _, d := range diagnostics {
		if d.Severity == Alert {
			places = append(places, fmt.Sprintf("%s:%d", d.Pos.File, d.Pos.Line))
		}
	}
	if want := []string{"b.cfg:3", "c.cfg:2"}; c != nil || !reflect.DeepEqual(places, want) {
		t.Errorf("alerts at %v, expected %v", places, want)
	}
}

// TestManyServers: a file with thousands is read, and printed.
func TestManyServers(t *testing.T) {
	var b strings.Builder
	b.WriteString("backend b\n timeout connect 1s\n timeout server 1s\n")
	for i := range 4000 {
		fmt.Fprintf(&b, " server s%d 10.0.%d.%d:80 check inter 1s\n", i, i/250, i%250)
	}
	c, diagnostics := load("many", b.String())
	if c == nil || len(c.Proxies[0].Servers) != 4000 || len(diagnostics) != 0 {
		t.Fatalf("%d diagnostics", len(diagnostics))
	}
	roundTrip(t, c)
}

// TestDefaultsShareNothing: what a proxy adds is not seen by the next one.
func TestDefaultsShareNothing(t *testing.T) {
	c := accepted(t, `
defaults
 log 10.0.0.1 local0
 log 10.0.0.2 local0
 log 10.0.0.3 local0
frontend a
 bind :1
 log 10.0.0.4 local0
frontend b
 bind :2
 log 10.0.0.5 local0
`)
	for name, want := range map[string]string{"a": "10.0.0.4:514", "b": "10.0.0.5:514"} {
		if logs := proxyNamed(t, c, name).Logs; len(logs) != 4 || logs[3].Address != want {
			t.Errorf("%s: %+v", name, logs)
		}
	}
}

// TestBalanceExpression reads the keys of balance hash.
func TestBalanceExpression(t *testing.T) {
	for _, test := range []struct {
		text         string
		mask4, mask6 int
		port, refuse bool
	}{
		{text: "src", mask4: 32, mask6: 128},
		{text: "src,ipmask(24)", mask4: 24, mask6: 128},
		{text: "src,ipmask(24,56)", mask4: 24, mask6: 56},
		{text: "src,ipmask(255.255.0.0,ffff:ffff::)", mask4: 16, mask6: 32},
		{text: "src,ipmask(24),ipmask(28,64)", mask4: 24, mask6: 64},
		{text: "src_port", port: true},
		{text: "src_port,ipmask(24)", refuse: true},
		{text: "src,ipmask(33)", refuse: true},
		{text: "src,ipmask(255.0.255.0)", refuse: true},
		{text: "src,ipmask(24", refuse: true},
		{text: "src,ipmask()", refuse: true},
		{text: "src,lower", refuse: true},
		{text: "src,", refuse: true},
		{text: "dst", refuse: true},
	} {
		c, _ := load("hash", "backend b\n balance hash "+test.text+"\n")
		if (c == nil) != test.refuse {
			t.Errorf("%s: refused: %v", test.text, c == nil)
			continue
		}
		if c == nil {
			continue
		}
		want := Balance{Algorithm: Hash, Draws: 2, Expr: test.text, Mask4: test.mask4, Mask6: test.mask6, WithPort: test.port}
		if got := c.Proxies[0].Balance; got != want {
			t.Errorf("%s: %+v", test.text, got)
		}
	}
}

// TestLimits settles minconn and maxconn.
func TestLimits(t *testing.T) {
	for line, want := range map[string][2]int{
		"": {0, 0}, "maxconn 5": {5, 5}, "minconn 5": {5, 5}, "minconn 2 maxconn 5": {2, 5}, "minconn 7 maxconn 5": {7, 7},
	} {
		c := accepted(t, "backend b\n server a 10.0.0.1:80 "+line+"\n")
		if s := c.Proxies[0].Servers[0]; [2]int{s.MinConn, s.MaxConn} != want {
			t.Errorf("%q: %d to %d", line, s.MinConn, s.MaxConn)
		}
	}
}
