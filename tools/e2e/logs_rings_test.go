package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// logServer is a syslog server over TCP, with one of RFC 6587's framings.
func logServer(t *testing.T, octets bool) (*harness.Lines, net.Listener) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	lines := harness.NewLines()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for {
					line := ""
					if octets {
						var length string
						if length, err = r.ReadString(' '); err != nil {
							return
						}
						n, err := strconv.Atoi(strings.TrimSpace(length))
						if err != nil {
							lines.Add("bad length " + length)
							return
						}
						text := make([]byte, n)
						if _, err := io.ReadFull(r, text); err != nil {
							return
						}
						line = string(text)
					} else if line, err = r.ReadString('\n'); err != nil {
						return
					}
					lines.Add(strings.TrimSuffix(line, "\n"))
				}
			}()
		}
	}()
	return lines, listener
}

// Rings: their lines on the stats socket, and at TCP log servers in both framings.
func TestRings(t *testing.T) {
	t.Parallel()
	plain, plainServer := logServer(t, false)
	counted, countedServer := logServer(t, true)
	addr, origin := harness.Loopback(t), harness.Serve(t, harness.Echo)
	text, socket := withSocket(t, "global\n  log ring@one local0\n  log ring@two local1 info\n"+
		section("ring one", `description "the first"`, "format rfc5424", "maxlen 1200", "size 32764", "timeout connect 5s", "timeout server 10s", "server a "+plainServer.Addr().String())+
		section("ring two", "format short", "timeout connect 5s", "timeout server 10s", "server b "+countedServer.Addr().String()+" log-proto octet-count")+
		section("ring three", "size 65536")+
		"defaults\n  mode tcp\n  log global\n  option tcplog\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"+
		section("listen front", "bind "+addr, "server origin "+origin.Addr))
	b := harness.Start(t, text)
	client := harness.DialTCP(t, addr)
	exchange(t, client)
	client.Close()
	match(t, plain.WaitFor(t, "a flow", isFlow), `<134>1 `+isoDate+` - TAG \d+ - - LINE`)
	match(t, counted.WaitFor(t, "a flow", isFlow), `<6>LINE`)
	b.Rebase() // with the connections to the log servers

	answer := operate(t, "unix", socket, "show events one")
	match(t, strings.TrimRight(answer, "\n"), `(?s)(.*\n)?<134>1 `+isoDate+` - TAG \d+ - - LINE`)
	for _, want := range []string{"    one        : type=buffer, 0 dropped, the first\n", "    two        : type=buffer, 0 dropped, two\n", "    three      : type=buffer, 0 dropped, three\n"} {
		if answer := operate(t, "unix", socket, "show events"); !strings.Contains(answer, want) {
			t.Errorf("show events:\n%s, want\n%s", answer, want)
		}
	}
	for command, want := range map[string]string{"show events three": "", "show events one -n": "", "show events none": "No such event sink", "show events one -x": "unknown option"} {
		if answer := operate(t, "unix", socket, command); strings.TrimRight(answer, "\n") != want {
			t.Errorf("%s: %q, want %q", command, answer, want)
		}
	}

	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(conn, "show events two -wn\n")
	r := bufio.NewReader(conn)
	line := make(chan string, 1)
	go func() {
		text, _ := r.ReadString('\n')
		line <- strings.TrimSpace(text)
	}()
	for shown := false; !shown; { // until the command has begun
		client := harness.DialTCP(t, addr)
		exchange(t, client)
		client.Close()
		select {
		case text := <-line:
			match(t, text, `<6>LINE`)
			shown = true
		case <-time.After(200 * time.Millisecond):
		}
	}
	fmt.Fprint(conn, "\n") // ends it
	if harness.Differs(harness.WatchLingers) {
		b.Rebase()
		return
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Error(err)
	}
}

// A log server that comes later, or again, gets what the ring still holds.
func TestRingServerThatReturns(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	addr, origin := harness.Loopback(t), harness.Serve(t, harness.Echo)
	harness.Start(t, "global\n  log ring@one local0\n"+section("ring one", "format raw", "timeout connect 5s", "timeout server 10s", "server a "+address)+
		"defaults\n  mode tcp\n  log global\n  option tcplog\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"+
		section("listen front", "bind "+addr, "server origin "+origin.Addr))
	for range 3 {
		client := harness.DialTCP(t, addr)
		exchange(t, client)
		client.Close()
	}
	for round := range 2 {
		if listener, err = net.Listen("tcp", address); err != nil {
			t.Fatal(err)
		}
		listener.(*net.TCPListener).SetDeadline(time.Now().Add(20 * time.Second))
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		r := bufio.NewReader(conn)
		flows := 3 - 2*round
		if round == 1 {
			client := harness.DialTCP(t, addr)
			exchange(t, client)
			client.Close()
		}
		for n := 0; n < flows; {
			text, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if isFlow(text) {
				n++
			}
		}
		listener.Close()
		conn.Close()
	}
}

// The file of a ring holds its lines when the process was killed.
func TestBackingFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(harness.ShortDir(t), "ring")
	addr, origin := harness.Loopback(t), harness.Serve(t, harness.Echo)
	text, socket := withSocket(t, "global\n  log ring@one local0\n"+section("ring one", "size 32768", "maxlen 1200", "backing-file "+path)+
		"defaults\n  mode tcp\n  log global\n  option tcplog\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"+
		section("listen front", "bind "+addr, "server origin "+origin.Addr))
	harness.Start(t, text)
	client := harness.DialTCP(t, addr)
	exchange(t, client)
	client.Close()
	harness.Eventually(t, "the line is in the ring", func() bool { return isFlow(operate(t, "unix", socket, "show events one")) })
	file, err := os.ReadFile(path) // as it would be left
	if err != nil || len(file) != 32768 || !strings.Contains(string(file), "front/origin") {
		t.Errorf("%d bytes, %v", len(file), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	_, stderr, code := harness.RunSubject(t, "-c", "-f", configFile(t, text))
	if code != 0 {
		t.Errorf("-c: %d, %s", code, stderr)
	}
	if _, err := os.Stat(path + ".bak"); !harness.Differs(harness.ChecksTouchRings) && err == nil {
		t.Error("-c moved the file of a process that runs")
	}
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cfg")
	harness.WriteFile(t, path, text)
	return path
}
