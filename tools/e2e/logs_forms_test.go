package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// raw is a configuration whose log lines have nothing before their text.
func raw(r *harness.Receiver, defaults string, sections ...string) string {
	return strings.Replace(config(r, defaults, sections...), " local0\n", " len 4096 format raw local0\n", 1)
}

// Each variable that HAProxy has in TCP mode, and the flags: the pattern is met by both programs.
func TestLogEveryVariable(t *testing.T) {
	t.Parallel()
	logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
	harness.Start(t, raw(logs, "", section("frontend front", "bind "+addr+" name door",
		`log-format "v B=%B H=%H ID=%ID ST=%ST T=%T Tc=%Tc Td=%Td Tl=%Tl Th=%Th Ts=%Ts Tt=%Tt Tu=%Tu Tw=%Tw U=%U ac=%ac b=%b bc=%bc bi=%bi bp=%bp bq=%bq ci=%ci cp=%cp f=%f fc=%fc fi=%fi fp=%fp ft=%ft lc=%lc hr=%hr hrl=%hrl hs=%hs hsl=%hsl ms=%ms pid=%pid rc=%rc rt=%rt s=%s sc=%sc si=%si sp=%sp sq=%sq sslc=%sslc sslv=%sslv t=%t ts=%ts tsc=%tsc %% %{+Q}o Q=%b,%ID,%si,%Tt,%ts %{-Q}o %{+X}o X=%ci,%cp,%fi,%fp,%si,%sp,%Ts,%rt,%pid,%B,%b %{-X}o %{+E}b"`,
		"default_backend back"),
		section("backend back", "server origin "+origin.Addr)))
	client := harness.DialTCP(t, addr)
	exchange(t, client)
	client.Close()
	n, p := `\d+`, port(origin.Addr)
	date := `\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d`
	number, _ := strconv.Atoi(p)
	want := `v B=5 H=\S+ ID=- ST=0 T=` + date + ` \+0000 Tc=N Td=N Tl=` + date + ` [+-]\d{4} Th=N Ts=N Tt=N Tu=N Tw=N U=5 ac=1 b=back bc=0 bi=127.0.0.1 bp=N bq=0 ci=127.0.0.1 cp=N f=front fc=1 fi=127.0.0.1 fp=` + port(addr) +
		` ft=front lc=0 hr= hrl= hs= hsl= ms=\d{3} pid=N rc=0 rt=N s=origin sc=0 si=127.0.0.1 sp=` + p + ` sq=0 sslc=- sslv=- t=` + date + `\.\d{3} ts=-- tsc=---- % Q="back","","127.0.0.1",N,-- X=7F000001,[0-9A-F]{4},7F000001,[0-9A-F]{4},7F000001,` +
		fmt.Sprintf("%04X", number) + `,[0-9A-F]{8},[0-9A-F]{4},[0-9A-F]{4,},5,back back`
	want = strings.ReplaceAll(strings.ReplaceAll(want, "N", n), "127.0.0.1", `127\.0\.0\.1`)
	if got := logs.WaitText(t, "v B="); !regexp.MustCompile("^" + want + "$").MatchString(got) {
		t.Errorf("logged\n%s, want\n%s", got, want)
	}
}

