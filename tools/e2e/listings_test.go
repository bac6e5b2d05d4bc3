package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// Listings of 5,000 servers and of many flows, at once and again and again: no loop is held up by them, and a reader who does
// not read makes no memory grow. With E2E_MEASURE=1 there are 9,000 flows, of which all but 2,000 wait for the server: a process
// may not have the descriptors for more that do not.
func TestHugeListings(t *testing.T) {
	harness.SluiceOnly(t, harness.OperatorsListings)
	const servers, served = 5000, 2000
	flows := served
	if os.Getenv("E2E_MEASURE") != "" {
		flows = 9_000
	}
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	text, socket := withSocket(t, config(logs, "", section("frontend front", "bind "+addr, fmt.Sprint("maxconn ", flows+200), "default_backend back"),
		section("backend back", "timeout queue 60s", fmt.Sprint("server a ", harness.Serve(t, harness.Echo).Addr, " maxconn ", served)),
		section("backend many", fmt.Sprintf("server-template x 1-%d 127.0.0.1:1", servers))))
	b := harness.Start(t, strings.Replace(text, "maxconn 1000", fmt.Sprint("maxconn ", flows+200), 1))
	var clients []harness.Stream
	for range flows {
		clients = append(clients, harness.DialTCP(t, addr))
	}
	harness.Eventually(t, "all flows are there", func() bool {
		return strings.Contains(operate(t, "unix", socket, "show info"), fmt.Sprintf("\nCurrConns: %d\n", flows))
	})
	operate(t, "unix", socket, "show stat; show sess; show servers state") // what is needed for it is allocated
	operate(t, "unix", socket, "clear counters")
	before := harness.Resident(b.PID)

	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for range 3 {
				if n := strings.Count(operate(t, "unix", socket, "show sess"), "\n"); n != flows+1 {
					t.Errorf("%d lines of sessions", n)
				}
				if n := strings.Count(operate(t, "unix", socket, "show stat many -1 -1"), "\n"); n != servers+3 {
					t.Errorf("%d lines of counters", n)
				}
				if n := strings.Count(operate(t, "unix", socket, "show servers state many"), "\n"); n != servers+3 {
					t.Errorf("%d lines of states", n)
				}
			}
		})
	}
	for i := range 200 { // meanwhile the flows go on
		harness.Exchange(t, clients[i], "still here")
	}
	all.Wait()
	judgeGaps(t, socket)

	var deaf []net.Conn
	for range 5 {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "show sess all;show stat;show servers state;show stat json\n")
		deaf = append(deaf, conn)
	}
	time.Sleep(500 * time.Millisecond) // a server that buffers would have it all by then
	if now := harness.Resident(b.PID); now-before > 32<<20 {
		t.Errorf("its memory grew from %d to %d KiB while nobody read", before>>10, now>>10)
	} else {
		t.Logf("memory: %d KiB, then %d KiB", before>>10, now>>10)
	}
	for _, conn := range deaf { // nothing was lost either
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		answer, err := io.ReadAll(conn)
		t.Logf("%d MB of answer", len(answer)/1_000_000)
		if err != nil || !strings.HasSuffix(string(answer), "]\n\n") {
			t.Errorf("%d bytes, %v", len(answer), err)
		}
	}
	for _, c := range clients {
		c.Close()
	}
}
