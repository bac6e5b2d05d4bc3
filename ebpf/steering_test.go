package ebpf

import (
	"context"
	"errors"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// What Go and the program say to each other about a loop has the same shape on both sides.
func TestSeatIsTheProgramsSeat(t *testing.T) {
	var s Seat
	var c steeringSeat
	if unsafe.Sizeof(s) != unsafe.Sizeof(c) {
		t.Fatalf("%d bytes, the program's has %d", unsafe.Sizeof(s), unsafe.Sizeof(c))
	}
	for _, x := range []struct {
		name       string
		goes, ours uintptr
	}{
		{"flows", unsafe.Offsetof(s.Flows), unsafe.Offsetof(c.Flows)},
		{"taken", unsafe.Offsetof(s.Taken), unsafe.Offsetof(c.Taken)},
		{"busy_since", unsafe.Offsetof(s.BusySince), unsafe.Offsetof(c.BusySince)},
		{"given", unsafe.Offsetof(s.given), unsafe.Offsetof(c.Given)},
		{"by_cpu", unsafe.Offsetof(s.byCPU), unsafe.Offsetof(c.ByCpu)},
		{"by_least", unsafe.Offsetof(s.byLeast), unsafe.Offsetof(c.ByLeast)},
		{"passed_by", unsafe.Offsetof(s.passedBy), unsafe.Offsetof(c.PassedBy)},
		{"window", unsafe.Offsetof(s.window), unsafe.Offsetof(c.Window)},
	} {
		if x.goes != x.ours {
			t.Errorf("%s is at %d, the program's at %d", x.name, x.goes, x.ours)
		}
	}
}

// listeners is some sockets on one address, each with a goroutine that tells who accepted.
type listeners struct {
	t     *testing.T
	addr  string
	open  []*net.TCPListener
	files []int
	got   chan int
}

// listenTogether opens n sockets on addr, which may have port 0.
func listenTogether(t *testing.T, addr string, n int) *listeners {
	t.Helper()
	l := &listeners{t: t, addr: addr, got: make(chan int, 1024)}
	reuse := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	}}
	reuse.SetMultipathTCP(false) // Go's own choice, of which the kernel takes no socket into its table
	for i := range n {
		ln, err := reuse.Listen(context.Background(), "tcp", l.addr)
		if err != nil {
			t.Fatal(err)
		}
		l.addr = ln.Addr().String()
		raw, err := ln.(*net.TCPListener).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		l.open = append(l.open, ln.(*net.TCPListener))
		raw.Control(func(fd uintptr) { l.files = append(l.files, int(fd)) })
		go func() {
			for {
				conn, err := ln.Accept()
				if errors.Is(err, net.ErrClosed) {
					return
				}
				if err != nil { // it does not listen for a while
					time.Sleep(time.Millisecond)
					continue
				}
				l.got <- i
				conn.Close()
			}
		}()
	}
	return l
}

// dial connects once and gives the place of the socket that accepted.
func (l *listeners) dial() int {
	l.t.Helper()
	conn, err := net.DialTimeout("tcp", l.addr, 5*time.Second)
	if err != nil {
		l.t.Fatal(err)
	}
	defer conn.Close()
	select {
	case i := <-l.got:
		return i
	case <-time.After(20 * time.Second):
		l.t.Fatal("nobody accepted")
		return -1
	}
}

// steer opens steering for loops that may run anywhere, or where cpus says, and attaches it to l, one socket for each.
func steer(t *testing.T, mode SteeringMode, l *listeners, cpus [][]int) (*Steering, *Group) {
	t.Helper()
	s, err := OpenSteering(SteeringOptions{Mode: mode, CPUs: cpus, Stall: time.Hour})
	available(t, err)
	t.Cleanup(s.Close)
	of := make([]int, len(cpus))
	for i := range of {
		of[i] = i
	}
	g, err := s.Group(l.files, of)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	if err := g.Attach(); err != nil {
		t.Fatal(err)
	}
	return s, g
}

func TestSteerByLeast(t *testing.T) {
	l := listenTogether(t, "127.0.0.1:0", 4)
	s, _ := steer(t, SteerByLeast, l, make([][]int, 4))
	for i := range 4 {
		s.Seat(i).Flows.Store(int64(10 + i))
	}
	for _, want := range []int{2, 0, 3, 1} {
		s.Seat(want).Flows.Store(1)
		if got := l.dial(); got != want {
			t.Errorf("loop %d got it, %d has the fewest", got, want)
		}
		s.Seat(want).Taken.Add(1)
		s.Seat(want).Flows.Store(20)
	}
	if g := s.Given(2); g.All != 1 || g.ByLeast != 1 || g.ByCPU != 0 {
		t.Errorf("loop 2: %+v", g)
	}
	// What a loop was given and has not accepted counts as its flow: connections in quick succession do not all go to one loop.
	for i := range 4 {
		s.Seat(i).Flows.Store(5)
	}
	counts := make([]int, 4)
	for range 40 {
		counts[l.dial()]++
	}
	for i, n := range counts {
		if n != 10 {
			t.Errorf("loop %d got %d of 40", i, n)
		}
	}
	if u := s.Unsteered(); u != (Unsteered{}) {
		t.Errorf("left to the hash: %+v", u)
	}
}

