package lb

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cilium "github.com/cilium/ebpf"

	"github.com/sluice-lb/sluice/lb/config"
)

// steeredBed runs a balancer of four loops in front of a server that echoes, and gives the address of its one listener.
func steeredBed(t *testing.T, mode string, o Options) (*Balancer, string) {
	t.Helper()
	origin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { origin.Close() })
	go func() {
		for {
			conn, err := origin.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(conn, conn)
				conn.Close()
			}()
		}
	}()
	front := freeAddress(t)
	text := "global\n  nbthread 4\n  maxconn 2000\n" + mode + "\nlisten b\n  mode tcp\n  bind " + front +
		"\n  timeout connect 1m\n  timeout client 1m\n  timeout server 1m\n  server a " + origin.Addr().String() + "\n"
	cfg, found := config.Load([]config.File{{Name: "s.cfg", Data: []byte(text)}}, nil, config.LoadOptions{})
	if cfg == nil {
		t.Fatal(found)
	}
	b, err := Open(cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	return b, front
}

// needSteering skips where the kernel or the user has no steering; CI as root has it.
func needSteering(t *testing.T, b *Balancer) {
	t.Helper()
	if b.steering != nil {
		return
	}
	if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
		t.Fatal("steering is off")
	}
	t.Skip("steering needs privileges")
}

// stall keeps a loop in its turn until the result is called, and returns when it is.
func stall(b *Balancer, loop int) (end func()) {
	begun, ended := make(chan struct{}), make(chan struct{})
	o := &order{do: func() { close(begun); <-ended }}
	o.To = o
	b.pollers[loop].Post(&o.Mail)
	<-begun
	return func() { close(ended) }
}

// echo makes one connection, says a word and waits for it to come back.
func echo(front string, limit time.Duration) error {
	conn, err := net.DialTimeout("tcp", front, limit)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	if _, err := conn.Write([]byte("word")); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, make([]byte, 4))
	return err
}

// A loop that is in a turn for longer than it may gets no connection: all are served while it does not move. Once it moves, it gets
// its share.
func TestStalledLoopGetsNoConnections(t *testing.T) {
	for _, mode := range []string{"cpu", "least"} {
		t.Run(mode, func(t *testing.T) {
			b, front := steeredBed(t, "  ebpf-steering reuseport "+mode, Options{})
			needSteering(t, b)
			end := sync.OnceFunc(stall(b, 2))
			defer end()
			time.Sleep(3 * stallAfter) // more only makes it surer
			for range 64 {
				if err := echo(front, time.Minute); err != nil {
					t.Fatalf("a connection was not served beside a loop that stalls: %v", err)
				}
			}
			if v := b.steering.view(4); v.Loops[2].Given != 0 || v.Loops[2].PassedBy == 0 || v.Hashed != 0 {
				t.Errorf("%+v", v)
			}
			end()
			for i := 0; b.steering.view(4).Loops[2].Given == 0; i++ {
				if err := echo(front, time.Minute); err != nil || i == 10000 {
					t.Fatalf("the loop gets nothing any more: %+v, %v", b.steering.view(4), err)
				}
			}
		})
	}
}

// What an older kernel and a process without privileges have: one warning that says what is missing, and everything works.
func TestSteeringDegrades(t *testing.T) {
	for _, mode := range []string{"cpu", "least"} {
		var mu sync.Mutex
		var said []string
		_, front := steeredBed(t, "  ebpf-steering reuseport "+mode, Options{
			Say: func(_ config.Severity, text string) {
				mu.Lock()
				defer mu.Unlock()
				said = append(said, text)
			},
			LoadProgram: func(*cilium.CollectionSpec, any, *cilium.CollectionOptions) error { return os.ErrPermission },
		})
		if err := echo(front, time.Minute); err != nil {
			t.Error(err)
		}
		mu.Lock()
		if len(said) != 1 || !strings.Contains(said[0], "'ebpf-steering reuseport "+mode+"' is off") || !strings.Contains(said[0], "Linux 5.8") ||
			!strings.Contains(said[0], "CAP_BPF") {
			t.Errorf("it said %q", said)
		}
		mu.Unlock()
	}
}

