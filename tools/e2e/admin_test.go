package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// withSocket adds a stats socket to a configuration and gives its path.
func withSocket(t *testing.T, text string) (string, string) {
	t.Helper()
	path := filepath.Join(harness.ShortDir(t), "s")
	return strings.Replace(text, "global\n", "global\n  stats socket "+path+" mode 600 level admin\n  stats timeout 20s\n", 1), path
}

// operate sends commands to a stats socket, shuts that side down, and gives the answer.
func operate(t testing.TB, network, address, commands string) string {
	t.Helper()
	var conn net.Conn
	harness.Eventually(t, "a connection to "+address, func() (there bool) { // the last socket that a start opens
		var err error
		conn, err = net.Dial(network, address)
		return err == nil
	})
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(conn, commands+"\n")
	conn.(interface{ CloseWrite() error }).CloseWrite()
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%s: %v", commands, err)
	}
	return string(answer)
}

// The kinds of sockets, with their owners' rights and levels, as socat reaches them.
func TestStatsSockets(t *testing.T) {
	t.Parallel()
	dir, tcp := harness.ShortDir(t), harness.Loopback(t)
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	inherited, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := inherited.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	inherited.Close()
	t.Cleanup(func() { file.Close() })
	abstract := fmt.Sprintf("e2e-%d", os.Getpid())
	text := config(logs, "", section("listen front", "bind "+addr, "server a "+harness.Serve(t, harness.Echo).Addr))
	text = strings.Replace(text, "global\n", fmt.Sprintf(`global
  stats socket %s/a mode 640 level admin
  stats socket %s/o
  stats socket %s/u level user
  stats socket abns@%s level admin
  stats socket ipv4@%s level operator
  stats socket fd@3 level user
`, dir, dir, dir, abstract, tcp), 1)
	harness.Start(t, text, harness.Options{Files: []*os.File{file}})
	if info, err := os.Stat(dir + "/a"); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for target, level := range map[string]string{
		"UNIX-CONNECT:" + dir + "/a": "admin", "UNIX-CONNECT:" + dir + "/o": "operator", "UNIX-CONNECT:" + dir + "/u": "user",
		"ABSTRACT-CONNECT:" + abstract + ",unix-tightsocklen=0": "admin", "TCP:" + tcp: "operator", "TCP:" + inherited.Addr().String(): "user",
	} {
		out, errs, code := harness.Exec(t, []byte("show cli level; show version\n"), "socat", "-t5", "stdio", target)
		if code != 0 || !strings.HasPrefix(string(out), level+"\n\n") || !strings.HasSuffix(string(out), "\n\n") {
			t.Errorf("%s: %q, %s (%d)", target, out, errs, code)
		}
	}
	if list := operate(t, "unix", dir+"/a", "show cli sockets"); !strings.Contains(list, "unix@"+dir+"/o operator all\n") || !strings.Contains(list, "ipv4@"+tcp+" operator all\n") {
		t.Error(list)
	}
}

