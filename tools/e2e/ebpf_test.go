package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// asking keeps workers asking until the result is called, and counts answers and failures.
type asking struct {
	good, bad atomic.Int64
	first     atomic.Pointer[error]
	over      atomic.Bool
	workers   sync.WaitGroup
}

func keepAsking(workers int, ask func() error) *asking {
	a := &asking{}
	for range workers {
		a.workers.Go(func() {
			for !a.over.Load() {
				if err := ask(); err != nil {
					a.bad.Add(1)
					a.first.CompareAndSwap(nil, &err)
				} else {
					a.good.Add(1)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	return a
}

// more waits for n answers from now on.
func (a *asking) more(t *testing.T, n int64) {
	t.Helper()
	goal := a.good.Load() + n
	harness.Eventually(t, "connections are answered", func() bool { return a.good.Load() >= goal || a.bad.Load() > 0 })
}

// end stops asking; every question must have been answered.
func (a *asking) end(t *testing.T) {
	t.Helper()
	a.over.Store(true)
	a.workers.Wait()
	if err := a.first.Load(); err != nil {
		t.Errorf("%d of %d connections failed, the first: %v", a.bad.Load(), a.good.Load()+a.bad.Load(), *err)
	}
}

// awaitSocket waits for a balancer's stats socket, which is the last that it opens.
func awaitSocket(t *testing.T, b *harness.Balancer, path string) {
	t.Helper()
	harness.Eventually(t, "the stats socket is there", func() bool {
		conn, err := net.Dial("unix", path)
		if err == nil {
			conn.Close()
		}
		return err == nil || b.Exited()
	})
	b.Rebase()
}

var givenCount = regexp.MustCompile(`(?m)^\d+ (\d+) \d+ \d+ \d+$`)

// steered is how many connections each loop was given, as "show ebpf" has it.
func steered(t testing.TB, socket string) (loops []int) {
	t.Helper()
	for _, row := range givenCount.FindAllStringSubmatch(operate(t, "unix", socket, "show ebpf"), -1) {
		n, _ := strconv.Atoi(row[1])
		loops = append(loops, n)
	}
	return loops
}

func sum(numbers []int) (all int) {
	for _, n := range numbers {
		all += n
	}
	return all
}

// Old and new process share the address: from one moment on all connections are the new one's, and when the old one ends no connection
// is lost: those that wait at its sockets go over.
func TestSteeredReload(t *testing.T) {
	harness.NeedRoot(t, "to load programs")
	for _, mode := range []string{"cpu", "least"} {
		origin, addr := harness.Serve(t, harness.Name("up")), harness.Loopback(t)
		start := func() (*harness.Balancer, string) {
			text, socket := withSocket(t, "global\n  nbthread 3\n  ebpf-steering reuseport "+mode+"\ndefaults\n  mode tcp\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n"+
				section("listen front", "bind "+addr, "server origin "+origin.Addr))
			b := harness.Start(t, text)
			awaitSocket(t, b, socket)
			return b, socket
		}
		old, oldSocket := start()
		clients := keepAsking(4, func() error {
			name, err := harness.Ask(addr)
			if err == nil && name != "up" {
				err = fmt.Errorf("it said %q", name)
			}
			return err
		})
		clients.more(t, 50)
		for range 3 {
			young, socket := start()
			harness.Eventually(t, "the new process is given connections", func() bool { return sum(steered(t, socket)) > 20 })
			before := sum(steered(t, oldSocket))
			clients.more(t, 50)
			if after := sum(steered(t, oldSocket)); after != before {
				t.Errorf("%s: the old process was given %d connections after the new one had begun", mode, after-before)
			}
			old.Signal(syscall.SIGUSR1)
			if code := old.WaitExit(); code != 0 {
				t.Errorf("%s: the old process ended with %d", mode, code)
			}
			clients.more(t, 50)
			old, oldSocket = young, socket
		}
		clients.end(t)
	}
}

// How evenly connections that last are spread over eight loops. The table in docs/ebpf.md is of
//
//	STEERING_FLOWS=9000 go test -count=1 -v -run TestSteeringSpread ./tools/e2e
func TestSteeringSpread(t *testing.T) {
	harness.NeedRoot(t, "to load programs")
	flows, _ := strconv.Atoi(os.Getenv("STEERING_FLOWS"))
	if flows == 0 {
		flows = 800
	}
	for _, mode := range []string{"", "cpu", "least"} {
		func() {
			origin, addr := harness.Serve(t, harness.Echo), harness.Loopback(t)
			line := "\n"
			if mode != "" {
				line = "  ebpf-steering reuseport " + mode + "\n"
			}
			text, socket := withSocket(t, "global\n  maxconn "+strconv.Itoa(flows+100)+"\n  nbthread 8\n  cpu-map 1/1-4 0\n  cpu-map 1/5-8 1\n"+line+
				"defaults\n  mode tcp\n  timeout connect 30s\n  timeout client 120s\n  timeout server 120s\n"+
				section("listen front", "bind "+addr+" backlog 4096", "server origin "+origin.Addr))
			if runtime.NumCPU() < 2 {
				text = strings.Replace(text, "1/5-8 1", "1/5-8 0", 1)
			}
			b := harness.Start(t, text)
			awaitSocket(t, b, socket)
			clients := make([]harness.Stream, flows)
			var workers sync.WaitGroup
			for w := range 20 {
				workers.Go(func() {
					for i := w; i < flows; i += 20 {
						clients[i] = harness.DialTCP(t, addr)
						harness.Exchange(t, clients[i], "hello")
					}
				})
			}
			workers.Wait()
			if t.Failed() {
				return
			}
			var loops []int
			for _, row := range regexp.MustCompile(`(?m)^\d+ (\d+) (\d+) `).FindAllStringSubmatch(operate(t, "unix", socket, "show loops"), -1) {
				n, _ := strconv.Atoi(row[1])
				loops = append(loops, n)
			}
			name := mode
			if name == "" {
				name = "hash"
			}
			most, fewest := slices.Max(loops), slices.Min(loops)
			t.Logf("%-5s %d flows: %v, most %d, fewest %d, the fullest has %+.1f %% of an eighth", name, sum(loops), loops, most, fewest, 100*(float64(most)*8/float64(flows)-1))
			if sum(loops) != flows {
				t.Errorf("%s: %d flows, want %d", name, sum(loops), flows)
			}
			if mode == "least" && (most-fewest)*20 > flows/8 { // 5 %: loops that are slow to accept may be ahead for a moment
				t.Errorf("least: from %d to %d", fewest, most)
			}
			for _, c := range clients {
				c.Close()
			}
			harness.Eventually(t, "all flows end", func() bool { return b.Streams() == 0 && origin.Open() == 0 })
		}()
	}
}

// vipNamespace is a namespace in which prefixes of the documentation are local.
func vipNamespace(t *testing.T) string {
	t.Helper()
	n := harness.Namespace(t, "v")
	harness.Run(t, "ip", "-n", n, "route", "add", "local", "198.51.100.0/24", "dev", "lo")
	harness.Run(t, "ip", "-n", n, "route", "add", "local", "2001:db8::/32", "dev", "lo")
	harness.Run(t, "ip", "-n", n, "address", "add", "2001:db8:ffff::1/128", "dev", "lo", "nodad")
	return n
}

// askIn is Ask from within a namespace.
func askIn(namespace, address string) (text string, err error) {
	err = harness.WithinNamespace(namespace, func() error {
		text, err = harness.Ask(address)
		return err
	})
	return text, err
}

// serveIn runs an origin in a namespace that says a name.
func serveIn(t *testing.T, namespace string, port int, name string) {
	t.Helper()
	var ln net.Listener
	if err := harness.WithinNamespace(namespace, func() (err error) {
		ln, err = net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte(name))
			conn.Close()
		}
	}()
}

const vipConfig = `global
  nbthread 3
  user nobody
  ebpf-steering reuseport least
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen vip
  bind 198.51.100.0/24:443,198.51.100.10:2000-4000
  bind [2001:db8::]/64:*
  server origin 127.0.0.1:8000
listen exact
  bind 198.51.100.77:443
  server origin 127.0.0.1:8001
`

// Whole prefixes are served after privileges were given up; a bind on an address within them has its own; frontends can be closed and
// opened; and a new process takes over without a gap.
func TestVIPLookup(t *testing.T) {
	n := vipNamespace(t)
	serveIn(t, n, 8000, "vip")
	serveIn(t, n, 8001, "exact")
	start := func() (*harness.Balancer, string) {
		directory := harness.ShortDir(t)
		socket := filepath.Join(directory, "s")
		b := harness.Start(t, strings.Replace(vipConfig, "global\n", "global\n  stats socket "+socket+" mode 600 level admin\n", 1),
			harness.Options{Wrap: harness.Inside(n), Unready: true})
		awaitSocket(t, b, socket)
		return b, socket
	}
	b, socket := start()
	harness.Eventually(t, "the prefix is served", func() bool { text, err := askIn(n, "198.51.100.1:443"); return err == nil && text == "vip" })
	for _, x := range []struct{ addr, want string }{
		{"198.51.100.0:443", "vip"}, {"198.51.100.255:443", "vip"}, {"198.51.100.10:2000", "vip"}, {"198.51.100.10:4000", "vip"}, {"198.51.100.10:443", "vip"},
		{"[2001:db8::1:2:3:4]:77", "vip"}, {"198.51.100.77:443", "exact"}, {"198.51.100.1:444", "refused"}, {"198.51.100.10:4001", "refused"},
		{"[2001:db8:1::1]:77", "refused"},
	} {
		text, err := askIn(n, x.addr)
		if err != nil && strings.Contains(err.Error(), "refused") {
			text, err = "refused", nil
		}
		if text != x.want || err != nil {
			t.Errorf("%s: %q %v, want %q", x.addr, text, err, x.want)
		}
	}
	if answer := operate(t, "unix", socket, "disable frontend vip"); strings.TrimSpace(answer) != "" {
		t.Errorf("disable: %q", answer)
	}
	if text, err := askIn(n, "198.51.100.1:443"); err == nil {
		t.Errorf("while it is disabled: %q", text)
	}
	if text, err := askIn(n, "198.51.100.77:443"); text != "exact" {
		t.Errorf("the other one, meanwhile: %q %v", text, err)
	}
	if answer := operate(t, "unix", socket, "enable frontend vip"); strings.TrimSpace(answer) != "" {
		t.Errorf("enable: %q", answer)
	}
	before := sum(steered(t, socket))
	clients := keepAsking(4, func() error {
		text, err := askIn(n, "198.51.100.1:443")
		if err == nil && text != "vip" {
			err = fmt.Errorf("it said %q", text)
		}
		return err
	})
	clients.more(t, 50)
	if after := sum(steered(t, socket)); after < before+50 {
		t.Errorf("steering is off after the frontend was enabled again: %d given, %d before", after, before)
	}
	for range 2 {
		young, youngSocket := start()
		harness.Eventually(t, "the new process is given connections", func() bool { return sum(steered(t, youngSocket)) > 20 })
		b.Signal(syscall.SIGUSR1)
		clients.more(t, 50)
		if code := b.WaitExit(); code != 0 {
			t.Errorf("the old process ended with %d", code)
		}
		clients.more(t, 50)
		b = young
	}
	clients.end(t)
}

// Without the capabilities steering is off with one warning, and a prefix is an error with its place; both say what they need.
func TestProgramsWithoutPrivileges(t *testing.T) {
	harness.NeedRoot(t, "to give up capabilities")
	without := []string{"setpriv", "--bounding-set", "-bpf,-net_admin,-sys_admin"}
	addr := harness.Loopback(t)
	b := harness.Start(t, "global\n  nbthread 2\n  ebpf-steering reuseport cpu\ndefaults\n  mode tcp\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n"+
		section("listen front", "bind "+addr, "server origin "+harness.Serve(t, harness.Name("up")).Addr), harness.Options{Wrap: without})
	if name, err := harness.Ask(addr); name != "up" {
		t.Errorf("%q %v", name, err)
	}
	said := b.Stderr.Text()
	if strings.Count(said, "ebpf-steering") != 1 || !strings.Contains(said, "needs Linux 5.8 or later and CAP_BPF and CAP_NET_ADMIN") {
		t.Errorf("it said %s", said)
	}
	file := filepath.Join(harness.ShortDir(t), "p.cfg")
	harness.WriteFile(t, file, "defaults\n  mode tcp\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\nlisten l\n  bind 198.51.100.0/24:443\n  server s 127.0.0.1:1\n")
	_, said, code := harness.Exec(t, nil, without[0], append(without[1:], harness.Subject.Path, "-f", file)...)
	if code != 1 || !strings.Contains(said, "p.cfg:7]") || !strings.Contains(said, "VIP lookup needs Linux 5.9 or later and CAP_BPF and CAP_NET_ADMIN") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// The recipes of docs/ebpf.md work as they are written.
func TestRecipesOfPrograms(t *testing.T) {
	harness.NeedRoot(t, "to load programs and make namespaces")
	t.Parallel() // it mostly waits
	page, err := os.ReadFile("../../docs/ebpf.md")
	if err != nil {
		t.Fatal(err)
	}
	directory := harness.ShortDir(t)
	if err := os.Symlink(harness.Subject.Path, filepath.Join(directory, "sluice")); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"sluice-steering": {"1 3\n2 3\n3 3\n4 3\n", "steering: least, groups 1, hashed 0"},
		"sluice-vip":      {"198.51.100.1:443: hello\n", "198.51.100.254:443: hello\n", "198.51.100.10:12345: hello\n", "198.51.100.1:444: refused\n", "targets 1, given 3,"},
		"sluice-redirect": {"one\n", "redirected=true\n", "two\n", "sockmap: 1 connections and 8 bytes moved"},
		"sluice-guard":    {"connected\n", "guard: on in (native)", "\ndenied\n"},
	}
	found := 0
	for _, recipe := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		for name, parts := range want {
			if !strings.Contains(recipe[1], "ip netns add "+name+"\n") {
				continue
			}
			found++
			own := fmt.Sprintf("e2e-%d-%s", os.Getpid(), strings.TrimPrefix(name, "sluice-")) // other runs may be under way
			// Where a machine is slow a second may not be enough for a start: the recipe's pauses are made longer.
			script := "PATH=" + directory + ":$PATH\n" + strings.NewReplacer(name, own, "sleep 1\n", "sleep 3\n", "sleep 2\n", "sleep 6\n", "sleep 3 |", "sleep 12 |",
				"sleep 2;", "sleep 6;", "sleep 3)", "sleep 6)").Replace(recipe[1])
			out, said, code := harness.Exec(t, nil, "bash", "-euc", script)
			if code != 0 {
				exec.Command("ip", "netns", "del", own).Run()
				t.Errorf("%s: exit code %d: %s", name, code, said)
			}
			for _, part := range parts {
				if !strings.Contains(out, part) {
					t.Errorf("%s: no %q in\n%s%s", name, part, out, said)
				}
			}
		}
	}
	if found != len(want) {
		t.Errorf("%d recipes, want %d", found, len(want))
	}
}
