package config

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// comparisons are lines that HAProxy 2.6 and sluice read. Both accept them or both refuse them, unless there is a reason.
var comparisons = []struct {
	lines   string // of a backend with a server, of sections before it, or of "global"
	accept  bool   // sluice does
	because string // HAProxy does the opposite, and why
}{
	{lines: "option tcp-check\ntcp-check connect default port 80 addr 127.0.0.1 send-proxy via-socks4 linger comment x", accept: true},
	{lines: "option tcp-check\ntcp-check connect port int(80)", accept: true},
	{lines: "option tcp-check\ntcp-check connect port 70000"},
	{lines: "option tcp-check\ntcp-check connect port foo"},
	{lines: "option tcp-check\ntcp-check connect addr 127.0.0.1:80", accept: true},
	{lines: "option tcp-check\ntcp-check connect junk"},
	{lines: "option tcp-check\ntcp-check connect ssl verify"},
	{lines: "option tcp-check\ntcp-check send a comment b", accept: true},
	{lines: "option tcp-check\ntcp-check send a b"},
	{lines: "option tcp-check\ntcp-check send ''"},
	{lines: "option tcp-check\ntcp-check send-binary 0a0"},
	{lines: "option tcp-check\ntcp-check send-binary 0x0a"},
	{lines: "option tcp-check\ntcp-check send-binary 0A0b", accept: true},
	{lines: "option tcp-check\ntcp-check send-binary-lf %[str(0a)]", accept: true},
	{lines: "option tcp-check\ntcp-check send-binary-lf 0zz", because: "HAProxy finds out when the check runs"},
	{lines: "option tcp-check\ntcp-check send-lf %b-%s-%H%%%[var(check.x)]", accept: true},
	{lines: "option tcp-check\ntcp-check send-lf %zz"},
	{lines: "option tcp-check\ntcp-check send-lf 'a%'"},
	{lines: "option tcp-check\ntcp-check send-lf %[foo]"},
	{lines: "option tcp-check\ntcp-check send-lf %[rand(5)]", because: "checks know a part of the expressions"},
	{lines: "option tcp-check\ntcp-check send-lf %[be_name]/%[srv_name,upper]/%[srv_id]/%[hostname]/%[env(HOME)]/%[int(5),add(1)]/%[bin(0aff),hex]", accept: true},
	{lines: "option tcp-check\ntcp-check expect string x", accept: true},
	{lines: "option tcp-check\ntcp-check expect ! rstring ^-ERR comment 'no error'", accept: true},
	{lines: "option tcp-check\ntcp-check expect !string x", accept: true},
	{lines: "option tcp-check\ntcp-check expect ! ! string x", because: "once is enough"},
	{lines: "option tcp-check\ntcp-check expect min-recv 5 ok-status L7OKC error-status L7STS tout-status L6TOUT on-success %[str(x)] on-error %[res.payload(0,4)] status-code int(1) binary 00ff", accept: true},
	{lines: "option tcp-check\ntcp-check expect min-recv -2 string x"},
	{lines: "option tcp-check\ntcp-check expect min-recv 5x string x", because: "arguments are checked strictly"},
	{lines: "option tcp-check\ntcp-check expect ok-status L7RSP string x"},
	{lines: "option tcp-check\ntcp-check expect error-status L7OK string x"},
	{lines: "option tcp-check\ntcp-check expect rstring ("},
	{lines: "option tcp-check\ntcp-check expect rstring a(?=b)", because: "RE2 does not look ahead"},
	{lines: "option tcp-check\ntcp-check expect binary 0"},
	{lines: "option tcp-check\ntcp-check expect rbinary ^(2b)?4f", accept: true},
	{lines: "option tcp-check\ntcp-check expect status 200"},
	{lines: "option tcp-check\ntcp-check expect string x string y"},
	{lines: "option tcp-check\ntcp-check expect string-lf %s", accept: true},
	{lines: "option tcp-check\ntcp-check comment x\ntcp-check connect", accept: true},
	{lines: "option tcp-check\ntcp-check set-var(check.x) int(1)\ntcp-check connect", accept: true},
	{lines: "option tcp-check\ntcp-check send x\ntcp-check connect"},
	{lines: "option tcp-check\ntcp-check set-var(check.x,ifexists,ifgt) int(1)", accept: true},
	{lines: "option tcp-check\ntcp-check set-var(check.x,foo) int(1)"},
	{lines: "option tcp-check\ntcp-check set-var(x) int(1)"},
	{lines: "option tcp-check\ntcp-check set-var(check.x)"},
	{lines: "option tcp-check\ntcp-check set-var(txn.x) int(1)", because: "the manual has proc, sess and check as scopes of checks"},
	{lines: "option tcp-check\ntcp-check set-var(check.x) int(1) foo", because: "arguments are checked strictly"},
	{lines: "option tcp-check\ntcp-check set-var-fmt(check.x) name=%H", accept: true},
	{lines: "option tcp-check\ntcp-check unset-var(check.x)", accept: true},
	{lines: "tcp-check send x", accept: true}, // a warning
	{lines: "option tcp-check junk"},
	{lines: "no option tcp-check"},
	{lines: "option httpchk GET /x HTTP/1.1\nhttp-check send hdr Host www body x", accept: true},
	{lines: "option httpchk GET / HTTP/1.1 x"},
	{lines: "option httpchk GET / HTTP/2.0", because: "checks speak HTTP/1"},
	{lines: "option httpchk\nhttp-check send meth GET\nhttp-check send meth GET"},
	{lines: "option httpchk\nhttp-check connect\nhttp-check expect status 200"},
	{lines: "option httpchk\nhttp-check connect\nhttp-check send\nhttp-check connect"},
	{lines: "option httpchk\nhttp-check expect status 200\nhttp-check send meth GET"},
	{lines: "option httpchk\nhttp-check connect\nhttp-check send\nhttp-check expect status 200\nhttp-check connect port 81\nhttp-check send meth PUT", accept: true},
	{lines: "option httpchk\nhttp-check expect status 200,300-310,", accept: true},
	{lines: "option httpchk\nhttp-check expect status 310-300"},
	{lines: "option httpchk\nhttp-check expect status 2xx"},
	{lines: "option httpchk\nhttp-check expect hdr name -m beg foo value -m reg ^a comment x", accept: true},
	{lines: "option httpchk\nhttp-check expect hdr name-lf -m reg foo"},
	{lines: "option httpchk\nhttp-check expect hdr foo"},
	{lines: "option httpchk\nhttp-check expect fhdr name foo value-lf %s", accept: true},
	{lines: "option httpchk\nhttp-check expect binary 00"},
	{lines: "option httpchk\nhttp-check send uri"},
	{lines: "option httpchk\nhttp-check send uri 'a b'", because: "it would be another request line"},
	{lines: "option httpchk\nhttp-check send hdr foo"},
	{lines: "option httpchk\nhttp-check disable-on-404 x"},
	{lines: "option smtpchk EHLO a.b", accept: true},
	{lines: "option smtpchk HELO", accept: true}, // a warning of ours
	{lines: "option pgsql-check"},
	{lines: "option pgsql-check user a", accept: true},
	{lines: "option mysql-check user a pre-41", accept: true},
	{lines: "option mysql-check user a foo"},
	{lines: "option mysql-check", accept: true},
	{lines: "option redis-check\noption ldap-check\noption ssl-hello-chk\noption spop-check", accept: true},
	{lines: "option external-check\nexternal-check command /bin/true"},
	{lines: "global\nexternal-check\nbackend x\noption external-check\nexternal-check command /bin/true", accept: true},
	{lines: "global\nexternal-check\nbackend x\noption external-check"},
	{lines: "global\nexternal-check\nbackend x\noption external-check\nexternal-check command true"},
	{lines: "global\nexternal-check\nbackend x\noption external-check\nexternal-check command /bin/true\nserver x 127.0.0.1 check"},
	{lines: "global\nspread-checks 51"},
	{lines: "global\nmax-spread-checks 5s\nserver-state-base /x\ninsecure-fork-wanted", accept: true},
	{lines: "retry-on none", accept: true},
	{lines: "retry-on 503", accept: true}, // a warning of ours
	{lines: "retry-on none conn-failure"},
	{lines: "retry-on 999"},
	{lines: "force-persist if TRUE\nignore-persist unless FALSE", accept: true},
	{lines: "force-persist", accept: true, because: "an extension"},
	{lines: "load-server-state-from-file local\nserver-state-file-name use-backend-name", accept: true},
	{lines: "load-server-state-from-file foo"},
	{lines: "email-alert level foo"},
	{lines: "email-alert mailers m", accept: true}, // a warning
	{lines: "email-alert mailers m\nemail-alert from a@b\nemail-alert to c@d"},
	{lines: "mailers m\nmailer a 127.0.0.1:25\nbackend x\nemail-alert mailers m\nemail-alert from a@b\nemail-alert to c@d\nemail-alert level info", accept: true},
	{lines: "mailers m\nmailer a 127.0.0.1"},
	{lines: "mailers m\nmailers m"},
	{lines: "resolvers d\nnameserver a 127.0.0.1:53\nnameserver b tcp@127.0.0.1:53\nnameserver c udp6@::1:53\nparse-resolv-conf\nhold nx 5s\nresolve_retries 5\ntimeout retry 2s\naccepted_payload_size 4096", accept: true},
	{lines: "resolvers d\nnameserver a 127.0.0.1"},
	{lines: "resolvers d\nnameserver a foo.invalid:53"},
	{lines: "resolvers d\nnameserver a 127.0.0.1:53\nnameserver a 127.0.0.2:53"},
	{lines: "resolvers d\nhold foo 5s"},
	{lines: "resolvers d\nresolve_retries x", because: "arguments are checked strictly"},
	{lines: "resolvers d\ntimeout retry 0", because: "queries would be sent without a pause"},
	{lines: "resolvers d\naccepted_payload_size 65536"},
	{lines: "resolvers d\nresolvers d"},
	{lines: "server x 127.0.0.1 check"},
	{lines: "server x 127.0.0.1 check addr 127.0.0.1:90", accept: true},
	{lines: "option tcp-check\ntcp-check connect port 80\nserver x 127.0.0.1 check", accept: true},
	{lines: "server x 127.0.0.1:+10 check"},
	{lines: "server x 127.0.0.1:80 check inter 0"},
	{lines: "server x 127.0.0.1:80 check fastinter 0ms"},
	{lines: "server x 127.0.0.1:80 check inter 10us", accept: true},
	{lines: "server x 127.0.0.1:80 check rise 0"},
	{lines: "server x 127.0.0.1:80 agent-check"},
	{lines: "server x 127.0.0.1:80 agent-check agent-port 5 agent-addr 127.0.0.2 agent-send foo agent-inter 3s", accept: true},
	{lines: "server x 127.0.0.1:80 agent-addr 127.0.0.1:80"},
	{lines: "server x 127.0.0.1:80 check agent-send ''"},
	{lines: "server x 127.0.0.1:80 check port 70000", because: "there is no such port"},
	{lines: "server x 127.0.0.1:80 check observe layer4 error-limit 5 on-error mark-down on-marked-down shutdown-sessions on-marked-up shutdown-backup-sessions slowstart 5s", accept: true},
	{lines: "server x 127.0.0.1:80 check error-limit 0"},
	{lines: "server x 127.0.0.1:80 track s", accept: true},
	{lines: "server x 127.0.0.1:80 track last/s", accept: true},
	{lines: "server x 127.0.0.1:80 track s check"},
	{lines: "server x 127.0.0.1:80 track y\nserver y 127.0.0.1:80 track x"},
	{lines: "server x 127.0.0.1:80 track none"},
	{lines: "server n 127.0.0.1:80\nserver x 127.0.0.1:80 track n"},
	{lines: "server x localhost:80 resolvers foo"},
	{lines: "server x localhost:80 resolvers default", accept: true},
	{lines: "resolvers d\nnameserver a 127.0.0.1:53\nbackend x\nserver-template w 3 _http._tcp.foo.invalid resolvers d check init-addr none resolve-prefer ipv4 resolve-net 10.0.0.0/8,192.168.0.0/255.255.0.0 resolve-opts allow-dup-ip,ignore-weight", accept: true},
	{lines: "server x localhost:80 resolve-net foo"},
	{lines: "server x localhost:80 resolve-net 10.0.0.0/8,10.0.0.0/8,10.0.0.0/8,10.0.0.0/8,10.0.0.0/8,10.0.0.0/8"},
	{lines: "server x localhost:80 resolve-opts foo"},
	{lines: "server x localhost:80 init-addr foo"},
	{lines: "server x 127.0.0.1:80 init-state down", accept: true, because: "a word of later versions"},
	{lines: "server x 127.0.0.1:80 damp 3", accept: true, because: "an extension"},
	{lines: "panic-threshold 50%", accept: true, because: "an extension"},
}

