package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// The tests of names ask a real name server, and have servers on several addresses of the loopback network, on one port.

// hosts serves a word on each of the addresses 127.0.x.y and echoes on the port after it. It returns the first port.
func hosts(t *testing.T, names map[string]string) int {
	t.Helper()
	port := harness.Ports(t, 2)
	for ip, name := range names {
		harness.ServeOn(t, "tcp", fmt.Sprintf("%s:%d", ip, port), harness.Name(name))
		harness.ServeOn(t, "tcp", fmt.Sprintf("%s:%d", ip, port+1), harness.Echo)
	}
	return port
}

// resolvers is a section that asks every 100 ms and gives up after 200 ms.
func resolvers(u *harness.Unbound, lines ...string) string {
	return section("resolvers R", append([]string{"nameserver ns1 " + u.Addr, "timeout resolve 100ms", "timeout retry 100ms", "resolve_retries 2"}, lines...)...)
}

// become waits until the flows through addr end up as wanted, and stay so.
func become(t *testing.T, addr string, want map[string]int) {
	t.Helper()
	var got map[string]int
	ok := harness.WaitUntil(harness.Patience, func() bool {
		got = map[string]int{}
		for range 4 {
			word, _ := harness.Ask(addr)
			got[word]++
		}
		return fmt.Sprint(got) == fmt.Sprint(want)
	})
	if !ok {
		t.Fatalf("flows go to %v, want %v", got, want)
	}
}

// held opens a flow that goes on after the test's changes.
func held(t *testing.T, addr string) harness.Stream {
	t.Helper()
	client := harness.DialTCP(t, addr)
	exchange(t, client)
	return client
}

const named = "resolvers R init-addr none resolve-prefer ipv4"

// A server follows its name to another address. Flows that are there stay where they are.
func TestNameMoves(t *testing.T) {
	t.Parallel()
	u, logs := harness.StartUnbound(t), harness.ReceiveUDP(t)
	port := hosts(t, map[string]string{"127.0.1.1": "one", "127.0.1.2": "two"})
	words, echo := harness.Loopback(t), harness.Loopback(t)
	u.Set("app A 127.0.1.1")
	harness.Start(t, config(logs, "", resolvers(u),
		section("listen words", "bind "+words, fmt.Sprintf("server s1 app.%s:%d %s", harness.Zone, port, named)),
		section("listen echo", "bind "+echo, fmt.Sprintf("server s1 app.%s:%d %s", harness.Zone, port+1, named))))
	logs.WaitText(t, "words/s1 changed its IP from (none) to 127.0.1.1 by R/ns1.")
	logs.WaitText(t, "echo/s1 changed its IP from (none) to 127.0.1.1 by DNS cache.")
	logs.WaitText(t, "Server words/s1 ('app."+harness.Zone+"') is UP/READY (resolves again).")
	logs.WaitText(t, "Server words/s1 administratively READY thanks to valid DNS answer.")
	become(t, words, map[string]int{"one": 4})
	client := held(t, echo)

	u.Set("app A 127.0.1.2")
	logs.WaitText(t, "words/s1 changed its IP from 127.0.1.1 to 127.0.1.2 by R/ns1.")
	become(t, words, map[string]int{"two": 4})
	exchange(t, client)
	client.Close()
	if n := logs.Count("going DOWN"); n > 0 {
		t.Errorf("%d servers went down", n)
	}
}

