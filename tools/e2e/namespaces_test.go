package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// pooled is why sockets may be left over: some are kept ready for each namespace.
var pooled = harness.Options{Leaky: "sockets are kept ready for namespaces", Unready: true}

// tenant is a network namespace that the balancer has ports in, and a machine at the other end of its cable.
type tenant struct{ inside, machine string }

// newTenant makes both. Every tenant has the same addresses: 192.0.2.1 and 2001:db8::1 inside, .2 and ::2 at the machine.
func newTenant(t *testing.T, role string) tenant {
	x := tenant{harness.Namespace(t, role), harness.Namespace(t, role+"m")}
	x.connect(t)
	return x
}

func (x tenant) connect(t *testing.T) {
	harness.Cable(t, x.inside, "eth0", "192.0.2.1/24", x.machine, "eth0", "192.0.2.2/24")
	harness.Run(t, "ip", "-n", x.inside, "address", "add", "2001:db8::1/64", "dev", "eth0", "nodad")
	harness.Run(t, "ip", "-n", x.machine, "address", "add", "2001:db8::2/64", "dev", "eth0", "nodad")
}

// serve has the tenant's machine answer with a name at both addresses.
func (x tenant) serve(t *testing.T, name string) {
	for _, address := range []string{"192.0.2.2:9000", "[2001:db8::2]:9000"} {
		harness.ServeIn(t, x.machine, address, greeter(name))
	}
}

// greeter says a name, and then echoes.
func greeter(name string) func(harness.Stream) {
	return func(s harness.Stream) {
		io.WriteString(s, name)
		io.Copy(struct{ io.Writer }{s}, s)
	}
}

// Two tenants with the same addresses, IPv4 and IPv6, each with clients and servers of its own, and one port outside that leads to a
// tenant's server. Nobody gets anybody else's answer, and checks see each server as it is.
func TestTenantsWithTheSameAddresses(t *testing.T) {
	t.Parallel()
	blue, green := newTenant(t, "blue"), newTenant(t, "green")
	blue.serve(t, "blue ")
	green.serve(t, "green")
	logs, outside := harness.ReceiveUDP(t), harness.Loopback(t)
	lines := func(x tenant) []string {
		return []string{
			"bind 192.0.2.1:80 namespace " + x.inside, "bind [2001:db8::1]:80 namespace " + x.inside,
		}
	}
	server := func(name, address string, x tenant) string {
		return "server " + name + " " + address + ":9000 check inter 200ms namespace " + x.inside
	}
	own := ""
	if harness.Differs(harness.DefaultNamespace) {
		own = " namespace " + green.inside
	}
	harness.Start(t, config(logs, "",
		section("listen blue", append(lines(blue), server("s", "192.0.2.2", blue))...),
		section("listen green", append(lines(green), "default-server namespace "+green.inside, "server s [2001:db8::2]:9000 check inter 200ms"+own)...),
		section("listen outside", "bind "+outside, server("s", "192.0.2.2", green))), pooled)
	harness.Eventually(t, "the port outside is open", func() bool { return open(outside) })
	for _, address := range []string{"192.0.2.1:80", "[2001:db8::1]:80"} {
		for range 20 {
			for name, x := range map[string]tenant{"blue ": blue, "green": green} {
				s := harness.DialIn(t, x.machine, address)
				harness.Hear(t, s, name)
				harness.Exchange(t, s, "hello")
				s.Close()
			}
		}
	}
	s := harness.DialTCP(t, outside)
	harness.Hear(t, s, "green")
}

// v2Header is a PROXY header for a client of documentation addresses, with a namespace if that has a name.
func v2Header(namespace string) string {
	body := "\xc0\x00\x02\x07\xc6\x33\x64\x09" + "\x04\x57\x00\x50"
	if namespace != "" {
		body += "\x30" + string(binary.BigEndian.AppendUint16(nil, uint16(len(namespace)))) + namespace
	}
	return v2 + "\x21\x11" + string(binary.BigEndian.AppendUint16(nil, uint16(len(body)))) + body
}

