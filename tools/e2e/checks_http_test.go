package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

const httpchk = "option httpchk GET "

// option httpchk and http-check against nginx.
func TestChecksOfNginx(t *testing.T) {
	t.Parallel()
	dir, addr, behind := harness.ShortDir(t), harness.Loopback(t), harness.Loopback(t)
	harness.StartSites(t, dir, addr, fmt.Sprintf(`
  server {
    listen %[1]s;
    location = /well { return 200 "all is well\n"; }
    location = /gone { return 404; }
    location = /broken { return 503; }
    location = /elsewhere { return 302 /well; }
    location = /state { add_header X-State $http_x_haproxy_server_state; return 200 "$http_x_haproxy_server_state\n"; }
    location = /host { return 200 "$host $http_user_agent $request_method\n"; }
    location = /posted { if ($request_method = POST) { return 202; } return 405; }
  }
  server { listen %[1]s; server_name named.test; location / { return 204; } }
  server { listen %[2]s proxy_protocol; location / { return 200 "$proxy_protocol_addr\n"; } }`, addr, behind))
	judge(t, "", []healthCheck{
		{name: "connect", server: addr, want: "Layer4 check passed"},
		{name: "200", lines: httpchk + "/well", server: addr, want: "Layer7 check passed, code: 200"},
		{name: "302", lines: httpchk + "/elsewhere", server: addr, want: "Layer7 check passed, code: 302"},
		{name: "404", lines: httpchk + "/gone", server: addr, want: "Layer7 wrong status, code: 404" + quoted("Not Found")},
		{name: "503", lines: httpchk + "/broken", server: addr, want: "Layer7 wrong status, code: 503" + quoted("Service Temporarily Unavailable")},
		{name: "options", lines: "option httpchk", server: addr, want: "Layer7 wrong status, code: 405" + quoted("Not Allowed")},
		{name: "head", lines: "option httpchk HEAD /well HTTP/1.1\nhttp-check send hdr Host a.test", server: addr, want: "Layer7 check passed, code: 200"},
		{name: "no host", lines: httpchk + "/well HTTP/1.1", server: addr, want: "Layer7 wrong status, code: 400" + quoted("Bad Request")},
		{name: "virtual host", lines: httpchk + "/ HTTP/1.1\nhttp-check send hdr Host named.test", server: addr, want: "Layer7 check passed, code: 204"},
		{name: "send", lines: "option httpchk\nhttp-check send meth POST uri /posted ver HTTP/1.1 hdr Host a.test hdr Content-Type text/plain body hello", server: addr,
			want: "Layer7 check passed, code: 202"},
		{name: "expect status", lines: httpchk + "/gone\nhttp-check expect status 404", server: addr, want: "Layer7 check passed, code: 404"},
		{name: "expect status range", lines: httpchk + "/broken\nhttp-check expect status 200-399,404", server: addr,
			want: "Layer7 wrong status, code: 503" + quoted("Service Temporarily Unavailable")},
		{name: "expect rstatus", lines: httpchk + "/elsewhere\nhttp-check expect rstatus ^3", server: addr, want: "Layer7 check passed, code: 302"},
		{name: "expect string", lines: httpchk + "/well\nhttp-check expect string well", server: addr, want: "Layer7 check passed, code: 200"},
		{name: "expect another string", lines: httpchk + "/well\nhttp-check expect string badly", server: addr,
			want: "Layer7 invalid response" + quoted("HTTP content check did not match")},
		{name: "on-error tells the body", lines: httpchk + "/well\nhttp-check expect string badly on-error '%[res.body,cut_crlf], %[res.body_len] bytes'", server: addr,
			want: "Layer7 invalid response" + quoted("all is well, 12 bytes")},
		{name: "expect no string", lines: httpchk + "/well\nhttp-check expect ! string well", server: addr,
			want: "Layer7 invalid response" + quoted("HTTP check matched unwanted content")},
		{name: "expect rstring", lines: httpchk + "/well\nhttp-check expect rstring ^all.*l$", server: addr, want: "Layer7 check passed, code: 200"},
		{name: "expect header", lines: httpchk + "/well\nhttp-check expect hdr name Server value -m beg nginx", server: addr, want: "Layer7 check passed, code: 200"},
		{name: "expect another header", lines: httpchk + "/well\nhttp-check expect hdr name Server value Apache", server: addr,
			want: "Layer7 wrong status, code: 200" + quoted("OK")},
		{name: "two requests", lines: "option httpchk\nhttp-check connect\nhttp-check send uri /well\nhttp-check expect status 200\n" +
			"http-check connect\nhttp-check send uri /broken\nhttp-check expect status 200", server: addr,
			want: "Layer7 wrong status, code: 503" + quoted("Service Temporarily Unavailable")},
		{name: "connect elsewhere", lines: "option httpchk\nhttp-check connect addr 127.0.0.1 port " + port(addr) + "\nhttp-check send uri /well", server: "127.0.0.9:1",
			want: "Layer7 check passed, code: 200"},
		{name: "addr and port", lines: httpchk + "/well", server: "127.0.0.9:1 addr 127.0.0.1 port " + port(addr), want: "Layer7 check passed, code: 200"},
		{name: "send-state", lines: httpchk + "/state\nhttp-check send-state\n" +
			"http-check expect rstring '^UP; address=127.0.0.1; port=" + port(addr) + "; name=send-state/s; node=.+; weight=1/1; scur=0/0; qcur=0$'", server: addr, want: "Layer7 check passed, code: 200"},
		{name: "proxy header missing", lines: impatient + httpchk + "/", server: behind, want: "Layer7 invalid response"},
		{name: "check-send-proxy", lines: httpchk + "/", server: behind + " check-send-proxy", want: "Layer7 check passed, code: 200"},
		{name: "send-proxy", lines: httpchk + "/", server: behind + " send-proxy", want: "Layer7 check passed, code: 200"},
		{name: "send-proxy-v2", lines: httpchk + "/", server: behind + " send-proxy-v2", want: "Layer7 check passed, code: 200"},
		{name: "connect send-proxy", lines: "option httpchk\nhttp-check connect send-proxy", server: behind, want: "Layer7 check passed, code: 200"},
		{name: "disabled at 404", lines: httpchk + "/gone\nhttp-check disable-on-404", server: addr,
			want: "Layer7 check conditionally passed, code: 404"},
	})
}

