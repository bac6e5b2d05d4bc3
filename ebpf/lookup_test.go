package ebpf

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// inNamespace puts the test into a network namespace of its own, which ends with it. Addresses of the documentation's prefixes are
// local there. Sockets must be made by the test's goroutine, whose thread is never used for anything else.
func inNamespace(t testing.TB) *os.File {
	t.Helper()
	if os.Geteuid() != 0 {
		available(t, &MissingError{"a network namespace", "2.6", "CAP_SYS_ADMIN", unix.EPERM})
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{
		"link set lo up", "route add local 198.51.100.0/24 dev lo", "route add local 203.0.113.0/24 dev lo", "route add local 2001:db8::/32 dev lo",
	} {
		if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", command, err, out)
		}
	}
	file, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// openLookup attaches a program to the test's namespace, active.
func openLookup(t testing.TB, namespace *os.File, targets int) *Lookup {
	t.Helper()
	l, err := OpenLookup(LookupOptions{Targets: targets, Namespace: namespace})
	available(t, err)
	t.Cleanup(l.Close)
	l.Activate(true)
	return l
}

func set(t testing.TB, l *Lookup, rules ...Rule) {
	t.Helper()
	if err := l.Set(rules); err != nil {
		t.Fatal(err)
	}
}

func target(t testing.TB, l *Lookup, n, fd int) {
	t.Helper()
	if err := l.Target(n, fd); err != nil {
		t.Fatal(err)
	}
}

// named listens on an address and says a name to whoever connects, with the address that the client meant.
func named(t testing.TB, addr, name string) (fd int, ln *net.TCPListener) {
	t.Helper()
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	x, err := c.Listen(context.Background(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	go func() {
		for {
			conn, err := x.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, name+" "+conn.LocalAddr().String())
			conn.Close()
		}
	}()
	raw, err := x.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(n uintptr) { fd = int(n) })
	return fd, x.(*net.TCPListener)
}

// asked connects and gives what is said; "refused" if nobody listens.
func asked(t testing.TB, addr string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if errors.Is(err, unix.ECONNREFUSED) {
		return "refused"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	said, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}

func TestLookup(t *testing.T) {
	l := openLookup(t, inNamespace(t), 3)
	four, _ := named(t, "127.0.0.1:0", "four")
	six, _ := named(t, "[::1]:0", "six")
	_, other := named(t, "198.51.100.22:22", "ssh") // another program
	target(t, l, 0, four)
	target(t, l, 1, six)
	set(t, l, rule("198.51.100.0/24", 443, 443, 0), rule("198.51.100.0/24", 8000, 8999, 0), rule("2001:db8::/64", 1, 65535, 1),
		rule("198.51.100.9/32", 443, 443, RefuseTarget), rule("198.51.100.22/32", 1, 65535, 0), rule("198.51.100.22/32", 22, 22, PassTarget),
		rule("203.0.113.0/24", 443, 443, 2)) // nobody is there
	before := l.Counts()
	for _, x := range []struct{ addr, want string }{
		{"198.51.100.1:443", "four 198.51.100.1:443"}, {"198.51.100.255:443", "four 198.51.100.255:443"},
		{"198.51.100.1:442", "refused"}, {"198.51.100.1:444", "refused"}, {"198.51.100.1:8000", "four 198.51.100.1:8000"},
		{"198.51.100.1:8999", "four 198.51.100.1:8999"}, {"198.51.100.1:9000", "refused"}, {"198.51.100.9:443", "refused"},
		{"198.51.100.22:22", "ssh 198.51.100.22:22"}, {"198.51.100.22:23", "four 198.51.100.22:23"},
		{"[2001:db8::1]:1", "six [2001:db8::1]:1"}, {"[2001:db8::2:3]:65535", "six [2001:db8::2:3]:65535"},
		{"[2001:db8:0:1::]:80", "refused"}, {"203.0.113.1:443", "refused"}, {other.Addr().String(), "ssh 198.51.100.22:22"},
	} {
		if got := asked(t, x.addr); got != x.want {
			t.Errorf("%s: %q, want %q", x.addr, got, x.want)
		}
	}
	after := l.Counts()
	if after.Given-before.Given < 7 || after.Passed-before.Passed < 2 || after.Refused == 0 || after.Gone == 0 {
		t.Errorf("counted: %+v", after)
	}
	l.Activate(false)
	if got := asked(t, "198.51.100.1:443"); got != "refused" {
		t.Errorf("after its end: %q", got)
	}
	if err := l.Set([]Rule{rule("198.51.100.0/24", 1, 2, 0), rule("198.51.100.0/24", 2, 3, 1)}); err == nil {
		t.Error("rules that contradict each other were taken")
	}
	l.Activate(true)
	if got := asked(t, "198.51.100.1:443"); got != "four 198.51.100.1:443" {
		t.Errorf("after rules that were refused, those from before: %q", got)
	}
}

// A covered address never refuses while rules are set, however often and whichever way.
func TestLookupUpdateIsAtomic(t *testing.T) {
	l := openLookup(t, inNamespace(t), 2)
	a, _ := named(t, "127.0.0.1:0", "a")
	b, _ := named(t, "127.0.0.1:0", "b")
	target(t, l, 0, a)
	target(t, l, 1, b)
	versions := [][]Rule{
		{rule("198.51.100.0/24", 443, 443, 0)},
		{rule("198.51.100.0/24", 1, 65535, 1), rule("203.0.113.0/24", 1, 65535, 1)},
		append(manyRules(500), rule("198.51.0.0/16", 443, 443, 0)),
	}
	for i := range versions[2] {
		versions[2][i].Target %= 2
	}
	set(t, l, versions[0]...)
	done := make(chan struct{})
	var updates int
	var updater sync.WaitGroup
	updater.Go(func() {
		for ; ; updates++ {
			select {
			case <-done:
				return
			default:
			}
			if err := l.Set(versions[updates%len(versions)]); err != nil {
				t.Error(err)
				return
			}
		}
	})
	said := map[string]int{}
	for deadline := time.Now().Add(30 * time.Second); (len(said) < 2 || said["a 198.51.100.7:443"] < 300 || said["b 198.51.100.7:443"] < 100) && time.Now().Before(deadline); {
		said[asked(t, "198.51.100.7:443")]++
	}
	close(done)
	updater.Wait()
	if len(said) != 2 || said["refused"] > 0 {
		t.Errorf("%d updates: %v", updates, said)
	}
	t.Logf("%d updates: %v", updates, said)
}

// Two processes: the one that attached last has the addresses, without a gap, and the other has them again when it goes.
func TestLookupTakesOver(t *testing.T) {
	namespace := inNamespace(t)
	old, young := openLookup(t, namespace, 1), (*Lookup)(nil)
	a, _ := named(t, "127.0.0.1:0", "old")
	b, _ := named(t, "127.0.0.1:0", "young")
	rules := []Rule{rule("198.51.100.0/24", 443, 443, 0)}
	target(t, old, 0, a)
	set(t, old, rules...)
	expect := func(want string) {
		t.Helper()
		for range 20 {
			if got := asked(t, "198.51.100.7:443"); got != want+" 198.51.100.7:443" {
				t.Fatalf("%q, want %q", got, want)
			}
		}
	}
	expect("old")
	young, err := OpenLookup(LookupOptions{Targets: 1, Namespace: namespace})
	if err != nil {
		t.Fatal(err)
	}
	target(t, young, 0, b)
	set(t, young, rules...)
	expect("old") // until it is ready
	young.Activate(true)
	expect("young")
	set(t, old, rules...) // does not change the order
	expect("young")
	old.Activate(false)
	expect("young")
	old.Activate(true)
	young.Close()
	expect("old")
}

// A target that is one of several sockets on an address: steering chooses among them.
func TestLookupAndSteering(t *testing.T) {
	l := openLookup(t, inNamespace(t), 1)
	group := listenTogether(t, "127.0.0.1:0", 3)
	s, err := OpenSteering(SteeringOptions{Mode: SteerByLeast, CPUs: make([][]int, 3), Stall: time.Hour})
	available(t, err)
	defer s.Close()
	g, err := s.LookupGroup(group.files, []int{0, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	target(t, l, 0, group.files[0])
	set(t, l, rule("198.51.100.0/24", 443, 443, 0))
	if err := g.Attach(); err != nil {
		t.Fatal(err)
	}
	group.addr = "198.51.100.77:443"
	for i := range 3 {
		for j := range 3 {
			s.Seat(j).Flows.Store(100)
		}
		s.Seat(i).Flows.Store(0)
		if got := group.dial(); got != i {
			t.Errorf("socket %d got it, want %d", got, i)
		}
		s.Seat(i).Taken.Add(1)
	}
	if l.Counts().Given < 3 || s.Unsteered().All != 0 {
		t.Errorf("%+v %+v", l.Counts(), s.Unsteered())
	}
}

// lookupContext is struct bpf_sk_lookup of linux/bpf.h, of which the kernel gives the chosen socket's cookie back in the first field.
type lookupContext struct {
	Cookie           uint64
	Family, Protocol uint32
	RemoteIP4        uint32
	RemoteIP6        [4]uint32
	RemotePort       uint16
	_                uint16
	LocalIP4         uint32
	LocalIP6         [4]uint32
	LocalPort        uint32
	IngressIfindex   uint32
	_                uint32
}

func contextOf(addr netip.Addr, port uint16) lookupContext {
	c := lookupContext{Family: unix.AF_INET, Protocol: unix.IPPROTO_TCP, LocalPort: uint32(port)}
	if addr.Is4() {
		raw := addr.As4()
		c.LocalIP4 = binary.NativeEndian.Uint32(raw[:])
		return c
	}
	c.Family = unix.AF_INET6
	raw := addr.As16()
	for i := range c.LocalIP6 {
		c.LocalIP6[i] = binary.NativeEndian.Uint32(raw[4*i:])
	}
	return c
}

// The program itself finds what looking at every rule finds (BPF_PROG_TEST_RUN, Linux 5.13).
func TestLookupProgram(t *testing.T) {
	l := openLookup(t, inNamespace(t), 50)
	cookies := map[uint64]int{}
	for i := range 50 {
		// Only a socket of IPv6 takes both families.
		fd, _ := named(t, "[::]:0", "")
		cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
		if err != nil {
			t.Fatal(err)
		}
		cookies[cookie] = i
		target(t, l, i, fd)
	}
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 8))
		rules := randomRules(random, 40)
		set(t, l, rules...)
		for range 300 {
			addr, port := near(random, rules[random.IntN(len(rules))].Prefix), uint16(random.IntN(170))
			want, covered := slowly(rules, addr, port)
			in := contextOf(addr, port)
			out := lookupContext{}
			verdict, err := l.program.Run(&ebpf.RunOptions{Context: in, ContextOut: &out})
			if err != nil {
				t.Fatal(err)
			}
			got, found := cookies[out.Cookie]
			switch {
			case verdict == 0: // SK_DROP
				got, found = RefuseTarget, true
			case !found && covered && want == PassTarget: // it looks like nothing
				got, found = PassTarget, true
			}
			if got != want || found != covered {
				t.Fatalf("seed %d, %v port %d: %d %v, want %d %v", seed, addr, port, got, found, want, covered)
			}
		}
	}
}

// Ten thousand prefixes: what an update takes, and what the program costs for one packet, as the kernel measures it. It fails only
// if something is wrong by orders of magnitude.
func TestLookupTenThousandPrefixes(t *testing.T) {
	l := openLookup(t, inNamespace(t), 16)
	for i := range 16 {
		fd, _ := named(t, "[::]:0", "")
		target(t, l, i, fd)
	}
	for _, n := range []int{1, 100, 10000} {
		rules := manyRules(n)
		began := time.Now()
		set(t, l, rules...)
		update := time.Since(began)
		measure := func(addr string, port uint16) time.Duration {
			const times = 100000
			began := time.Now()
			if _, err := l.program.Run(&ebpf.RunOptions{Context: contextOf(netip.MustParseAddr(addr), port), Repeat: times}); err != nil {
				t.Fatal(err)
			}
			return time.Since(began) / times
		}
		four, six, none := measure("10.0.0.77", 443), measure("2001:db8::77", 443), measure("192.0.2.1", 443)
		t.Logf("%5d prefixes, %5d rules: update %8v, lookup %v (IPv4), %v (IPv6), %v (not covered)", n, len(rules), update.Round(10*time.Microsecond), four, six, none)
		if update > time.Minute || four > 100*time.Microsecond {
			t.Errorf("%d prefixes: an update takes %v, a lookup %v", n, update, four)
		}
	}
}

func TestLookupWithoutTheKernel(t *testing.T) {
	_, err := OpenLookup(LookupOptions{Load: func(*ebpf.CollectionSpec, any, *ebpf.CollectionOptions) error { return unix.EPERM }})
	var missing *MissingError
	if !errors.As(err, &missing) || !errors.Is(err, unix.EPERM) || missing.Kernel != "5.9" {
		t.Errorf("%v", err)
	}
}