// namespaceTold reads a PROXY header and gives the namespace that it names.
func namespaceTold(s harness.Stream) (string, error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(s, head); err != nil {
		return "", err
	}
	body := make([]byte, binary.BigEndian.Uint16(head[14:]))
	if _, err := io.ReadFull(s, body); err != nil {
		return "", err
	}
	if head[13] != 0x11 {
		return "", fmt.Errorf("family %#x", head[13])
	}
	for rest := body[12:]; len(rest) > 2; {
		n := 3 + int(binary.BigEndian.Uint16(rest[1:]))
		if rest[0] == 0x30 {
			return string(rest[3:n]), nil
		}
		rest = rest[n:]
	}
	return "", nil
}

// The namespace in the PROXY header, both ways: it decides where "namespace *" leads, and servers are told where the client is.
func TestNamespaceInProxyHeader(t *testing.T) {
	t.Parallel()
	blue, green := harness.Namespace(t, "blue"), harness.Namespace(t, "green")
	tell := func(where string) func(harness.Stream) {
		return func(s harness.Stream) {
			told, err := namespaceTold(s)
			if err != nil {
				told = err.Error()
			}
			fmt.Fprintf(s, "%s:%s", where, told)
		}
	}
	port := fmt.Sprintf("127.0.0.1:%d", harness.Port(t))
	harness.ServeOn(t, "tcp", port, tell("here"))
	harness.ServeIn(t, blue, port, tell("blue"))
	harness.ServeIn(t, green, port, tell("green"))
	logs, any, fixed, inBlue := harness.ReceiveUDP(t), harness.Loopback(t), harness.Loopback(t), "127.0.0.1:8080"
	harness.Start(t, config(logs, "retries 0", "namespace_list\n  namespace "+green,
		section("listen any", "bind "+any+" accept-proxy", "server s "+port+" namespace * send-proxy-v2"),
		section("listen fixed", "bind "+fixed+" accept-proxy", "server s "+port+" namespace "+blue+" send-proxy-v2"),
		section("listen inblue", "bind "+inBlue+" namespace "+blue, "server s "+port+" send-proxy-v2")), pooled)
	harness.Eventually(t, "it listens", func() bool { return open(any) })
	for _, c := range []struct{ to, namespace, want string }{
		{any, blue, "blue:" + blue},
		{any, green, "green:" + green},
		{any, "", "here:"},
		{fixed, green, "blue:" + green},
		{fixed, "", "blue:"},
		{fixed, "unknown", "blue:"},
	} {
		s := harness.DialTCP(t, c.to)
		harness.Say(t, s, v2Header(c.namespace))
		if got, err := io.ReadAll(s); string(got) != c.want {
			t.Errorf("a client of '%s': '%s' (%v), want '%s'", c.namespace, got, err, c.want)
		}
	}
	s := harness.DialIn(t, blue, inBlue)
	if got, err := io.ReadAll(s); string(got) != "here:"+blue {
		t.Errorf("a client in blue: '%s' (%v)", got, err)
	}
	if harness.Differs(harness.UnlistedNamespace) {
		return
	}
	s = harness.DialTCP(t, any)
	harness.Say(t, s, v2Header("unknown"))
	if got, err := io.ReadAll(s); len(got) > 0 {
		t.Errorf("a client of an unknown namespace: '%s' (%v)", got, err)
	}
	logs.WaitFor(t, "a flow that found no server", func(line string) bool { return strings.Contains(line, "any/s") && strings.Contains(line, " SC ") })
}

// spaces gives the line of "show namespaces" for a name.
func spaces(t *testing.T, socket, name string) []string {
	t.Helper()
	for line := range strings.Lines(operate(t, "unix", socket, "show namespaces")) {
		if f := strings.Fields(line); len(f) > 0 && f[0] == name {
			return f
		}
	}
	t.Fatalf("show namespaces does not have %s", name)
	return nil
}

