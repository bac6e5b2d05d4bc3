package config

import (
	"fmt"
	"strings"
	"testing"
)

// needed are what lines need below them, by their first words, to be more than a warning.
var needed = []struct{ prefix, lines string }{
	{"tcp-check", "option tcp-check"}, {"http-check", "option httpchk"},
	{"option external-check", "external-check command /bin/true"}, {"external-check command", "option external-check"},
	{"external-check path", "external-check command true\n option external-check"},
	{"email-alert mailers", "email-alert from a@b\n email-alert to c@d"}, {"email-alert from", "email-alert mailers ops\n email-alert to c@d"},
	{"email-alert", "email-alert mailers ops\n email-alert from a@b\n email-alert to c@d"},
}

// around puts a line of one place into a configuration that is complete without it. The line is the third.
func around(place Sections, line string) string {
	below := ""
	if place&inProxies != 0 {
		for _, n := range needed {
			if strings.HasPrefix(line, n.prefix) {
				line += "\n " + n.lines
				break
			}
		}
		if strings.Contains(line, "external-check") {
			below += "global\n external-check\n insecure-fork-wanted\n"
		}
		if strings.HasPrefix(line, "email-alert") {
			below += "mailers ops\n mailer a 10.0.0.25:25\n"
		}
		if strings.Contains(line, "resolvers dns") {
			below += "resolvers dns\n parse-resolv-conf\n"
		}
	}
	return surround(place, line) + below
}

func surround(place Sections, line string) string {
	const (
		backend  = "backend origin\n server last 10.0.0.1:80 check agent-port 1\n"
		frontend = "frontend f\n bind :1\n"
	)
	if pageLine(line) {
		switch place {
		case InDefaults:
			return "defaults\n\n " + line + "\n mode http\nfrontend x\n bind :2\n http-request use-service prometheus-exporter\n"
		case InFrontend, InListen:
			return place.Names()[0] + " x\n bind :2\n " + line + "\n mode http\n http-request use-service prometheus-exporter\n"
		}
	}
	switch place {
	case InGlobal:
		for _, k := range Keywords() {
			if k.experimental && strings.HasPrefix(line, k.Name) {
				return "global\n expose-experimental-directives\n " + line + "\n"
			}
		}
		return "global\n\n " + line + "\n"
	case InDefaults:
		return "defaults\n\n " + line + "\n" + frontend + backend
	case InFrontend:
		return "frontend x\n bind :2\n " + line + "\n use_backend origin\nbackend origin\nbackend web\n server web1 10.0.0.1:80 check\n"
	case InListen:
		return "listen x\n bind :2\n " + line + "\nbackend origin\nbackend web\n server web1 10.0.0.1:80 check\n"
	case InBackend:
		return "backend x\n\n " + line + "\nbackend web\n server web1 10.0.0.1:80 check\n"
	case OnBind:
		return around(InFrontend, "bind :3 "+line)
	case OnServer:
		return around(InBackend, "server x 10.0.0.1:80 agent-port 1 "+line)
	case OnDefaultServer:
		return around(InBackend, "default-server agent-port 1 "+line+"\n server x 10.0.0.1:80")
	case OnStatsSocket:
		return around(InGlobal, "stats socket /x.sock "+line)
	case InResolvers:
		return "resolvers x\n\n " + line + "\n nameserver last 10.0.0.53:53\n"
	case InTenant:
		if strings.HasPrefix(line, "namespace") {
			return "tenant x\n\n " + line + "\n"
		}
		return "tenant x\n\n " + line + "\n namespace red\n"
	case OnStatsListen:
		return around(InGlobal, "stats listen 127.0.0.1:8404 "+line)
	case InMailers:
		return "mailers x\n\n " + line + "\n mailer last 10.0.0.25:25\n"
	case InRings:
		return "ring x\n\n " + line + "\n server last 10.0.0.14:6514\n"
	case OnRingServer:
		return around(InRings, "server x 10.0.0.14:6514 "+line)
	case InNamespaceList:
		return "namespace_list\n\n " + line + "\n"
	}
	panic("no such place")
}