// What is set at run time counts for the next connection, on every loop.
func TestOperating(t *testing.T) {
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	a, b := harness.Serve(t, harness.Name("a")), harness.Serve(t, harness.Name("b"))
	text, socket := withSocket(t, config(logs, "", section("frontend front", "bind "+addr, "default_backend back"),
		section("backend back", "balance roundrobin", "server a "+a.Addr, "server b "+b.Addr)))
	harness.Start(t, text)
	do := func(command, want string) {
		t.Helper()
		if want != "" {
			want += "\n"
		}
		if got := operate(t, "unix", socket, command); got != want+"\n" {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
	near(t, tally(t, addr, 20), map[string]int{"a": 10, "b": 10}, 0)
	do("disable server back/a", "")
	near(t, tally(t, addr, 20), map[string]int{"b": 20}, 0)
	do("enable server back/a", "")
	do("set server back/b state drain", "")
	near(t, tally(t, addr, 20), map[string]int{"a": 20}, 0)
	do("set server back/b state ready", "")
	do("set server back/b weight 300%", "")
	near(t, tally(t, addr, 40), map[string]int{"a": 10, "b": 30}, 2)
	do("set weight back/b 0", "")
	do("get weight back/b", "0 (initial 1)")
	near(t, tally(t, addr, 20), map[string]int{"a": 20}, 0)
	host, port, _ := net.SplitHostPort(b.Addr)
	_, old, _ := net.SplitHostPort(a.Addr)
	do("set server back/a addr "+host+" port "+port, fmt.Sprintf("no need to change the addr, port changed from '%s' to '%s' by 'stats socket command'", old, port))
	near(t, tally(t, addr, 20), map[string]int{"b": 20}, 0)
	if state := operate(t, "unix", socket, "show servers state back"); !regexp.MustCompile(`(?m)^\d+ back \d+ a 127\.0\.0\.1 2 0 1 1 .* ` + port + ` - 0 `).MatchString(state) {
		t.Errorf("the state does not have the new port %s: %s", port, state)
	}
}

// A frontend that is disabled frees its port, and listens again when it is enabled; one that is shut down is gone.
func TestDisabledFrontend(t *testing.T) {
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	text, socket := withSocket(t, config(logs, "", section("listen front", "bind "+addr, "server a "+harness.Serve(t, harness.Echo).Addr)))
	b := harness.Start(t, text)
	stays := harness.DialTCP(t, addr)
	harness.Exchange(t, stays, "one")
	refused := func() {
		t.Helper()
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			t.Fatal("it takes connections")
		}
	}
	for range 3 {
		if got := operate(t, "unix", socket, "disable frontend front"); got != "\n" {
			t.Fatal(got)
		}
		refused()
		b.Stderr.WaitText(t, "Paused proxy front.")
		other, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatalf("the port is not free: %v", err)
		}
		other.Close()
		harness.Exchange(t, stays, "still here")
		if got := operate(t, "unix", socket, "enable frontend front"); got != "\n" {
			t.Fatal(got)
		}
		for range 8 { // whichever loop gets it
			c := harness.DialTCP(t, addr)
			harness.Exchange(t, c, "two")
			c.Close()
		}
	}
	operate(t, "unix", socket, "shutdown frontend front")
	b.Stderr.WaitText(t, "Resumed proxy front.")
	b.Stderr.WaitText(t, "Proxy front stopped (cumulated conns: FE: 25, BE: 25).")
	refused()
	harness.Exchange(t, stays, "and still")
	stays.Close()
}

// Sessions are listed, and can be ended one by one or by their server.
func TestSessions(t *testing.T) {
	harness.SluiceOnly(t, harness.OperatorsListings)
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	text, socket := withSocket(t, config(logs, "", section("listen front", "bind "+addr, "server a "+harness.Serve(t, harness.Echo).Addr)))
	harness.Start(t, text)
	var clients []harness.Stream
	for range 3 {
		c := harness.DialTCP(t, addr)
		harness.Exchange(t, c, "hello")
		clients = append(clients, c)
	}
	list := operate(t, "unix", socket, "show sess")
	first := clients[0].LocalAddr().String()
	match := regexp.MustCompile(`(?m)^(0x[0-9a-f]+): proto=tcpv4 src=` + regexp.QuoteMeta(first) + ` fe=front be=front srv=a .* in=5 out=5 `).FindStringSubmatch(list)
	if strings.Count(list, "\n") != 4 || match == nil {
		t.Fatalf("%s has no %s", list, first)
	}
	if details := operate(t, "unix", socket, "show sess "+match[1]); !strings.Contains(details, "frontend=front") || !strings.Contains(details, "addr="+addr) {
		t.Error(details)
	}
	if got := operate(t, "unix", socket, "shutdown session "+match[1]); got != "\n" {
		t.Error(got)
	}
	harness.AwaitEnd(t, clients[0])
	if flow := logs.Flow(t); flow.State != "K-" {
		t.Errorf("%+v", flow)
	}
	harness.Exchange(t, clients[1], "on it goes")
	if got := operate(t, "unix", socket, "shutdown session "+match[1]); got != "No such session (use 'show sess').\n\n" {
		t.Errorf("twice: %s", got)
	}
	operate(t, "unix", socket, "shutdown sessions server front/a")
	for _, c := range clients[1:] {
		harness.AwaitEnd(t, c)
		if flow := logs.Flow(t); flow.State != "K-" {
			t.Errorf("%+v", flow)
		}
	}
}

