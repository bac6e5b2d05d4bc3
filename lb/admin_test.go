package lb

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
)

// command sends a line to a stats socket and gives the answer.
func command(t testing.TB, socket, line string) string {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, line+"\n")
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return string(answer)
}

// Eight clients change everything there is to change, and look at everything, while flows come and go: no flow is lost, and
// nothing is left to wait for when the process stops in the middle of it.
func TestOperatorsDuringLoad(t *testing.T) {
	origin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer origin.Close()
	go func() {
		for {
			conn, err := origin.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(conn, conn); conn.Close() }()
		}
	}()
	addr, socket := freeAddress(t), filepath.Join(t.TempDir(), "s")
	b, _ := open(t, fmt.Sprintf(`
global
    nbthread 2
    stats socket %s level admin
    stats maxconn 20
defaults
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend front
    bind %s
    default_backend back
frontend idle
    bind %s
    default_backend back
backend back
    server a %s maxconn 4
    server b %s
    server c %s weight 5 backup
`, socket, addr, freeAddress(t), origin.Addr(), origin.Addr(), origin.Addr()))
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	port := origin.Addr().(*net.TCPAddr).Port
	lines := []string{
		"set server back/a weight %d", "set server back/b state drain;set server back/b state ready", "set maxconn server back/a %d",
		fmt.Sprintf("set server back/a addr 127.0.0.%%d port %d", port), "show stat", "show sess all", "show servers state;show queue;show loops;show info json",
		"disable frontend idle;enable frontend idle", "set maxconn frontend front 9;set maxconn frontend front 10", "set maxconn global 8;set maxconn global 0",
		"clear counters all", "shutdown session 0x%d", "shutdown sessions server back/c",
	}
	var operators, clients sync.WaitGroup
	var stop atomic.Bool
	for i := range 8 {
		operators.Go(func() {
			conn, err := net.Dial("unix", socket)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			go io.Copy(io.Discard, conn)
			io.WriteString(conn, "prompt\n")
			for n := 0; n < 150; n++ {
				line := lines[(n+i)%len(lines)]
				if strings.Contains(line, "%d") {
					line = fmt.Sprintf(line, n%9+1)
				}
				if _, err := io.WriteString(conn, line+"\n"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var done atomic.Int64
	for range 4 {
		clients.Go(func() {
			for !stop.Load() {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				conn.SetDeadline(time.Now().Add(10 * time.Second))
				io.WriteString(conn, "hello")
				answer := make([]byte, 5)
				if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "hello" {
					t.Errorf("%q, %v", answer, err)
				}
				conn.Close()
				done.Add(1)
			}
		})
	}
	operators.Wait()
	stop.Store(true)
	clients.Wait()
	if done.Load() == 0 {
		t.Error("no flow came through")
	}
	if got := command(t, socket, "get weight back/c"); got != "5 (initial 5)\n\n" {
		t.Errorf("%q", got)
	}
	end := make(chan struct{})
	go func() { // in the middle of commands
		defer close(end)
		for {
			conn, err := net.Dial("unix", socket)
			if err != nil {
				return
			}
			io.WriteString(conn, "disable frontend idle;enable frontend idle;show sess all\n")
			io.Copy(io.Discard, conn)
			conn.Close()
		}
	}()
	b.Stop()
	<-end
}

// A process that cannot start, because another socket is not to be had, leaves the running one's path alone, wherever it stands in the file.
func TestFailedStartLeavesTheSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	taken := "abns@" + filepath.Base(filepath.Dir(filepath.Dir(socket))) + strconv.Itoa(os.Getpid())
	text := "global\n    stats socket " + socket + " level admin\n    stats socket " + taken + "\nlisten front\n    bind " + freeAddress(t) + "\n    server a 127.0.0.1:1\n"
	b, _ := open(t, text)
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	cfg, found := config.Load([]config.File{{Name: "test.cfg", Data: []byte(text)}}, config.NewEnv(nil), config.LoadOptions{})
	if cfg == nil {
		t.Fatal(found)
	}
	if second, err := Open(cfg, Options{MaxConnOverride: 10}); err == nil || !strings.Contains(err.Error(), taken) {
		if err == nil {
			second.Stop()
		}
		t.Errorf("the second process: %v", err)
	}
	if got := command(t, socket, "show cli sockets"); !strings.Contains(got, "unix@"+socket+" admin all\n"+taken+" operator all\n") {
		t.Error(got)
	}
}

// A soft stop closes the socket; who is connected sees that the process stops.
func TestSocketAtSoftStop(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	b, _ := open(t, "global\n    stats socket "+socket+" level admin\nlisten front\n    bind "+freeAddress(t)+"\n    server a 127.0.0.1:1\n")
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	held := &struct{ net.Conn }{}
	var err error
	if held.Conn, err = net.Dial("unix", socket); err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	held.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(held, "prompt\n")
	if got := command(t, socket, "show stat front 1 -1"); !strings.Contains(got, ",OPEN,") {
		t.Error(got)
	}
	b.process.Flows.Add(1) // keeps the process
	b.SoftStop()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			break
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("the socket still takes connections")
		}
	}
	io.WriteString(held, "show stat front 1 -1;show info;quit\n")
	if rest, err := io.ReadAll(held); err != nil || !strings.Contains(string(rest), ",STOP,") || !strings.Contains(string(rest), "\nStopping: 1\n") {
		t.Errorf("%s, %v", rest, err)
	}
	b.process.Flows.Add(-1)
	<-b.Done()
}
