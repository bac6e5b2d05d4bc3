package config

import (
	"fmt"
	"strings"
	"testing"
)

// steps writes a script on one line for each step.
func steps(h *HealthCheck) string {
	var lines []string
	for _, r := range h.Script() {
		name, words := r.words(h.Kind)
		lines = append(lines, strings.TrimSpace(name+" "+strings.Join(words, " ")))
	}
	return strings.Join(lines, "; ")
}

// TestScript: what is added to the lines of a check, and what becomes of those of a defaults section.
func TestScript(t *testing.T) {
	for _, test := range []struct{ defaults, lines, want string }{
		{"", "", ""},
		{"", "option redis-check", ""},
		{"", "option tcp-check", "connect default"},
		{"", "option tcp-check\ntcp-check send x", "connect default; send x"},
		{"", "option tcp-check\ntcp-check set-var(check.a) int(1)\ntcp-check connect port 5\ntcp-check expect string x", "set-var(check.a) int(1); connect port 5; expect string x"},
		{"", "tcp-check connect\ntcp-check comment one\ntcp-check set-var(check.a) int(1)\ntcp-check send x\ntcp-check comment two\ntcp-check expect comment own string x\noption tcp-check",
			"connect; set-var(check.a) int(1); send x comment one; expect comment own string x"},
		{"", "option httpchk", "connect default; send meth OPTIONS uri / ver HTTP/1.0; expect status 200-399"},
		{"", "option httpchk /x\nhttp-check send hdr Host %s", "connect default; send meth OPTIONS uri /x ver HTTP/1.0 hdr Host %s; expect status 200-399"},
		{"", "option httpchk GET /x HTTP/1.1\nhttp-check send uri-lf /%s", "connect default; send meth GET uri-lf /%s ver HTTP/1.1; expect status 200-399"},
		{"", "http-check send uri /y meth POST hdr A b\noption httpchk GET /x", "connect default; send meth GET uri /x ver HTTP/1.0 hdr A b; expect status 200-399"},
		{"", "option httpchk GET /x\nhttp-check expect status 204", "connect default; send meth GET uri /x ver HTTP/1.0; expect status 204"},
		{"", "option httpchk GET /x\nhttp-check connect port 81\nhttp-check comment c", "connect port 81; send meth GET uri /x ver HTTP/1.0; expect status 200-399"},
		{"", "option httpchk GET /x\nhttp-check connect\nhttp-check send meth PUT\nhttp-check expect status 200\nhttp-check connect\nhttp-check send uri /y",
			"connect; send meth PUT uri /x ver HTTP/1.0; expect status 200; connect; send meth OPTIONS uri /y ver HTTP/1.0; expect status 200-399"},
		{"option httpchk PUT /d\nhttp-check send hdr D d", "", "connect default; send meth PUT uri /d ver HTTP/1.0 hdr D d; expect status 200-399"},
		{"option httpchk PUT /d\nhttp-check send hdr D d", "option httpchk GET /own", "connect default; send meth GET uri /own ver HTTP/1.0; expect status 200-399"},
		{"option httpchk PUT /d\nhttp-check send hdr D d", "http-check send hdr P p", "connect default; send meth OPTIONS uri / ver HTTP/1.0 hdr P p; expect status 200-399"},
		{"option httpchk PUT /d\nhttp-check send hdr D d", "http-check expect status 200", "connect default; send meth OPTIONS uri / ver HTTP/1.0; expect status 200"},
		{"tcp-check send d", "option tcp-check", "connect default; send d"},
		{"option tcp-check\ntcp-check send d", "tcp-check send own", "connect default; send own"},
		{"tcp-check send d\noption httpchk", "option tcp-check", "connect default; send d"},
	} {
		// The second backend shows that the first one has not changed the defaults.
		c, diagnostics := load("script", "defaults\n"+test.defaults+"\nbackend b\n"+test.lines+"\nbackend other\n"+test.lines+"\n")
		if c == nil {
			t.Errorf("%q refused:\n%s", test.lines, complaints(diagnostics))
			continue
		}
		for _, p := range c.Proxies {
			if got := steps(&p.Health); got != test.want {
				t.Errorf("%q, %q:\n got %s\nwant %s", test.defaults, test.lines, got, test.want)
			}
		}
		roundTrip(t, c)
	}
}

// testValues are what expressions see in these tests.
var testValues = CheckValues{
	Variable: func(name string) (string, bool) { return "v", name == "check.x" }, Environment: func(name string) (string, bool) { return "e", name == "E" },
	Payload: []byte("+PONG\r\nrest"), Status: 204, Server: "srv", Backend: "Be", ServerID: 3, BackendID: 7, Host: "lb1", Process: 42,
}

