package e2e

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// Out of descriptors while running: those who have a flow keep it, the others wait in the kernel, the process neither
// spins nor floods its log, and when flows end the others are served.
func TestOutOfDescriptors(t *testing.T) {
	t.Parallel()
	logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
	b := harness.Start(t, config(logs, "retries 0", section("listen front", "bind "+addr, "server origin "+origin.Addr)))
	zeroth := harness.DialTCP(t, addr) // its log line makes a logger open its socket
	exchange(t, zeroth)
	zeroth.Close()
	logs.WaitText(t, "front/origin")
	first := harness.DialTCP(t, addr)
	exchange(t, first)
	held, err := harness.ReadDescriptors(b.PID)
	if err != nil {
		t.Fatal(err)
	}
	// Room for ten flows more, from outside and while it runs: at its start it would refuse so low a limit.
	limit := held.All + 20
	harness.Run(t, "prlimit", "--pid", fmt.Sprint(b.PID), fmt.Sprintf("--nofile=%d:%d", limit, limit))
	var clients []harness.Stream
	for range 60 {
		client := harness.DialTCP(t, addr)
		harness.Say(t, client, "hello")
		clients = append(clients, client)
	}
	harness.Eventually(t, "the descriptors run out", func() bool {
		d, _ := harness.ReadDescriptors(b.PID)
		return d.All >= limit-1
	})
	b.AssertIdle("out of descriptors")
	time.Sleep(time.Second) // see how often it says so
	exchange(t, first)
	complaints := 0
	complaint := regexp.MustCompile(`(?i)descriptor|too many open|FD limit|ulimit`)
	for _, text := range append(logs.All(), b.Stderr.All()...) {
		if complaint.MatchString(text) {
			complaints++
		}
	}
	if complaints == 0 {
		t.Error("nothing was said about it")
	}
	if complaints > 4 && !harness.Differs(harness.OutOfDescriptors) { // once to the log and once to standard error, per shortage
		t.Errorf("it was said %d times:\n%s\n%s", complaints, logs.Text(), b.Stderr.Text())
	}
	// A flow that got its client's descriptor but none for the server is ended and logged; every other one is served in the
	// end. Nobody waits for ever. All clients read at once: those that were served hold what the others wait for.
	var served atomic.Int64
	var group sync.WaitGroup
	for _, client := range clients {
		group.Go(func() {
			answer := make([]byte, 5)
			if n, _ := io.ReadFull(client, answer); n == 5 {
				served.Add(1)
			}
			client.Close()
		})
	}
	group.Wait()
	t.Logf("%d of 60 were served, the complaint came %d times", served.Load(), complaints)
	if served.Load() < 5 {
		t.Errorf("only %d of 60 were served", served.Load())
	}
	if !harness.Differs(harness.LoggerSockets) {
		harness.Eventually(t, "every flow is logged", func() bool { return logs.Count(" front front/") == 1+60 })
	}
	first.Close()
	harness.Eventually(t, "all flows end", func() bool { return b.Streams() == 0 })
	last := harness.DialTCP(t, addr)
	exchange(t, last)
	last.Close()
}

// A limit that cannot hold maxconn is an error at the start, with both numbers.
func TestLimitTooLow(t *testing.T) {
	t.Parallel()
	harness.NeedRoot(t, "to take the right to raise limits away")
	dir, addr := harness.ShortDir(t), harness.Loopback(t)
	harness.WriteFile(t, dir+"/a.cfg", "global\n  maxconn 5000\n"+strings.Replace(valid, "127.0.0.1:1\n", addr+"\n", 1))
	// Root may raise hard limits (CAP_SYS_RESOURCE): without that capability the limit stands.
	_, stderr, code := harness.Exec(t, nil, "prlimit", "--nofile=1000:1000", "setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource",
		harness.Subject.Path, "-db", "-f", dir+"/a.cfg")
	if code != 1 || !strings.Contains(stderr, "1000") || !regexp.MustCompile(`10[01]\d\d`).MatchString(stderr) {
		t.Errorf("ended with %d, want 1 and an alert that names the limit and the need:\n%s", code, stderr)
	}
}