// Servers that share a name have different addresses. An answer that shrinks takes one out of service, and cuts nothing.
func TestNameShrinks(t *testing.T) {
	t.Parallel()
	u, logs := harness.StartUnbound(t), harness.ReceiveUDP(t)
	port := hosts(t, map[string]string{"127.0.1.1": "one", "127.0.1.2": "two"})
	words, echo := harness.Loopback(t), harness.Loopback(t)
	u.Set("app A 127.0.1.1", "app A 127.0.1.2")
	harness.Start(t, config(logs, "", resolvers(u),
		section("listen words", "bind "+words, fmt.Sprintf("server-template s 1-3 app.%s:%d %s", harness.Zone, port, named)),
		section("listen echo", "bind "+echo, fmt.Sprintf("server-template s 1-2 app.%s:%d %s", harness.Zone, port+1, named))))
	become(t, words, map[string]int{"one": 2, "two": 2})
	logs.WaitText(t, "Server echo/s2 administratively READY thanks to valid DNS answer.")
	flows := []harness.Stream{held(t, echo), held(t, echo)} // one on each server

	u.Set("app A 127.0.1.2")
	line := logs.WaitText(t, "is going DOWN for maintenance (No IP for server ). 1 active and 0 backup servers left.")
	if !strings.HasPrefix(line, "<129>") { // local0.alert
		t.Errorf("%s: not an alert", line)
	}
	become(t, words, map[string]int{"two": 4})
	for _, client := range flows {
		exchange(t, client)
	}

	u.Set("app A 127.0.1.1", "app A 127.0.1.2") // flaps back
	become(t, words, map[string]int{"one": 2, "two": 2})
	for _, client := range flows {
		exchange(t, client)
		client.Close()
	}
}

// A failure is held back for as long as "hold" says, and has its own words. The next valid answer ends it.
func TestNameFails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, reason, hold string
		fail               func(*harness.Unbound)
	}{
		{"SERVFAIL", "unspecified DNS error", "hold other 1s", (*harness.Unbound).Fail},
		{"REFUSED", "DNS refused status", "hold refused 1s", (*harness.Unbound).Refuse},
		{"NXDOMAIN", "DNS NX status", "hold nx 1s", func(u *harness.Unbound) { u.Set("else A 127.0.1.9") }},
		{"no answer", "DNS timeout status", "hold timeout 1s", (*harness.Unbound).Freeze},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			u, logs := harness.StartUnbound(t), harness.ReceiveUDP(t)
			port := hosts(t, map[string]string{"127.0.1.1": "one"})
			words := harness.Loopback(t)
			u.Set("app A 127.0.1.1")
			harness.Start(t, config(logs, "", resolvers(u, test.hold),
				section("listen words", "bind "+words, fmt.Sprintf("server s1 app.%s:%d %s", harness.Zone, port, named))))
			become(t, words, map[string]int{"one": 4})
			began := time.Now()
			test.fail(u)
			time.Sleep(500 * time.Millisecond) // several failures, all within the hold
			if word, _ := harness.Ask(words); word != "one" {
				t.Errorf("while the failure is held back, a flow got %q", word)
			}
			logs.WaitText(t, "Server words/s1 is going DOWN for maintenance ("+test.reason+"). 0 active and 0 backup servers left.")
			// The last valid answer was up to 100 ms before the failure began, or a little more on a busy machine.
			if took := time.Since(began); took < 700*time.Millisecond || took > 2*time.Second {
				t.Errorf("down after %v, want 1s", took)
			}
			logs.WaitText(t, "proxy words has no server available!")
			if word, _ := harness.Ask(words); word != "" {
				t.Errorf("a flow got %q without a server", word)
			}
			u.Thaw()
			u.Set("app A 127.0.1.1")
			become(t, words, map[string]int{"one": 4})
		})
	}
}

// many is 60 addresses: more than 512 bytes, less than 4096.
func many() []string {
	records := []string{"app A 127.0.1.1"}
	for i := range 59 {
		records = append(records, fmt.Sprintf("app A 127.0.2.%d", i+1))
	}
	return records
}

// How an answer that is larger than 512 bytes comes: at once if that much is accepted; over TCP if the name server is one
// that is asked so; and otherwise over TCP once it turned out to be cut short.
func TestLargeAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, prefix, size string
		tcp                bool
		difference         harness.Difference
	}{
		{"accepted", "", "accepted_payload_size 4096", false, ""},
		{"over TCP", "tcp@", "accepted_payload_size 8192", true, ""},
		{"cut short", "", "accepted_payload_size 512", true, harness.TruncatedAnswer},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.difference != "" {
				harness.SluiceOnly(t, test.difference)
			}
			u, logs := harness.StartUnbound(t, "max-udp-size: 4096"), harness.ReceiveUDP(t)
			port := hosts(t, map[string]string{"127.0.1.1": "one"})
			words := harness.Loopback(t)
			u.Set(many()...)
			harness.Start(t, config(logs, "",
				section("resolvers R", "nameserver ns1 "+test.prefix+u.Addr, "timeout resolve 100ms", "timeout retry 500ms", test.size),
				section("listen words", "bind "+words, fmt.Sprintf("server s1 app.%s:%d %s resolve-net 127.0.1.0/24", harness.Zone, port, named))),
				harness.Options{Leaky: "the connection to the name server is kept"})
			become(t, words, map[string]int{"one": 4})
			if n := u.Count("num.query.tcp"); n > 0 != test.tcp {
				t.Errorf("%d questions over TCP", n)
			}
		})
	}
}

