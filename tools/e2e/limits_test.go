package e2e

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// A full frontend, bind line or process accepts no more: who comes waits in the kernel and is served when a place is free.
func TestAcceptLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, global, bind, proxy string }{
		{name: "frontend", proxy: "maxconn 2"},
		{name: "bind", bind: "maxconn 2"},
		{name: "process", global: "maxconn 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
			text := config(logs, "", section("listen front", "bind "+addr+" "+c.bind, c.proxy, "server origin "+origin.Addr))
			if c.global != "" {
				text = strings.Replace(text, "maxconn 1000", c.global, 1)
			}
			// One loop: with several, each has a listening socket of its own, and only each socket's queue is in order.
			text = strings.Replace(text, "global\n", "global\n  nbthread 1\n", 1)
			b := harness.Start(t, text)
			one, two := harness.DialTCP(t, addr), harness.DialTCP(t, addr)
			exchange(t, one)
			exchange(t, two)
			three, four := harness.DialTCP(t, addr), harness.DialTCP(t, addr)
			harness.Say(t, three, "three")
			harness.Say(t, four, "fours")
			b.AssertIdle("full")
			if got := origin.Accepted.Load(); got != 2 {
				t.Errorf("%d connections reached the server, want 2", got)
			}
			if got := b.Streams(); got > 4 {
				t.Errorf("the balancer holds %d sockets, want 4", got)
			}
			// Which of both is next is the kernel's choice: each loop's listener has a queue of its own.
			answered := make(chan bool, 2)
			for client, word := range map[harness.Stream]string{three: "three", four: "fours"} {
				go func() {
					got := make([]byte, len(word))
					_, err := io.ReadFull(client, got)
					answered <- err == nil && string(got) == word
				}()
			}
			next := func() {
				t.Helper()
				select {
				case ok := <-answered:
					if !ok {
						t.Error("who waited got no answer")
					}
				case <-time.After(harness.Patience):
					t.Fatal("a free place is not taken by who waits for it")
				}
			}
			exchange(t, one)
			one.Close()
			next()
			if got := origin.Accepted.Load(); got != 3 {
				t.Errorf("%d connections reached the server, want 3", got)
			}
			two.Close()
			next()
			three.Close()
			four.Close()
		})
	}
}

// A full server's clients wait in order of arrival, and the log tells how many were before each.
func TestServerQueue(t *testing.T) {
	t.Parallel()
	logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
	b := harness.Start(t, config(logs, "timeout queue 20s", section("listen front", "bind "+addr, "server origin "+origin.Addr+" maxconn 1")))
	first := harness.DialTCP(t, addr)
	exchange(t, first)
	const waiting = 6
	var clients [waiting]harness.Stream
	answers := make(chan int, waiting)
	for i := range waiting {
		clients[i] = harness.DialTCP(t, addr)
		// Each is in the queue before the next one comes: its socket is held, and a moment passes.
		harness.Eventually(t, "it is accepted", func() bool { return b.Streams() == 3+i })
		time.Sleep(30 * time.Millisecond)
		go func() {
			harness.Say(t, clients[i], "hello")
			if n, _ := clients[i].Read(make([]byte, 5)); n > 0 {
				answers <- i
			}
		}()
	}
	b.AssertIdle("a queue of six")
	if got := origin.Open(); got != 1 {
		t.Fatalf("the server has %d connections, want 1", got)
	}
	first.Close()
	for i := range waiting {
		select {
		case got := <-answers:
			if got != i {
				t.Fatalf("client %d was served in place of %d", got, i)
			}
		case <-time.After(harness.Patience):
			t.Fatalf("client %d is never served", i)
		}
		if got := established(t, origin.Addr); got != 1 {
			t.Errorf("the server has %d connections, want 1", got)
		}
		clients[i].Close()
	}
	for i := range waiting + 1 {
		flow := logs.Flow(t)
		if flow.State != "--" || flow.BackQueue != i || (flow.Tw >= 900) != (i > 0) {
			t.Errorf("flow %d: %+v, want %d before it in the backend's queue", i, flow, i)
		}
	}
}

// established counts the connections to a server that its clients have not ended. The server's own goroutines see an
// end later than the kernel does, so they are no measure of a limit.
func established(t *testing.T, addr string) int {
	t.Helper()
	return strings.Count(harness.Run(t, "ss", "-tnH", "state", "established", "sport = :"+port(addr)), "\n")
}

// Slots of several servers add up, no server ever has more than its own, and none stays unused while somebody waits.
func TestServerLimits(t *testing.T) {
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	servers, origins := holders(t, 2)
	lines := []string{"bind " + addr, "balance roundrobin", servers[0] + " maxconn 3", servers[1] + " maxconn 5"}
	harness.Start(t, config(logs, "timeout queue 20s", section("listen front", lines...)))
	const n = 20
	served := make(chan harness.Stream, n)
	for range n {
		client := harness.DialTCP(t, addr)
		go func() {
			if got, _ := client.Read(make([]byte, 2)); got == 2 {
				served <- client
			}
		}()
	}
	harness.Eventually(t, "every slot is used", func() bool { return len(served) == 8 })
	for done := range n {
		for i, limit := range []int{3, 5} {
			if got := established(t, origins[i].Addr); got > limit {
				t.Errorf("server %d has %d connections, its maxconn is %d", i, got, limit)
			}
		}
		(<-served).Close()
		harness.Eventually(t, "its slot is passed on", func() bool { return len(served) == min(8, n-1-done) })
	}
	if origins[0].Accepted.Load()+origins[1].Accepted.Load() != n {
		t.Errorf("the servers got %d and %d connections, want %d", origins[0].Accepted.Load(), origins[1].Accepted.Load(), n)
	}
}

// The command line's -n is the process's maxconn.
func TestMaxconnFlag(t *testing.T) {
	t.Parallel()
	addr, origin := harness.Loopback(t), harness.Serve(t, harness.Echo)
	dir := harness.ShortDir(t)
	harness.WriteFile(t, dir+"/a.cfg", fmt.Sprintf("defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\nlisten front\n  bind %s\n  server origin %s\n", addr, origin.Addr))
	b := harness.Start(t, "", harness.Options{Args: []string{"-db", "-n", "1", "-f", dir + "/a.cfg"}})
	harness.Eventually(t, "it listens", func() bool { return b.Listens(addr) })
	b.Rebase()
	one := harness.DialTCP(t, addr)
	exchange(t, one)
	two := harness.DialTCP(t, addr)
	harness.Say(t, two, "hello")
	time.Sleep(200 * time.Millisecond) // time enough to be served by mistake
	if got := origin.Accepted.Load(); got != 1 {
		t.Errorf("%d connections reached the server, want 1", got)
	}
	one.Close()
	harness.Hear(t, two, "hello")
}