// TestFormat evaluates formats. An empty outcome and an error are told apart by "!".
func TestFormat(t *testing.T) {
	for format, want := range map[string]string{
		"": "", "plain": "plain", "100%%": "100%", "%b/%s": "Be/srv", "%H:%pid": "lb1:42", "a%[str(b)]c": "abc",
		"%[var(check.x)]%[var(check.y)].": "v.", "%[env(E)]%[env(F)].": "e.", "%[be_id]-%[srv_id]": "7-3", "%[status]": "204",
		"%[res.payload(0,5)]": "+PONG", "%[res.payload(7,0)]": "rest", "%[res.payload(7,5)].": ".", "%[res.payload(0,0),cut_crlf]": "+PONG", "%[res.len]": "11",
		"%[str(AbC),lower]%[str(AbC),upper]": "abcABC", "%[str(abc),length,add(2)]": "5", "%[int(-5),sub(2)]": "-7", "%[bin(0aff),hex]": "0AFF", "%[bool(true)]%[bool(0)]": "10",
		"%[str( a ),ltrim( )]|": "a |", "%[str( a ),rtrim( )]|": " a|", "%[str(abcdef),bytes(1,2)]": "bc", "%[str(abcdef),bytes(4,9)]": "ef", "%[str(a),bytes(5)].": ".",
		"%[str('a,b)')]": "a,b)", `%[str("a]b")]`: "a]b", `%[str(a\,b)]`: "a,b", "%[str()]x": "!", "%[var(check.x),add(1)].": ".",
		"%": "!", "a%": "!", "%[": "!", "%[]": "!", "%[str(a": "!", "%[str(a)": "!", "%[foo]": "!", "%[str(a),foo]": "!", "%[str(a),add(1)]": "!", "%[int(1),hex]": "!",
		"%{+Q}b": "!", "%zz": "!", "%bs": "!", "%[var(x)]": "!", "%[var(txn.x)]": "!", "%[var(check.a-b)]": "!", "%[int(x)]": "!", "%[bool(x)]": "!", "%[bin(0)]": "!",
		"%[res.payload(1)]": "!", "%[res.payload(-1,2)]": "!", "%[str(a,b)]": "!", "%[hostname(x)]": "!", "%[str(a),bytes(-1)]": "!", "%[env()]": "!",
	} {
		f, err := ParseCheckFormat(format)
		got := "!"
		if err == nil {
			got = string(f.Append(nil, &testValues))
			f.Append(nil, &CheckValues{}) // nothing set: nothing to fall over
		}
		if got != want {
			t.Errorf("%q gives %q, expected %q (%v)", format, got, want, err)
		}
	}
	if _, err := ParseCheckExpression("int(1) x"); err == nil {
		t.Error("a surplus word is taken")
	}
}

// TestPattern: "$" is as in PCRE, and what RE2 has not is told.
func TestPattern(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		match         bool
	}{
		{"OK$", "OK", true}, {"OK$", "OK\n", true}, {"OK$", "OK\r\n", false}, {"OK$", "OK\n\n", false}, {`OK\z`, "OK\n", false}, {"(?m)OK$", "OK\nx", true},
		{"^(a$|b)", "a\n", true}, {"a.b", "a\xffb", true}, {"a.b", "a\nb", false}, {`^\+(OK|PONG)`, "+PONG\r\n", true}, {"[[:digit:]]{3}", "x204", true},
	} {
		r, err := CompileCheckPattern(test.pattern)
		if err != nil {
			t.Error(err)
			continue
		}
		if r.MatchString(test.text) != test.match {
			t.Errorf("%q and %q: not %v", test.pattern, test.text, test.match)
		}
	}
	for pattern, want := range map[string]string{"(": "is wrong", `(a)\1`: "not supported", "a(?=b)": "not supported", "a{1001}": "is wrong"} {
		if _, err := CompileCheckPattern(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

// TestTemplates: servers of one line share a Template, and get the same numbers after printing.
func TestTemplates(t *testing.T) {
	c := accepted(t, `
resolvers d
 parse-resolv-conf
backend b
 server a 10.0.0.1:80
 server-template w 2-4 _db._tcp.example.org resolvers d check
 server b 10.0.0.2:80 id 3
 server-template x 2 web.example.org:80 id 10
 server c 10.0.0.3:80
`)
	var got []string
	for _, s := range c.Proxies[0].Servers {
		line := fmt.Sprint(s.Name, " ", s.ID)
		if m := s.Template; m != nil {
			line += fmt.Sprint(" ", m.Prefix, m.Low, "-", m.High, " ", m.SRV)
		}
		got = append(got, line)
	}
	want := "a 1; w2 2 w2-4 true; w3 4 w2-4 true; w4 5 w2-4 true; b 3; x1 10 x1-2 false; x2 11 x1-2 false; c 6"
	if strings.Join(got, "; ") != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	roundTrip(t, c)
}