// The first good answer of several name servers counts: one is silent, and one fails.
func TestSeveralNameServers(t *testing.T) {
	t.Parallel()
	silent, failing, good := harness.StartUnbound(t), harness.StartUnbound(t), harness.StartUnbound(t)
	logs := harness.ReceiveUDP(t)
	port := hosts(t, map[string]string{"127.0.1.1": "one", "127.0.1.2": "two"})
	words := harness.Loopback(t)
	silent.Freeze()
	failing.Fail()
	good.Set("app A 127.0.1.1")
	harness.Start(t, config(logs, "",
		section("resolvers R", "nameserver ns1 "+silent.Addr, "nameserver ns2 "+failing.Addr, "nameserver ns3 "+good.Addr, "timeout resolve 100ms"),
		section("listen words", "bind "+words, fmt.Sprintf("server s1 app.%s:%d %s", harness.Zone, port, named))))
	logs.WaitText(t, "words/s1 changed its IP from (none) to 127.0.1.1 by R/ns3.")
	good.Set("app A 127.0.1.2")
	logs.WaitText(t, "words/s1 changed its IP from 127.0.1.1 to 127.0.1.2 by R/ns3.")
	become(t, words, map[string]int{"two": 4})
}

// A service fills a template: addresses, ports and weights; what leaves it is drained, and makes room.
func TestService(t *testing.T) {
	t.Parallel()
	u, logs := harness.StartUnbound(t), harness.ReceiveUDP(t)
	port := hosts(t, map[string]string{"127.0.1.1": "one", "127.0.1.2": "two", "127.0.1.3": "three"})
	words, echo := harness.Loopback(t), harness.Loopback(t)
	target := func(weight, port int, host string) string {
		return fmt.Sprintf("SRV 0 %d %d %s.%s.", weight, port, host, harness.Zone)
	}
	addresses := []string{"one A 127.0.1.1", "two A 127.0.1.2", "three A 127.0.1.3"}
	u.Set(append(addresses, "_word._tcp "+target(20000, port, "one"), "_word._tcp "+target(10000, port, "two"),
		"_echo._tcp "+target(1, port+1, "one"))...)
	harness.Start(t, config(logs, "", resolvers(u),
		section("listen words", "bind "+words, "server-template w 1-2 _word._tcp."+harness.Zone+" "+named),
		section("listen echo", "bind "+echo, "server-template e 1-2 _echo._tcp."+harness.Zone+" "+named)))
	logs.WaitText(t, "words/w1 changed its FQDN from (null) to ")
	become(t, words, map[string]int{"one": 3, "two": 1}) // of four in a row; 79 to 40 in the long run
	near(t, tally(t, words, 36), map[string]int{"one": 24, "two": 12}, 2)
	logs.WaitText(t, "Server echo/e1 administratively READY thanks to valid DNS answer.")
	client := held(t, echo)

	u.Set(append(addresses, "_word._tcp "+target(1, port, "three"), "_word._tcp "+target(1, port, "one"),
		"_echo._tcp "+target(1, port+1, "two"))...)
	logs.WaitText(t, " is going DOWN for maintenance (entry removed from SRV record)")
	become(t, words, map[string]int{"one": 2, "three": 2})
	logs.WaitText(t, "echo/e2 changed its FQDN from (null) to two."+harness.Zone+" by 'SRV record'")
	logs.WaitText(t, "Server echo/e1 is going DOWN for maintenance (entry removed from SRV record)")
	exchange(t, client) // on a server that is no longer there by its name
	client.Close()
}