// Connections that never came stop counting after a while.
func TestSteeringForgetsTheLost(t *testing.T) {
	l := listenTogether(t, "127.0.0.1:0", 2)
	s, _ := steer(t, SteerByLeast, l, make([][]int, 2))
	s.Seat(0).given.Add(1000) // as if by a flood
	for range 2 {
		if got := l.dial(); got != 1 {
			t.Fatal("the loop with a flood on its way got one more")
		}
		s.Seat(1).Taken.Add(1)
	}
	s.Seat(1).Flows.Store(100)
	for deadline := time.Now().Add(30 * time.Second); l.dial() != 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the flood is never forgotten")
		}
	}
}

func TestSteerPastStalledLoops(t *testing.T) {
	var now unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	for _, mode := range []SteeringMode{SteerByCPU, SteerByLeast} {
		l := listenTogether(t, "127.0.0.1:0", 3)
		s, _ := steer(t, mode, l, make([][]int, 3))
		s.Seat(0).BusySince.Store(1) // since the machine began
		s.Seat(1).BusySince.Store(now.Nano())
		s.Seat(1).Flows.Store(1000)
		s.Seat(2).BusySince.Store(1)
		for range 10 {
			if got := l.dial(); got != 1 {
				t.Errorf("mode %d: loop %d got it, 1 is the only one without a long turn", mode, got)
			}
		}
		if s.Given(0).PassedBy == 0 {
			t.Errorf("mode %d: not counted", mode)
		}
		s.Seat(1).BusySince.Store(1)
		l.dial() // goes to one of them, by the hash
		if u := s.Unsteered(); u.All != 1 || u.Stalled != 1 || u.Gone != 0 {
			t.Errorf("mode %d, all stalled: %+v", mode, u)
		}
		s.Seat(2).BusySince.Store(0)
		if got := l.dial(); got != 2 {
			t.Errorf("mode %d: loop %d got it, 2 waits for events", mode, got)
		}
	}
}

// The loopback hands a packet over on the CPU that sends it.
func TestSteerByCPU(t *testing.T) {
	var mine unix.CPUSet
	if err := unix.SchedGetaffinity(0, &mine); err != nil {
		t.Fatal(err)
	}
	var cpus [][]int
	for cpu := range 1024 {
		if mine.IsSet(cpu) {
			cpus = append(cpus, []int{cpu})
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer unix.SchedSetaffinity(0, &mine)
	l := listenTogether(t, "127.0.0.1:0", len(cpus))
	s, _ := steer(t, SteerByCPU, l, cpus)
	for want, cpu := range cpus {
		var one unix.CPUSet
		one.Set(cpu[0])
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if got := l.dialHere(); got != want {
				t.Errorf("loop %d got a connection of CPU %d", got, cpu[0])
			}
		}
		if g := s.Given(want); g.ByCPU != 5 || g.All != 5 {
			t.Errorf("loop %d: %+v", want, g)
		}
	}
}

// dialHere is dial on this thread: net.Dial may change it.
func (l *listeners) dialHere() int {
	l.t.Helper()
	port := l.open[0].Addr().(*net.TCPAddr).Port
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		l.t.Fatal(err)
	}
	return <-l.got
}