// pageLine tells whether a line belongs into a statistics listener.
func pageLine(line string) bool {
	for _, word := range []string{"stats ", "http-request use-service prometheus", "monitor-uri", "timeout http-request 10", "timeout http-keep-alive 10"} {
		if strings.HasPrefix(line, word) {
			return true
		}
	}
	return false
}

// places lists the single places of a set.
func places(set Sections) []Sections {
	var list []Sections
	for i := range sectionNames {
		if place := Sections(1 << i); set&place != 0 {
			list = append(list, place)
		}
	}
	return list
}

// TestExamples loads the example of each keyword in each of its places. It must be accepted, tell whether it has an
// effect, survive printing and, unless another keyword prints it, be there in what is printed.
func TestExamples(t *testing.T) {
	for _, k := range Keywords() {
		for _, place := range places(k.Sections) {
			t.Run(fmt.Sprintf("%s/%s", place.Names()[0], k.Name), func(t *testing.T) {
				if bare := strings.TrimPrefix(k.Example, "no "); bare != k.Name && !strings.HasPrefix(bare, k.Name+" ") && !strings.HasPrefix(bare, k.Name+"(") {
					t.Fatalf("the example is %q", k.Example)
				}
				c, diagnostics := load("example", around(place, k.Example))
				if c == nil {
					t.Fatalf("refused:\n%s", complaints(diagnostics))
				}
				told := false
				for _, d := range diagnostics {
					told = told || strings.Contains(d.Text, "'"+k.Name+"'") && strings.Contains(d.Text, "no effect")
				}
				if told != (k.Effect != Acted) {
					t.Errorf("effect %d, but there is:\n%s", k.Effect, complaints(diagnostics))
				}
				text := printed(t, c)
				without, _ := load("without", around(place, ""))
				if k.print != nil && (!strings.Contains(text, " "+k.Name) || without != nil && text == printed(t, without)) {
					t.Errorf("not printed:\n%s", text)
				}
				roundTrip(t, c)
			})
		}
	}
}

// TestArity gives each keyword one word too few and one too many.
func TestArity(t *testing.T) {
	for _, k := range Keywords() {
		place := places(k.Sections)[0]
		if k.minimum > 0 {
			if c, _ := load("few", around(place, k.Name)); c != nil && place < OnBind {
				t.Errorf("%s is accepted without arguments", k.Name)
			}
		}
		if k.maximum >= 0 && place < OnBind {
			line := k.Example + strings.Repeat(" surplus", k.maximum+1)
			if c, _ := load("many", around(place, line)); c != nil {
				t.Errorf("%q is accepted", line)
			}
		}
	}
}

// TestKnownWords looks for words that are both accepted and refused.
func TestKnownWords(t *testing.T) {
	for _, table := range []struct {
		place  Sections
		prefix string
		words  map[string]string
	}{
		{InGlobal, "", knownGlobal}, {InFrontend, "", knownProxy}, {InBackend, "", knownProxy}, {InListen, "option ", knownOption},
		{InListen, "timeout ", knownTimeout}, {OnBind, "", knownBind}, {OnServer, "", knownServer},
	} {
		for word := range table.words {
			if in(table.place)[table.prefix+word] != nil {
				t.Errorf("'%s%s' is both accepted and refused", table.prefix, word)
			}
		}
	}
}

