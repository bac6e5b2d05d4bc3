package lb

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Servers with "resolvers" are renamed, added and removed while the process runs; each has the address of its name now.
func TestNamesAtRunTime(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{"one.test.": "127.0.0.1", "two.test.": "127.0.0.2", "three.test.": "127.0.0.3", "four.test.": "127.0.0.4"}
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		answer := new(dns.Msg)
		answer.SetReply(m)
		if address := known[m.Question[0].Name]; address != "" && m.Question[0].Qtype == dns.TypeA {
			rr, _ := dns.NewRR(m.Question[0].Name + " A " + address)
			answer.Answer = append(answer.Answer, rr)
		}
		w.WriteMsg(answer)
	})}
	go server.ActivateAndServe()
	defer server.Shutdown()
	socket := filepath.Join(t.TempDir(), "s")
	b, _ := open(t, fmt.Sprintf(`
global
    nbthread 1
    stats socket %s level admin
resolvers dns
    nameserver one %v
    timeout resolve 50ms
defaults
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend front
    bind %s
    default_backend back
backend back
    default-server resolve-prefer ipv4
    server a one.test:80 resolvers dns init-addr none
    server b one.test:80 resolvers dns init-addr none
    server c 127.0.0.9:80
`, socket, conn.LocalAddr(), freeAddress(t)))
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	is := func(what string, want ...string) {
		t.Helper()
		got := ""
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			got = command(t, socket, "show servers state back")
			found := 0
			for _, w := range want {
				name, address, _ := strings.Cut(w, " ")
				for line := range strings.Lines(got) {
					if f := strings.Fields(line); len(f) > 17 && f[3] == name && f[4]+" "+f[17] == address {
						found++
					}
				}
			}
			if found == len(want) {
				return
			}
		}
		t.Fatalf("%s: want %q in\n%s", what, want, got)
	}
	say := func(line, want string) {
		t.Helper()
		if got := command(t, socket, line); got != want+"\n\n" && !(want == "" && got == "\n") {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	is("at first", "a 127.0.0.1 one.test", "c 127.0.0.9 -")
	say("set server back/c fqdn two.test", "set server <b>/<s> fqdn failed because no resolution is configured.")
	say("set server back/a fqdn two.test", "back/a changed its FQDN from one.test to two.test by 'stats socket command'")
	is("one has another name", "a 127.0.0.2 two.test", "b 127.0.0.1 one.test")
	say("set server back/b fqdn two.test", "back/b changed its FQDN from one.test to two.test by 'stats socket command'")
	say("set server back/b fqdn two.test", "no need to change the FDQN")
	say("set server back/b fqdn three.test", "back/b changed its FQDN from two.test to three.test by 'stats socket command'")
	is("and the other", "b 127.0.0.3 three.test")

	say("add server back/d one.test:81 resolvers dns enabled", "New server registered.")
	is("one is added", "d 127.0.0.1 one.test")
	if st := b.serverNamed("back/d").Status(); st.Text != "no check" {
		t.Errorf("it is %s", st)
	}
	say("set server back/d fqdn four.test", "back/d changed its FQDN from one.test to four.test by 'stats socket command'")
	is("it is renamed", "d 127.0.0.4 four.test")
	for _, name := range []string{"a", "d"} {
		say("disable server back/"+name, "")
		say("del server back/"+name, "Server deleted.")
	}
	if n := len(b.Names()); n != 1 {
		t.Errorf("%d names are asked for", n)
	}
	is("what is left", "b 127.0.0.3 three.test", "c 127.0.0.9 -")
}