// Samples and converters that HAProxy 2.6 has too.
func TestLogSamples(t *testing.T) {
	t.Parallel()
	logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
	harness.Start(t, "global\n  setenv WHERE here\n"+raw(logs, "", section("frontend front", "bind "+addr+" name door",
		`log-format "v %[src]:%[dst]:%[dst_port] %[fc_src]:%[fc_dst] %[bc_src]:%[bc_dst]:%[bc_dst_port] %[fc_rcvd_proxy] %[fc_pp_authority] %[fe_name] %[fe_defbe] %[be_name] %[srv_name] %[srv_id] %[so_name] %[so_id] %[prio_class]`+
			` %[env(WHERE)] %[env(NOWHERE)] %{+Q}[env(NOWHERE)] %[str('a,b'),upper] %[int(5),add(3),mul(2)] %[int(42),hex] %[src,hex] %[src,ipmask(8)] %[always_true] %[int(1700000000),utime('%Y-%m-%d %H')] %[int(1700000000),http_date]`+
			` %[str(a/b/c),field(2,/)] %[str(a/b/c),field(-2,/,0)] %[int(1),bool,not] %[always_false,iif(yes,no)] %[str(abc),bytes(1,1)] %[str(abc),length] %[str(abc),base64] %[str(2A),hex2i] %[str(foo),concat(a,,b)] %[str(xxa),ltrim(x)] %[rand(1)] %{+Q}[src] %{+E}[str('a]b')] %[ipv6(2001:db8::1),ipmask(8,32)] uuid=%[uuid] %[date(0,ms)]/%[date]"`,
		"default_backend back"),
		section("backend back", "server origin "+origin.Addr)))
	client := harness.DialTCP(t, addr)
	exchange(t, client)
	client.Close()
	want := fmt.Sprintf(`v 127.0.0.1:127.0.0.1:%s 127.0.0.1:127.0.0.1 127.0.0.1:127.0.0.1:%s 0 - front back back origin 1 door 1 0 `+
		`here - "" A,B 16 000000000000002A 7F000001 127.0.0.0 1 2023-11-14 22 Tue, 14 Nov 2023 22:13:20 GMT `+
		`b a/b 0 no b 3 YWJj 42 fooab a 0 "127.0.0.1" a\]b 2001:db8:: uuid=`, port(addr), port(origin.Addr))
	got := logs.WaitText(t, "v ")
	rest, found := strings.CutPrefix(got, want)
	if !found || !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12} \d{13}/\d{10}$`).MatchString(rest) {
		t.Errorf("logged\n%s, want\n%s", got, want)
	}
}

// What is normal, null or an error, at which level, for each of the options that ask.
func TestLogChoosing(t *testing.T) {
	t.Parallel()
	logs, origin, gone := harness.ReceiveUDP(t), harness.Serve(t, harness.Echo), harness.Refused(t)
	echo, refused, plain := harness.Loopback(t), harness.Loopback(t), harness.Loopback(t)
	harness.Start(t, config(logs, "retries 0",
		section("listen echo", "bind "+echo, "option dontlog-normal", "option log-separate-errors", "option dontlognull", "server s "+origin.Addr),
		section("listen refused", "bind "+refused, "option dontlog-normal", "option log-separate-errors", "server s "+gone),
		section("listen plain", "bind "+plain, "option log-separate-errors", "server s "+origin.Addr)))
	client := harness.DialTCP(t, echo) // normal
	exchange(t, client)
	client.Close()
	client = harness.DialTCP(t, echo) // neither normal nor null
	exchange(t, client)
	client.(interface{ SetLinger(int) error }).SetLinger(0)
	client.Close()
	if got := logs.WaitText(t, " echo echo/s "); !strings.HasPrefix(got, "<131>") || !strings.Contains(got, " CD ") {
		t.Errorf("logged %q, want level err (<131>) and CD", got)
	}
	harness.AwaitEnd(t, harness.DialTCP(t, refused))
	if got := logs.WaitText(t, " refused refused/s "); !strings.HasPrefix(got, "<131>") || !strings.Contains(got, " SC ") {
		t.Errorf("logged %q, want level err (<131>) and SC", got)
	}
	client = harness.DialTCP(t, plain)
	exchange(t, client)
	client.Close()
	if got := logs.WaitText(t, " plain plain/s "); !strings.HasPrefix(got, "<134>") {
		t.Errorf("logged %q, want level info (<134>)", got)
	}
	if n := logs.Count(" echo echo/s "); n != 1 {
		t.Errorf("%d lines of a proxy that logs no normal flows:\n%s", n, logs.Text())
	}
}

// "log global" and "no log", the tag of a proxy, a level, and a sample.
func TestLogInheritance(t *testing.T) {
	t.Parallel()
	global, own, notice := harness.ReceiveUDP(t), harness.ReceiveUDP(t), harness.ReceiveUDP(t)
	origin := harness.Serve(t, harness.Echo)
	a, b, c := harness.Loopback(t), harness.Loopback(t), harness.Loopback(t)
	b1 := harness.Start(t, strings.Replace(config(global, "",
		section("listen a", "bind "+a, "log-tag shop", "server s "+origin.Addr),
		section("listen b", "bind "+b, "no log", "log "+own.Addr+" sample 1:10 local1", "server s "+origin.Addr),
		section("listen c", "bind "+c, "no log", "server s "+origin.Addr)),
		"  log "+global.Addr, "  log "+notice.Addr+" len 65535 local0 notice\n  log "+global.Addr, 1))
	for range 20 {
		client := harness.DialTCP(t, b)
		exchange(t, client)
		client.Close()
	}
	for _, addr := range []string{c, a} {
		client := harness.DialTCP(t, addr)
		exchange(t, client)
		client.Close()
	}
	if got := global.WaitText(t, " a a/s "); !strings.Contains(got, " shop[") {
		t.Errorf("logged %q, want the tag shop", got)
	}
	harness.Eventually(t, "two of twenty lines", func() bool { return own.Count(" b b/s ") == 2 })
	harness.Eventually(t, "the flows end", func() bool { return b1.Streams() == 0 })
	if text := global.Text(); strings.Contains(text, " b b/s ") || strings.Contains(text, " c c/s ") {
		t.Errorf("logged without a target:\n%s", text)
	}
	if n := notice.Count("/s "); n != 0 {
		t.Errorf("flows at level notice:\n%s", notice.Text())
	}
}

// SIGHUP tells the state of servers in the proxies' logs, and on standard error.
func TestLogOfSIGHUP(t *testing.T) {
	t.Parallel()
	logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
	b := harness.Start(t, config(logs, "", section("listen front", "bind "+addr, "server one "+origin.Addr+" check inter 100ms", "server two "+harness.Refused(t)+" check inter 100ms fall 1")))
	logs.WaitText(t, "Server front/two is DOWN")
	b.Signal(syscall.SIGHUP)
	for _, want := range []string{"SIGHUP received, dumping servers states for proxy front.", "SIGHUP: Server front/one is UP. Conn: 0 act, 0 pend, 0 tot.",
		"SIGHUP: Server front/two is DOWN. Conn: 0 act, 0 pend, 0 tot.", "SIGHUP: Proxy front has 1 active servers and 0 backup servers available. Conn: "} {
		if got := logs.WaitText(t, want); !strings.HasPrefix(got, "<133>") {
			t.Errorf("logged %q, want level notice (<133>)", got)
		}
		if !strings.Contains(want, "for proxy") {
			b.Stderr.WaitText(t, want)
		}
	}
}

// JSON: flows, errors and messages, each one object of which every reader can be sure.
func TestLogJSON(t *testing.T) {
	t.Parallel()
	harness.SluiceOnly(t, harness.JSONLines)
	logs, origin := harness.ReceiveUDP(t), harness.Serve(t, harness.Echo)
	full, own, proxied, refused := harness.Loopback(t), harness.Loopback(t), harness.Loopback(t), harness.Loopback(t)
	harness.Start(t, raw(logs, "log-format-json\nretries 0",
		section("frontend full", "bind "+full+" name door", "default_backend back"),
		section("frontend own", "bind "+own, `log-format-json type server ms=%Tt peer="%ci:%cp" port=%fp who=%[fc_pp_authority] even=%[int(2),even]`, "default_backend back"),
		section("frontend proxied", "bind "+proxied+" accept-proxy", "default_backend back"),
		section("listen refused", "bind "+refused, "server s "+harness.Refused(t)+" check inter 100ms fall 1"),
		section("backend back", "server origin "+origin.Addr)))
	next := func(text string) map[string]any {
		t.Helper()
		line := logs.WaitText(t, text)
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		return object
	}
	expect := func(object map[string]any, want map[string]any) {
		t.Helper()
		for name, value := range want {
			if got, there := object[name]; !there || got != value {
				t.Errorf("%s is %v (%T), want %v, in %v", name, got, got, value, object)
			}
		}
	}
	down := next(`Server refused/s is DOWN`)
	expect(down, map[string]any{"type": "message", "level": "alert", "proxy": "refused"})

	client := harness.DialTCP(t, full)
	exchange(t, client)
	_, clientPort, _ := net.SplitHostPort(client.LocalAddr().String())
	client.Close()
	n, _ := strconv.ParseFloat(clientPort, 64)
	flow := next(`"frontend":"full"`)
	expect(flow, map[string]any{"type": "flow", "bind": "door", "client_ip": "127.0.0.1", "client_port": n, "backend": "back", "server": "origin", "bytes_in": 5.0, "bytes_out": 5.0,
		"termination": "--", "queue_ms": 0.0, "retries": 0.0, "redispatched": false, "final": true, "process_connections": 1.0})

	client = harness.DialTCP(t, own)
	exchange(t, client)
	client.Close()
	chosen := next(`"peer":"127.0.0.1:`)
	fp, _ := strconv.ParseFloat(port(own), 64)
	expect(chosen, map[string]any{"type": "flow", "server": "origin", "port": fp, "who": nil, "even": true})
	if _, number := chosen["ms"].(float64); !number || len(chosen) != 7 {
		t.Errorf("%v", chosen)
	}

	client = harness.DialTCP(t, proxied)
	io.WriteString(client, "no header\r\n")
	harness.AwaitEnd(t, client)
	expect(next(`"type":"error"`), map[string]any{"frontend": "proxied", "error": "Received something which does not look like a PROXY protocol header"})

	harness.AwaitEnd(t, harness.DialTCP(t, refused))
	expect(next(`"frontend":"refused"`), map[string]any{"server": nil, "server_ip": nil, "connect_ms": nil, "termination": "SC", "bytes_out": 0.0})
}