// Limits that are changed while flows wait for them.
func TestChangedLimits(t *testing.T) {
	harness.SluiceOnly(t, harness.OperatorsListings)
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	text, socket := withSocket(t, config(logs, "", section("listen front", "bind "+addr, "server a "+harness.Serve(t, harness.Echo).Addr+" maxconn 1")))
	harness.Start(t, text)
	one := harness.DialTCP(t, addr)
	harness.Exchange(t, one, "one") // it has the slot
	two := harness.DialTCP(t, addr)
	harness.Say(t, two, "two")
	harness.Eventually(t, "the second one waits", func() bool {
		return strings.Contains(operate(t, "unix", socket, "show queue"), "\nfront - 1 1 1 ")
	})
	operate(t, "unix", socket, "set maxconn server front/a 2")
	harness.Hear(t, two, "two")
	operate(t, "unix", socket, "set maxconn frontend front 2")
	three := harness.DialTCP(t, addr) // the kernel's backlog takes it
	harness.Say(t, three, "three")
	operate(t, "unix", socket, "set maxconn server front/a 3; set maxconn frontend front 3")
	harness.Hear(t, three, "three")
	operate(t, "unix", socket, "set maxconn global 3")
	four := harness.DialTCP(t, addr)
	harness.Say(t, four, "four")
	operate(t, "unix", socket, "set maxconn global 0; set maxconn frontend front 4; set maxconn server front/a 4")
	harness.Hear(t, four, "four")
	for _, c := range []harness.Stream{one, two, three, four} {
		c.Close()
	}
}

// Checks that are sent elsewhere at run time go there, and the new place is seen in the states.
func TestChangedChecks(t *testing.T) {
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	text, socket := withSocket(t, config(logs, "", section("listen front", "bind "+addr,
		"server a "+harness.Serve(t, harness.Echo).Addr+" check inter 50ms rise 1 fall 1")))
	harness.Start(t, text)
	status := func(want string) {
		t.Helper()
		harness.Eventually(t, "the server is "+want, func() bool {
			return strings.Contains(operate(t, "unix", socket, "show stat front 4 1"), ","+want+",")
		})
	}
	status("L4OK")
	_, gone, _ := net.SplitHostPort(harness.Refused(t))
	operate(t, "unix", socket, "set server front/a check-port "+gone)
	status("L4CON")
	if state := operate(t, "unix", socket, "show servers state"); !strings.Contains(state, " - 0 "+gone+" - - 0\n") {
		t.Error(state)
	}
	_, there, _ := net.SplitHostPort(harness.Serve(t, harness.Hold).Addr)
	operate(t, "unix", socket, "set server front/a check-addr 127.0.0.1 port "+there)
	status("L4OK")
	if state := operate(t, "unix", socket, "show servers state"); !strings.Contains(state, " - 0 "+there+" 127.0.0.1 - 0\n") {
		t.Error(state)
	}
}

// New connections per second, limited at run time.
func TestRateLimitAtRunTime(t *testing.T) {
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	text, socket := withSocket(t, config(logs, "", section("listen front", "bind "+addr, "server a "+harness.Serve(t, harness.Name("a")).Addr)))
	harness.Start(t, text)
	for _, what := range []string{"connections", "sessions"} {
		operate(t, "unix", socket, "set rate-limit "+what+" global 5")
		time.Sleep(2 * time.Second) // what came before counts no more
		start := time.Now()
		near(t, tally(t, addr, 11), map[string]int{"a": 11}, 0)
		if took := time.Since(start); took < 900*time.Millisecond {
			t.Errorf("11 connections at 5 %s per second took %v", what, took)
		}
		operate(t, "unix", socket, "set rate-limit "+what+" global 0")
		start = time.Now()
		near(t, tally(t, addr, 50), map[string]int{"a": 50}, 0)
		if took := time.Since(start); took > 900*time.Millisecond {
			t.Errorf("50 connections without a limit took %v", took)
		}
	}
}
