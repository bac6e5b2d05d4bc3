package demo

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/examples"
	"github.com/sluice-lb/sluice/lb"
)

// freeAddresses finds addresses on the loopback interface where nobody listens.
func freeAddresses(t *testing.T, count int) []string {
	t.Helper()
	var list []string
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		list = append(list, listener.Addr().String())
	}
	return list
}

// moved is the demo's configuration on other addresses.
func moved(web, echo string) string {
	return strings.NewReplacer("127.0.0.1:8080", web, "127.0.0.1:8081", echo, "abns@sluice-demo", fmt.Sprintf("abns@sluice-demo-%d", os.Getpid())).Replace(string(examples.Demo))
}

// dial tries until the demo listens.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.SetDeadline(deadline)
			return connection
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// get makes a request over a connection of its own and gives the answer's body.
func get(t *testing.T, url string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// The demo from its first line to its last: the origins take turns, one that rests is passed over, the echo comes back
// after a half-close, bytes are counted.
func TestDemo(t *testing.T) {
	free := freeAddresses(t, 2)
	stop := make(chan os.Signal, 1)
	var out bytes.Buffer
	ended := make(chan error, 1)
	go func() { ended <- run(moved(free[0], free[1]), &out, stop) }()

	echo := dial(t, free[1])
	fmt.Fprint(echo, "hello")
	echo.(*net.TCPConn).CloseWrite()
	if back, err := io.ReadAll(echo); string(back) != "hello" || err != nil {
		t.Errorf("echo: %q, %v", back, err)
	}
	echo.Close()

	web := "http://" + free[0]
	answers := make(map[string]int)
	for range 6 {
		answers[get(t, web+"/x")]++
	}
	for _, name := range []string{"a", "b", "c"} {
		if answers["origin "+name+" answers GET /x\n"] != 2 {
			t.Errorf("answers: %v", answers)
		}
	}
	if n := len(get(t, web+"/bytes/3000000")); n != 3000000 {
		t.Errorf("%d bytes", n)
	}
	resting := strings.Fields(get(t, web+"/rest"))[1]
	for range 5 {
		if answer := get(t, web+"/"); strings.HasPrefix(answer, "origin "+resting+" ") {
			t.Errorf("%s answered and rests", resting)
		}
	}

	stop <- syscall.SIGINT
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"curl " + free[0], "nc " + strings.Replace(free[1], ":", " ", 1), "In all:", "origins/a", "3.0 MB from it", "echo/c"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q is not in what it printed:\n%s", part, out.String())
		}
	}
	if connection, err := net.Dial("tcp", free[0]); err == nil {
		connection.Close()
		t.Error("the port is still open")
	}
}

// A port in use is said so, for each, also when its owner shares it as another demo would.
func TestPortsTaken(t *testing.T) {
	var taken []string
	for range 2 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		taken = append(taken, listener.Addr().String())
	}
	err := run(moved(taken[0], taken[1]), io.Discard, nil)
	for _, address := range taken {
		if err == nil || !strings.Contains(err.Error(), address+" is taken by another program") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestArguments(t *testing.T) {
	var out, problems bytes.Buffer
	if code := Main([]string{"fast"}, &out, &problems); code != 1 || !strings.Contains(problems.String(), "usage: sluice demo") {
		t.Errorf("exit code %d, said %q", code, problems.String())
	}
}

// Only what has changed is printed, with the change and the rate since the line before.
func TestTable(t *testing.T) {
	at := func(seconds int) time.Time { return time.Date(2026, 1, 1, 12, 0, seconds, 0, time.UTC) }
	state := func(a, b lb.ServerSnapshot) lb.Snapshot {
		a.Name, b.Name = "a", "b"
		return lb.Snapshot{Proxies: []lb.ProxySnapshot{{Name: "web", Servers: []lb.ServerSnapshot{a, b}}}}
	}
	var out bytes.Buffer
	table := newTable(&out)
	table.show(at(0), state(lb.ServerSnapshot{}, lb.ServerSnapshot{}))
	table.show(at(1), state(lb.ServerSnapshot{}, lb.ServerSnapshot{}))
	if out.Len() != 0 {
		t.Errorf("printed %q about nothing", out.String())
	}
	table.show(at(3), state(lb.ServerSnapshot{State: "UP", Total: 5, Current: 2, BytesIn: 300, BytesOut: 5_000_000}, lb.ServerSnapshot{}))
	const want = heading + "12:00:03  web/a         UP           2       5     +5        150 B/s       2.5 MB/s\n"
	if out.String() != want {
		t.Errorf("printed\n%s, want\n%s", out.String(), want)
	}
}
