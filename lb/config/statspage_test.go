package config

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// What listeners have in the files that people run.
func TestStatisticsListener(t *testing.T) {
	c := accepted(t, `
defaults
 mode http
 option httplog
 timeout http-request 5s
 errorfile 503 /etc/haproxy/errors/503.http
 stats realm all
listen stats
 bind *:8404
 bind unix@/run/stats.sock mode 600
 stats enable
 stats uri /stats
 stats refresh 10s
 stats auth ops:se:cret
 stats auth ops:other
 stats auth guest
 stats admin if LOCALHOST or { src 10.0.0.0/8 }
 stats scope .
 stats scope db
 stats hide-version
 stats show-desc the front door
 http-request use-service prometheus-exporter if { path /metrics }
 monitor-uri /alive
 no log
frontend exporter
 bind :9101
 http-request use-service prometheus-exporter
frontend db
 mode tcp
 bind :1
 option dontlognull
backend b
 mode tcp
`)
	p := proxyNamed(t, c, "stats")
	if !p.IsPage() || p.Kind != Frontend || p.Page.URI != "/stats" || p.Page.Refresh != 10*time.Second || p.Page.Realm != "" ||
		p.Timeouts.HTTPRequest != 5*time.Second || p.MonitorURI != "/alive" || !p.Page.HideVersion || p.Page.Description != "the front door" {
		t.Errorf("the model is %+v", p.Page)
	}
	if want := []PageUser{{"ops", "se:cret"}, {"guest", ""}}; !slices.Equal(p.Page.Users, want) {
		t.Errorf("users are %v", p.Page.Users)
	}
	if !slices.Equal(p.Page.Scope, []string{"stats", "db"}) {
		t.Errorf("the scope is %v", p.Page.Scope)
	}
	if e := proxyNamed(t, c, "exporter"); !e.IsPage() || e.Page.Realm != "all" || len(e.Exporter) != 1 {
		t.Errorf("the exporter is %+v", e)
	}
	for _, name := range []string{"db", "b"} {
		if p := proxyNamed(t, c, name); p.IsPage() || p.HTTP || p.Page.Enabled || p.Timeouts.HTTPRequest != 0 {
			t.Errorf("%s is %+v", name, p)
		}
	}
	roundTrip(t, c)
}

func TestConditionsOfRequests(t *testing.T) {
	local, far, private := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:10.1.2.3")
	for _, test := range []struct {
		text   string
		source netip.Addr
		path   string
		want   bool
	}{
		{"if TRUE", far, "/", true},
		{"if FALSE", far, "/", false},
		{"unless FALSE", far, "/", true},
		{"if LOCALHOST", local, "/", true},
		{"if LOCALHOST", netip.IPv6Loopback(), "/", true},
		{"if LOCALHOST", far, "/", false},
		{"if LOCALHOST", netip.Addr{}, "/", false}, // a unix socket has no address
		{"unless LOCALHOST", far, "/", true},
		{"if !LOCALHOST", local, "/", false},
		{"if ! LOCALHOST", far, "/", true},
		{"if { src 10.0.0.0/8 192.168.0.0/255.255.0.0 }", private, "/", true},
		{"if { src 10.0.0.0/8 } { path /x }", private, "/y", false},
		{"if { src 10.0.0.0/8 } { path /x } or LOCALHOST", local, "/y", true},
		{"if { src 10.0.0.0/8 } || LOCALHOST", far, "/y", false},
		{"if { path /metrics }", far, "/metrics", true},
		{"if { path /metrics }", far, "/metrics/", false},
		{"if { path -i /Metrics }", far, "/METRICS", true},
		{"if { path_beg /m /n }", far, "/name", true},
		{"if { path -m beg /m }", far, "/mm", true},
		{"if !{ path_beg -- /m }", far, "/mm", false},
	} {
		c, err := parseCondition(strings.Fields(test.text))
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
		} else if got := c.Met(test.source, test.path); got != test.want {
			t.Errorf("%s of %v %s: %v", test.text, test.source, test.path, got)
		}
	}
	if always := (&Condition{}); !always.Met(netip.Addr{}, "") {
		t.Error("no condition is not met")
	}
}