// TestRefused checks that what HAProxy knows is refused by its name, in one line.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		place      Sections
		line, want string
	}{
		{InFrontend, "acl local src 127.0.0.1", "'acl' is known to HAProxy but not yet supported by sluice"},
		{InFrontend, "tcp-request connection accept", "'tcp-request connection' is known to HAProxy but not yet supported by sluice"},
		{InListen, "tcp-request content accept", "'tcp-request content' 'accept' is known to HAProxy but not yet supported by sluice, only 'set-priority-class', 'set-priority-offset' are"},
		{InFrontend, "tcp-request content set-var(sess.a) src", "'tcp-request content' 'set-var(sess.a)' is known to HAProxy but not yet supported by sluice, only 'set-priority-class', 'set-priority-offset' are"},
		{InBackend, "tcp-request content set-priority-clas int(1)", "'tcp-request content' expects one of 'set-priority-class', 'set-priority-offset', not 'set-priority-clas'; did you mean 'set-priority-class'?"},
		{InFrontend, "tcp-request content set-priority-class", "'tcp-request content' set-priority-class expects int(<number>)"},
		{InFrontend, "tcp-request content set-priority-class 1", "'tcp-request content' set-priority-class expects int(<number>), not '1': other expressions are not supported yet"},
		{InFrontend, "tcp-request content set-priority-class int(1),neg", "'tcp-request content' set-priority-class expects int(<number>), not 'int(1),neg': other expressions are not supported yet"},
		{InBackend, "tcp-request content set-priority-offset int(1s)", "'tcp-request content' set-priority-offset expects int(<number>), not 'int(1s)': '1s' is not a whole number"},
		{InListen, "tcp-request content set-priority-class int(1) if { dst_port 80 }", "'tcp-request content' set-priority-class with a condition is known to HAProxy but not yet supported by sluice: give each class a 'frontend' of its own"},
		{InListen, "tcp-request content set-priority-class int(1) 2", "'tcp-request content' set-priority-class has an unexpected argument '2' after 'int(1)'"},
		{InDefaults, "tcp-request content set-priority-class int(1)", "'tcp-request content' is not allowed in a 'defaults' section, only in 'frontend', 'listen', 'backend'"},
		{InFrontend, "stick-table type ip size 1m", "'stick-table' is known to HAProxy but not yet supported by sluice"},
		{InBackend, "use-server a if FALSE", "'use-server' is known to HAProxy but not yet supported by sluice"},
		{InFrontend, "use_backend b if FALSE", "'use_backend' with a condition is known to HAProxy but not yet supported by sluice"},
		{InListen, "mode http", "'mode' cannot be 'http', but for statistics listeners ('stats enable'): sluice balances TCP only"},
		{InListen, "option httplog", "'option httplog' is about HTTP, and sluice balances TCP only"},
		{InListen, "timeout http-request 5s", "'timeout http-request' is about HTTP, and sluice balances TCP only"},
		{InListen, "http-request deny", "'http-request deny' is about HTTP, and sluice balances TCP only"},
		{InListen, "clitimeout 5000", "'clitimeout' is an old word: use 'timeout client'"},
		{InBackend, "blance roundrobin", "unknown keyword 'blance' in 'backend' section; did you mean 'balance'?"},
		{InBackend, "option redispach", "unknown keyword 'option redispach' in 'backend' section; did you mean 'redispatch'?"},
		{InBackend, "timeout conect 5s", "unknown keyword 'timeout conect' in 'backend' section; did you mean 'connect'?"},
		{InBackend, "balance leastcon", "'balance' expects one of 'roundrobin', 'static-rr', 'leastconn', 'first', 'source', 'random', 'hash', not 'leastcon'; did you mean 'leastconn'?"},
		{InBackend, "balance uri", "'balance' cannot be 'uri', which is known to HAProxy but not supported by sluice, which balances TCP only"},
		{InBackend, "balance hash req.hdr(x)", "'balance' hash: 'req.hdr(x)' is not yet supported by sluice, only 'src' and 'src_port' are"},
		{InBackend, "log-format-json time", "'log-format-json' takes no fields such as 'time' in a 'backend' section, where it is about messages only"},
		{InGlobal, "log-format-json time", "'log-format-json' takes no fields such as 'time' in a 'global' section, where it is about messages only"},
		{InGlobal, "log ring@none local0", "'log' names the ring 'none', and there is none"},
		{InGlobal, "log tcp@10.0.0.1:514 local0", "'log' target 'tcp@' is not supported by sluice: for TCP, name a 'ring' section with 'server' lines as 'ring@<name>'"},
		{InRings, "server s 10.0.0.1:1 log-proto syslog", "ring server : 'log-proto' expects one of 'legacy', 'octet-count', not 'syslog'"},
		{InRings, "server s 10.0.0.1:1 ssl", "ring server : 'ssl' is about TLS, and TLS termination is not something sluice does"},
		{InRings, "server s 10.0.0.1:1 maxconn 3", "unknown option 'maxconn' on 'ring server' line"},
		{InRings, "size 1000", "'size' expects at least 1024 bytes, not '1000'"},
		{InRings, "log-proto legacy", "unknown keyword 'log-proto' in 'ring' section"},
		{InRings, "format xml", "'format' expects one of 'local', 'rfc3164', 'rfc5424', 'priority', 'short', 'raw', 'timed', 'iso', not 'xml'"},
		{InGlobal, "lua-load x.lua", "'lua-load' is known to HAProxy but not yet supported by sluice"},
		{InGlobal, "timeout client 5s", "'timeout client' is not allowed in a 'global' section, only in 'defaults', 'frontend', 'listen'"},
		{InBackend, "nbthread 4", "'nbthread' is not allowed in a 'backend' section, only in 'global'"},
		{InDefaults, "bind :80", "'bind' is not allowed in a 'defaults' section, only in 'frontend', 'listen'"},
		{InFrontend, "server a 10.0.0.1:80", "'server' is not allowed in a 'frontend' section, only in 'listen', 'backend'"},
		{OnBind, "ssl", "bind : 'ssl' is about TLS, and TLS termination is not something sluice does"},
		{OnBind, "idle-ping 5s", "bind : 'idle-ping' is known to HAProxy but not yet supported by sluice"},
		{OnBind, "namespace *", "bind : 'namespace' can be '*' for a server only"},
		{OnBind, "namespace a/b", "bind : 'namespace' expects a name in /var/run/netns, or a path that begins with '/', not 'a/b'"},
		{OnBind, "namespace", "bind : 'namespace' expects { <name> | <path> } [late]"},
		{OnServer, "namespace * late", "server 'x' : 'namespace' cannot await '*', which is no namespace of its own: 'late' stands where the namespaces are named"},
		{OnServer, "namespace blue lat", "unknown option 'lat' on server 'x'"},
		{InNamespaceList, "namespace *", "'namespace' can be '*' for a server only"},
		{InNamespaceList, "namespace blue lat", "'namespace' expects one of 'late', not 'lat'; did you mean 'late'?"},
		{InResolvers, "nameserver a 10.0.0.1:53 namespace blue", "'nameserver' 'a' has an unexpected argument 'namespace': parameters of a name server are not supported"},
		{InMailers, "mailer a 10.0.0.1:25 namespace blue", "'mailer' has an unexpected argument 'namespace'"},
		{OnBind, "accept-prxy", "unknown option 'accept-prxy' on 'bind' line; did you mean 'accept-proxy'?"},
		{OnServer, "ssl", "server 'x' : 'ssl' is about TLS, and TLS termination is not something sluice does"},
		{OnServer, "wieght 4", "unknown option 'wieght' on server 'x'; did you mean 'weight'?"},
		{OnServer, "weight 257", "server 'x' : 'weight' expects a whole number from 0 to 256, not '257'"},
		{OnDefaultServer, "id 3", "'id' is possible on 'server' lines only, not on 'default-server'"},
	} {
		c, diagnostics := load("refused", around(test.place, test.line))
		if c != nil {
			t.Errorf("%q is accepted", test.line)
		}
		alerts := 0
		for _, d := range diagnostics {
			if d.Severity != Alert {
				continue
			}
			if alerts++; d.Text != test.want || d.Pos.Line != 3 {
				t.Errorf("%q in line %d:\n got %s\nwant %s", test.line, d.Pos.Line, d.Text, test.want)
			}
		}
		if alerts != 1 {
			t.Errorf("%q gives %d alerts", test.line, alerts)
		}
	}
}