// A page that comes and goes takes its server along: gone with disable-on-404, it is only stopped from getting new flows.
func TestChecksFollowPages(t *testing.T) {
	t.Parallel()
	dir, addr := harness.ShortDir(t), harness.Loopback(t)
	page := filepath.Join(dir, "root", "page")
	harness.WriteFile(t, page, "here\n")
	// 403 for a page that is hidden, 404 for one that is gone.
	harness.StartSites(t, dir, addr, fmt.Sprintf("server { listen %s; root %s/root; location / { if (-f $document_root/hidden) { return 403; } } }", addr, dir))
	logs := watch(t, httpchk+"/page\nhttp-check disable-on-404", addr)
	passed := "Layer7 check passed, code: 200"
	news(t, logs, staysUp(passed)...)
	if err := os.Remove(page); err != nil {
		t.Fatal(err)
	}
	news(t, logs,
		notice+" Health check for server pool/s conditionally succeeded, reason: Layer7 check conditionally passed, code: 404, check duration: #ms, status: 1/1 UP.",
		notice+" Server pool/s is stopping. 0 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.",
		emergency+" backend pool has no server available!")
	harness.WriteFile(t, page, "here again\n")
	news(t, logs, comesUp(passed)...)
	harness.WriteFile(t, filepath.Join(dir, "root", "hidden"), "")
	news(t, logs, goesDown("Layer7 wrong status, code: 403"+quoted("Forbidden"))...)
}

// A port that speaks only TLS, and one that wants a certificate besides.
func TestChecksOfCertificatePort(t *testing.T) {
	t.Parallel()
	dir, addr, strict := harness.ShortDir(t), harness.Loopback(t), harness.Loopback(t)
	certificate, key := harness.SelfSigned(t, dir)
	harness.StartSites(t, dir, addr, fmt.Sprintf(`
  ssl_certificate %[1]s;
  ssl_certificate_key %[2]s;
  server { listen %[3]s ssl; return 200 "well\n"; }
  server { listen %[4]s ssl; ssl_verify_client on; ssl_client_certificate %[1]s; return 200 "well\n"; }`, certificate, key, addr, strict))
	var list []healthCheck
	for _, place := range []struct{ name, addr string }{{"tls", addr}, {"client certificate", strict}} {
		for _, c := range []healthCheck{
			{name: "connect", want: "Layer4 check passed"},
			{name: "hello", lines: "option ssl-hello-chk", want: "Layer6 check passed"},
			{name: "http", lines: httpchk + "/", want: "Layer7 wrong status, code: 400" + quoted("Bad Request")},
			{name: "tcp-check silent", lines: impatient + "option tcp-check\ntcp-check expect string OK", want: "Layer7 timeout" + quoted(" at step 1 of tcp-check (expect string 'OK')")},
			{name: "tcp-check speaks", lines: "option tcp-check\ntcp-check connect\ntcp-check send PING\\r\\n\\r\\n\ntcp-check expect string +PONG",
				want: "Layer7 invalid response" + quoted("TCPCHK did not match content '+PONG' at step 3")},
			{name: "redis", lines: "option redis-check", want: "Layer7 wrong status, code: 0" + quoted("HTTP/1.1 400 Bad Request")},
			{name: "smtp", lines: impatient + "option smtpchk", want: "Layer7 timeout"},
			{name: "mysql", lines: impatient + "option mysql-check", want: "Layer7 timeout"},
			{name: "pgsql", lines: "option pgsql-check user u", want: "Layer7 wrong status, code: 0" + quoted("PostgreSQL unknown error")},
			{name: "ldap", lines: "option ldap-check", want: "Layer7 invalid response" + quoted("Not LDAPv3 protocol")},
		} {
			c.name, c.server = place.name+" "+c.name, place.addr
			list = append(list, c)
		}
	}
	judge(t, "", list)
}