func TestStatisticsListenersRefused(t *testing.T) {
	const head = "listen x\n bind :1\n mode http\n stats enable\n"
	for _, test := range []struct{ text, want string }{
		{head + "server a 10.0.0.1:80", "listen 'x' : 'server' cannot stand in a statistics listener: sluice balances TCP only"},
		{head + "use_backend b\nbackend b", "listen 'x' : 'use_backend' cannot stand in a statistics listener: sluice balances TCP only"},
		{head + "default_backend b\nbackend b", "listen 'x' : 'default_backend' cannot stand in a statistics listener: sluice balances TCP only"},
		{head + "bind :2 accept-proxy", "bind : a PROXY header cannot be expected by a statistics listener"},
		{head + "bind 192.0.2.0/24:2", "a statistics listener cannot be on a prefix or a large range of ports"},
		{head + "http-request deny unless LOCALHOST", "'http-request deny' is about HTTP, and sluice balances TCP only"},
		{head + "http-request use-service lua.x", "'http-request use-service' 'lua.x' is known to HAProxy but not supported by sluice, only 'prometheus-exporter' is"},
		{head + "stats admin TRUE now", "'stats admin': expects 'if' or 'unless' with a condition, not 'TRUE now'"},
		{head + "stats admin if", "'stats admin' expects { if | unless } <condition>"},
		{head + "stats admin if local", "'stats admin': the condition 'local' is known to HAProxy but not yet supported by sluice: here it can be made of 'TRUE', 'FALSE', 'LOCALHOST', { src <address>... }, { path <text>... } and { path_beg <text>... }"},
		{head + "stats admin if { src 10.0.0.0/33 }", "'stats admin': '10.0.0.0/33' is no address or network"},
		{head + "stats admin if { src -f /etc/list }", "'stats admin': the flag '-f' of 'src' is known to HAProxy but not yet supported by sluice"},
		{head + "stats admin if { src 10.0.0.1", "'stats admin': no '}' to end what stands in braces"},
		{head + "stats admin if TRUE or", "'stats admin': the condition ends where a test should follow"},
		{head + "stats admin if or TRUE", "'stats admin': 'or' needs a test on both sides"},
		{head + "stats uri stats", "'stats uri' expects a prefix that begins with '/' and has no '#', ';' or blank, not 'stats'"},
		{head + "stats bogus", "unknown keyword 'stats bogus' in 'listen' section"},
		{"frontend x\n bind :1\n mode http", "'mode' cannot be 'http', but for statistics listeners ('stats enable'): sluice balances TCP only"},
		{"frontend x\n bind :1\n mode http\n stats enable\nbackend b\n mode http", "'mode' cannot be 'http', but for statistics listeners ('stats enable'): sluice balances TCP only"},
		{"frontend x\n bind :1\n http-request use-service prometheus-exporter", "'http-request use-service' is about HTTP, and sluice balances TCP only"},
		{"defaults\n option httplog\nlisten x\n bind :1", "'option httplog' is about HTTP, and sluice balances TCP only"},
		{"defaults\n mode http\nlisten x\n bind :1\nlisten s\n bind :2\n stats enable\nbackend b", "'mode' cannot be 'http', but for statistics listeners ('stats enable'): sluice balances TCP only"},
		{"global\n stats listen :8404 admin", "'stats listen' :8404 : 'admin' needs 'auth', so that not everyone who can connect may change something"},
	} {
		config, diagnostics := load("refused", test.text+"\n")
		var alerts []string
		for _, d := range diagnostics {
			if d.Severity == Alert {
				alerts = append(alerts, d.Text)
			}
		}
		if config != nil || len(alerts) != 1 || alerts[0] != test.want {
			t.Errorf("%s\n got %q\nwant %q", test.text, alerts, test.want)
		}
	}
}

// What is accepted without effect is told, once.
func TestStatisticsListenersWarned(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"defaults\n stats enable\nlisten x\n bind :1\nlisten y\n bind :2", "'stats' is ignored, because listen 'x' is not in 'mode http'"},
		{"backend x\n stats enable", "'stats enable' is ignored, because backend 'x' has no frontend side"},
		{"defaults\n mode http\n option httplog\nlisten x\n bind :1\n stats enable\nlisten y\n bind :2\n stats enable", "'option httplog' has no effect: statistics listeners do without it, and all else is TCP"},
		{"defaults\n timeout http-request 5s\nlisten x\n bind :1\nlisten y\n mode http\n bind :2\n stats enable", "'timeout http-request' has an effect in statistics listeners only"},
		{"listen x\n bind :1\n mode http\n stats admin if TRUE", "listen 'x' : 'stats admin' without 'stats auth': whoever can connect and meets its condition may change servers"},
		{"listen x\n bind :1 maxconn 5\n mode http\n stats enable", "bind : 'maxconn' has no effect in a statistics listener"},
		{"listen x\n bind :1 thread 1\n mode http\n stats enable", "bind : 'thread' has no effect in a statistics listener"},
		{"listen x\n bind :1\n mode http\n stats enable\n rate-limit sessions 5", "listen 'x' : 'rate-limit sessions' has no effect in a statistics listener"},
	} {
		_, diagnostics := load("warned", test.text+"\n")
		found := 0
		for _, d := range diagnostics {
			if d.Severity == Warning && d.Text == test.want {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s\nwant once %q, got\n%s", test.text, test.want, complaints(diagnostics))
		}
	}
}