// Without the kernel's help a large range of ports has a socket for each, with a warning, and a prefix is an error at its line.
func TestLookupDegrades(t *testing.T) {
	refused := func(*cilium.CollectionSpec, any, *cilium.CollectionOptions) error { return os.ErrPermission }
	open := func(bind string) (*Balancer, []string, error) {
		var mu sync.Mutex
		var said []string
		cfg, found := config.Load([]config.File{{Name: "v.cfg", Data: []byte("global\n nbthread 1\n maxconn 10\nlisten b\n bind " + bind +
			"\n timeout connect 1m\n timeout client 1m\n timeout server 1m\n server a 127.0.0.1:1\n")}}, nil, config.LoadOptions{})
		if cfg == nil {
			t.Fatal(found)
		}
		b, err := Open(cfg, Options{LoadProgram: refused, Say: func(_ config.Severity, text string) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, text)
		}})
		mu.Lock()
		defer mu.Unlock()
		return b, slices.Clone(said), err
	}
	b, said, err := open("127.77.7.7:20000-21000")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop()
	if len(b.listeners) != 1001 || len(said) != 1 || !strings.Contains(said[0], "[v.cfg:5]") || !strings.Contains(said[0], "VIP lookup needs Linux 5.9") {
		t.Errorf("%d listeners; it said %q", len(b.listeners), said)
	}
	if _, _, err := open("198.51.100.0/24:443"); err == nil || !strings.Contains(err.Error(), "[v.cfg:5]") || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
		t.Errorf("a prefix: %v", err)
	}
}

// The loops tell what they carry, and what they have accepted.
func TestSeatsAreTrue(t *testing.T) {
	b, front := steeredBed(t, "  ebpf-steering reuseport least", Options{})
	needSteering(t, b)
	var open []net.Conn
	for range 40 {
		conn, err := net.Dial("tcp", front)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		open = append(open, conn)
	}
	sums := func() (flows, taken int64) {
		for i := range b.pollers {
			flows += b.steering.seat(i).Flows.Load()
			taken += b.steering.seat(i).Taken.Load()
		}
		return flows, taken
	}
	wait := func(flows, taken int64) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			f, n := sums()
			if f == flows && n == taken {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d flows of %d taken, want %d of %d", f, n, flows, taken)
			}
		}
	}
	wait(40, 40)
	for i := range b.pollers {
		if n := b.process.Loops[i].Open(); n != 10 {
			t.Errorf("loop %d carries %d of 40", i+1, n)
		}
	}
	for _, conn := range open {
		conn.Close()
	}
	wait(0, 40)
	for i := range b.pollers { // loops that have nothing to do wait
		for deadline := time.Now().Add(20 * time.Second); b.steering.seat(i).BusySince.Load() != 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("loop %d is busy with nothing", i+1)
			}
		}
	}
}

// TestSteeringLatency shows what a loop that keeps stalling does to new connections, spread by hash, cpu and least: one that comes
// every 5 ms while one of four loops stalls for 100 ms at a time. The numbers are in docs/ebpf.md; it runs when asked for:
//
//	STEERING_NUMBERS=1 go test -count=1 -v -run TestSteeringLatency ./lb
func TestSteeringLatency(t *testing.T) {
	if os.Getenv("STEERING_NUMBERS") == "" {
		t.Skip("STEERING_NUMBERS is not set")
	}
	t.Logf("%-6s %8s %8s %8s %8s %8s %s", "", "p50", "p90", "p99", "max", "> 20 ms", "sent to the stalling loop")
	for _, mode := range []string{"", "cpu", "least"} {
		line := ""
		if mode != "" {
			line = "  ebpf-steering reuseport " + mode
		}
		b, front := steeredBed(t, line, Options{})
		var over atomic.Bool
		var stalls sync.WaitGroup
		stalls.Go(func() {
			for !over.Load() {
				end := stall(b, 2)
				time.Sleep(100 * time.Millisecond)
				end()
				time.Sleep(20 * time.Millisecond)
			}
		})
		const connections = 2000
		took := make([]time.Duration, connections)
		var all sync.WaitGroup
		for i := range connections {
			all.Go(func() {
				began := time.Now()
				if err := echo(front, time.Minute); err != nil {
					t.Error(err)
				}
				took[i] = time.Since(began)
			})
			time.Sleep(5 * time.Millisecond)
		}
		all.Wait()
		over.Store(true)
		stalls.Wait()
		slices.Sort(took)
		late, _ := slices.BinarySearch(took, 20*time.Millisecond)
		name, sent := mode, "-"
		if mode == "" {
			name = "hash"
		} else {
			sent = fmt.Sprint(b.steering.view(4).Loops[2].Given)
		}
		at := func(permille int) time.Duration {
			return took[min(connections*permille/1000, connections-1)].Round(10 * time.Microsecond)
		}
		t.Logf("%-6s %8v %8v %8v %8v %8d %s", name, at(500), at(900), at(990), at(1000), connections-late, sent)
		b.Stop()
	}
}