// A loop that does not accept on an address gets nothing there, and sockets that are gone leave the choice to the hash.
func TestSteeringMembers(t *testing.T) {
	l := listenTogether(t, "127.0.0.1:0", 2)
	s, err := OpenSteering(SteeringOptions{Mode: SteerByLeast, CPUs: make([][]int, 4), Stall: time.Hour})
	available(t, err)
	defer s.Close()
	g, err := s.Group(l.files, []int{-1, 1, 1, 0}) // loops 1 and 2 share a socket, whose port is its own (bind(2)) and stays
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Attach(); err != nil {
		t.Fatal(err)
	}
	s.Seat(1).Flows.Store(2)
	s.Seat(2).Flows.Store(1)
	s.Seat(3).Flows.Store(3)
	if got := l.dial(); got != 1 {
		t.Errorf("socket %d, want loop 2's", got)
	}
	if s.Given(0).All != 0 || s.Given(2).All != 1 {
		t.Errorf("loop 0: %+v, loop 2: %+v", s.Given(0), s.Given(2))
	}
	// A socket that stops listening leaves the group and the program's table; Restore brings it back.
	if err := unix.Shutdown(l.files[1], unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if got := l.dial(); got != 0 {
		t.Errorf("socket %d is closed", got)
	}
	if u := s.Unsteered(); u.All != 1 || u.Gone != 1 {
		t.Errorf("%+v", u)
	}
	if err := unix.Listen(l.files[1], 16); err != nil {
		t.Fatal(err)
	}
	if err := g.Restore(); err != nil {
		t.Fatal(err)
	}
	before := s.Given(2).All + s.Given(1).All
	s.Seat(3).Flows.Store(1000)
	if s.Seat(1).Flows.Store(0); s.Given(1).All+s.Given(2).All != before {
		t.Fatal("given without a connection")
	}
	conn, err := net.Dial("tcp", l.addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if after := s.Given(2).All + s.Given(1).All; after != before+1 {
		t.Errorf("after Restore: %d, want %d", after, before+1)
	}
}

// A second process attaches its own program: all new connections are its own, and when its sockets close the first one's get
// them again. Detach leaves it to the hash.
func TestSteeringTakesOver(t *testing.T) {
	old := listenTogether(t, "127.0.0.1:0", 2)
	first, _ := steer(t, SteerByLeast, old, make([][]int, 2))
	young := listenTogether(t, old.addr, 2)
	for range 20 {
		old.dial() // the young ones wait for their program
	}
	second, _ := steer(t, SteerByLeast, young, make([][]int, 2))
	for range 20 {
		young.dial()
	}
	if n, m := first.Given(0).All+first.Given(1).All, second.Given(0).All+second.Given(1).All; n != 20 || m != 20 {
		t.Errorf("the first gave %d, the second %d, want 20 each", n, m)
	}
	for _, ln := range young.open {
		ln.Close()
	}
	for range 5 {
		old.dial()
	}
	if u := second.Unsteered(); u.Gone != 5 {
		t.Errorf("%+v: the program of sockets that are gone leaves it to the hash", u)
	}
	if err := Detach(old.files[0]); err != nil {
		t.Fatal(err)
	}
	if err := Detach(old.files[0]); err != nil {
		t.Errorf("once more: %v", err)
	}
	old.dial()
	if u := second.Unsteered(); u.Gone != 5 {
		t.Errorf("%+v: it was detached", u)
	}
}

// Where the kernel does not take programs, the error says what it needs; where it takes only the older kind, that is used.
func TestSteeringWithoutTheKernel(t *testing.T) {
	refused := func(*ebpf.CollectionSpec, any, *ebpf.CollectionOptions) error { return unix.EPERM }
	_, err := OpenSteering(SteeringOptions{Mode: SteerByLeast, CPUs: make([][]int, 2), Load: refused})
	var missing *MissingError
	if !errors.As(err, &missing) || !errors.Is(err, unix.EPERM) {
		t.Fatalf("%v", err)
	}
	older := func(spec *ebpf.CollectionSpec, to any, o *ebpf.CollectionOptions) error {
		if x, ok := to.(*struct {
			Program *ebpf.Program `ebpf:"steer_and_migrate"`
			Sockets *ebpf.Map     `ebpf:"sockets"`
		}); ok && x != nil {
			return unix.EINVAL
		}
		return Load(spec, to, o)
	}
	s, err := OpenSteering(SteeringOptions{Mode: SteerByLeast, CPUs: make([][]int, 2), Stall: time.Hour, Load: older})
	available(t, err)
	defer s.Close()
	if s.Migrates() {
		t.Error("it says that it has the newer kind")
	}
	l := listenTogether(t, "127.0.0.1:0", 2)
	g, err := s.Group(l.files, []int{0, 1})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Attach(); err != nil {
		t.Fatal(err)
	}
	s.Seat(0).Flows.Store(9)
	if got := l.dial(); got != 1 {
		t.Errorf("loop %d got it", got)
	}
}

// A connection that waits at a socket goes over to another one of the group when its socket closes (Linux 5.14).
func TestSteeringMigrates(t *testing.T) {
	var files [2]int
	addr := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	for i := range files {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = fd
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		if err := errors.Join(unix.Bind(fd, addr), unix.Listen(fd, 16)); err != nil {
			t.Fatal(err)
		}
		name, err := unix.Getsockname(fd)
		if err != nil {
			t.Fatal(err)
		}
		addr.Port = name.(*unix.SockaddrInet4).Port
	}
	defer unix.Close(files[1])
	s, g := steer(t, SteerByLeast, &listeners{files: files[:]}, make([][]int, 2))
	if !s.Migrates() {
		unix.Close(files[0])
		t.Skip("Linux before 5.14")
	}
	s.Seat(1).Flows.Store(10)
	client, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: addr.Addr[:], Port: addr.Port})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if s.Given(0).All != 1 {
		t.Fatalf("%+v", s.Given(0))
	}
	g.Close() // the sockets keep the program
	unix.Close(files[0])
	if err := unix.SetNonblock(files[1], true); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		fd, _, err := unix.Accept(files[1])
		if err == nil {
			unix.Close(fd)
			return
		}
		if err != unix.EAGAIN || time.Now().After(deadline) {
			t.Fatalf("it did not come: %v", err)
		}
	}
}