// TestAgainstHAProxy gives each of the lines to HAProxy 2.6 too.
func TestAgainstHAProxy(t *testing.T) {
	version, err := exec.Command("haproxy", "-v").Output()
	haproxy := err == nil && strings.Contains(string(version), "version 2.6.")
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	for _, c := range comparisons {
		text := "defaults\ntimeout client 1s\ntimeout connect 1s\ntimeout server 1s\nfrontend f\nbind :65000\ndefault_backend last\n"
		first, _, _ := strings.Cut(c.lines, "\n")
		switch first, _, _ = strings.Cut(first, " "); first {
		case "global", "mailers", "resolvers":
			text = c.lines + "\n" + text + "backend last\n"
		default:
			text += "backend last\n" + c.lines + "\n"
		}
		text += "server s 127.0.0.1:80 check\n"
		config, diagnostics := load("compared", text)
		if (config != nil) != c.accept {
			t.Errorf("sluice accepts %v:\n%s\n%s", config != nil, text, complaints(diagnostics))
		}
		if config != nil {
			roundTrip(t, config)
		}
		if !haproxy {
			continue
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("haproxy", "-c", "-f", file).CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if accepts := err == nil; accepts != (c.accept == (c.because == "")) {
			t.Errorf("haproxy accepts %v:\n%s\n%s", accepts, text, out)
		}
	}
	if !haproxy {
		t.Skip("haproxy 2.6 is not installed: its side is not compared")
	}
}