// green comes late, is deleted and made again five times, while blue works without a single failure. Each green has its own
// answers; a flow that was established in a green goes on although that is deleted.
func TestNamespaceComesAndGoes(t *testing.T) {
	t.Parallel()
	harness.SluiceOnly(t, harness.LateNamespaces)
	blue := newTenant(t, "blue")
	blue.serve(t, "blue ")
	green := tenant{harness.NameNamespace(t, "green"), ""}
	logs, toGreen, checked := harness.ReceiveUDP(t), harness.Loopback(t), harness.Loopback(t)
	text, socket := withSocket(t, config(logs, "",
		section("listen blue", "bind 192.0.2.1:80 namespace "+blue.inside, "server s 192.0.2.2:9000 namespace "+blue.inside),
		section("listen green", "bind 192.0.2.1:80 namespace "+green.inside+" late", "bind "+toGreen, "server s 192.0.2.2:9000 namespace "+green.inside+" late"),
		section("listen checked", "bind "+checked, "server s 192.0.2.2:9000 check inter 100ms fall 1 namespace "+green.inside+" late")))
	b := harness.Start(t, text, pooled)
	harness.Eventually(t, "blue listens", func() bool { return listens(harness.TryIn(blue.machine, "192.0.2.1:80")) })
	row := func(px string) string {
		return strings.Join(strings.Split(operate(t, "unix", socket, "show stat "+px+" 4 -1"), "\n"), " ")
	}
	down := func() bool {
		return strings.Contains(row("green"), ",DOWN,") && strings.Contains(row("checked"), ",DOWN,") && strings.Contains(row("green"), "SOCKERR")
	}
	if !down() {
		t.Errorf("before green is there: %s %s", row("green"), row("checked"))
	}
	var quit atomic.Bool
	var busy sync.WaitGroup
	var done atomic.Int64
	for range 4 {
		busy.Go(func() {
			for !quit.Load() {
				conn, err := harness.TryIn(blue.machine, "192.0.2.1:80")
				if err != nil {
					t.Errorf("blue: %v", err)
					return
				}
				conn.SetDeadline(time.Now().Add(time.Minute))
				got := make([]byte, 5)
				if _, err := io.ReadFull(conn, got); err != nil || string(got) != "blue " {
					t.Errorf("blue got '%s', %v", got, err)
					return
				}
				conn.Close()
				done.Add(1)
			}
		})
	}
	var old []harness.Stream
	for round := range 5 {
		name := fmt.Sprintf("green%d", round)
		green.machine = harness.Namespace(t, "gm")
		harness.MakeNamespace(t, green.inside)
		green.connect(t)
		green.serve(t, name)
		harness.Eventually(t, "green's port is open, and its servers are up", func() bool {
			return listens(harness.TryIn(green.machine, "192.0.2.1:80")) && !down() && strings.Contains(row("checked"), ",UP,")
		})
		for _, dial := range []func() harness.Stream{
			func() harness.Stream { return harness.DialIn(t, green.machine, "192.0.2.1:80") },
			func() harness.Stream { return harness.DialTCP(t, toGreen) },
			func() harness.Stream { return harness.DialTCP(t, checked) },
		} {
			s := dial()
			harness.Hear(t, s, name)
			old = append(old, s)
		}
		harness.Run(t, "ip", "netns", "del", green.inside)
		harness.Eventually(t, "green is gone", func() bool { return down() && spaces(t, socket, green.inside)[1] == "ABSENT" })
		for _, s := range old {
			harness.Exchange(t, s, "still here")
		}
		if s := harness.DialTCP(t, toGreen); true {
			if got, _ := io.ReadAll(s); len(got) > 0 {
				t.Errorf("round %d: without green there is an answer: %s", round, got)
			}
		}
	}
	quit.Store(true)
	busy.Wait()
	if f := spaces(t, socket, green.inside); f[10] != "5" || f[11] != "5" {
		t.Errorf("green came and went: %v", f)
	}
	if done.Load() < 100 {
		t.Errorf("blue was served %d times only", done.Load())
	}
	for _, want := range []string{
		"Network namespace '" + green.inside + "' does not exist, and is awaited.", "Network namespace '" + green.inside + "' is there.",
		"Network namespace '" + green.inside + "' is gone, and is awaited.", "Server green/s is UP, its network namespace is there.",
	} {
		b.Stderr.WaitText(t, want)
	}
	for _, s := range old {
		s.Close()
	}
	harness.Eventually(t, "no socket is left in an old green", func() bool { return inNamespaces(t, b.PID, 3) })
}

// inNamespaces tells whether the threads and handles of a process are in at most so many namespaces.
func inNamespaces(t *testing.T, pid, most int) bool {
	seen := make(map[string]bool)
	for _, pattern := range []string{"/proc/%d/task/*/ns/net", "/proc/%d/fd/*"} {
		links, _ := filepath.Glob(fmt.Sprintf(pattern, pid))
		for _, link := range links {
			if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, "net:[") {
				seen[to] = true
			}
		}
	}
	return len(seen) <= most
}

// A name that does not exist, and is not awaited, is an error that names its line, with -c as well.
func TestNamespaceThatDoesNotExist(t *testing.T) {
	t.Parallel()
	harness.NeedRoot(t, "to enter network namespaces")
	logs := harness.ReceiveUDP(t)
	path := filepath.Join(harness.ShortDir(t), "a.cfg")
	text := config(logs, "", section("listen x", "bind "+harness.Loopback(t), "server s 127.0.0.1:1 namespace e2e-none"))
	harness.WriteFile(t, path, text)
	for _, args := range [][]string{{"-c", "-f", path}, {"-f", path}} {
		out, stderr, code := harness.RunSubject(t, args...)
		want := "network namespace 'e2e-none' does not exist; 'late' behind the name waits for it"
		if harness.Subject.HAProxy {
			want = "Cannot open namespace 'e2e-none'"
		}
		if code != 1 || !strings.Contains(stderr, want) || !strings.Contains(stderr, "a.cfg:") {
			t.Errorf("%v: code %d, %s%s", args, code, out, stderr)
		}
	}
}

// Two hundred tenants in one process, all with the same addresses. While nobody uses them, they hold no sockets.
func TestManyNamespaces(t *testing.T) {
	t.Parallel()
	harness.NeedRoot(t, "to make network namespaces")
	const count = 200
	names := harness.ManyNamespaces(t, count)
	logs, outside := harness.ReceiveUDP(t), harness.Loopback(t)
	sections := []string{section("listen outside", "bind "+outside, "server s 127.0.0.1:9000 namespace "+names[0])}
	for i, name := range names {
		harness.ServeIn(t, name, "127.0.0.1:9000", greeter(fmt.Sprintf("%03d", i)))
		sections = append(sections, section("listen "+name, "bind 127.0.0.1:80 namespace "+name, "server s 127.0.0.1:9000 namespace "+name))
	}
	b := harness.Start(t, config(logs, "", sections...), pooled)
	harness.Eventually(t, "it listens", func() bool { return open(outside) })
	for round := range 2 {
		for i, name := range names {
			s := harness.DialIn(t, name, "127.0.0.1:80")
			harness.Hear(t, s, fmt.Sprintf("%03d", i))
			s.Close()
		}
		if d, err := harness.ReadDescriptors(b.PID); err != nil || d.All > 3000 {
			t.Errorf("round %d: %d descriptors, %v", round, d.All, err)
		}
	}
}

// open tells whether somebody listens at an address.
func open(address string) bool { return listens(net.Dial("tcp", address)) }

func listens(conn net.Conn, err error) bool {
	if err == nil {
		conn.Close()
	}
	return err == nil
}
