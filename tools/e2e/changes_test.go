package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// Ten thousand changes of servers from eight clients while flows come and go: none is lost, no loop is held up, nothing is left
// behind.
func TestTenThousandChanges(t *testing.T) {
	harness.SluiceOnly(t, harness.OperatorsListings)
	const operators, each = 8, 1250
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	lines := []string{"balance leastconn", "server spare " + harness.Serve(t, harness.Echo).Addr}
	for i := range operators {
		lines = append(lines, fmt.Sprintf("server s%d %s maxconn 50", i, harness.Serve(t, harness.Echo).Addr))
	}
	text, socket := withSocket(t, config(logs, "", section("frontend front", "bind "+addr, "default_backend back"), section("backend back", lines...)))
	b := harness.Start(t, text)
	operate(t, "unix", socket, "show stat; clear counters")
	before := harness.Resident(b.PID)

	var all, clients sync.WaitGroup
	var stop atomic.Bool
	var flows atomic.Int64
	for range 4 {
		clients.Go(func() {
			for !stop.Load() {
				if answer, err := exchangeOnce(addr); err != nil || answer != "hello" {
					t.Errorf("%q, %v", answer, err)
					return
				}
				flows.Add(1)
			}
		})
	}
	start := time.Now()
	for i := range operators {
		all.Go(func() {
			conn, err := net.Dial("unix", socket)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(60 * time.Second))
			answers := bufio.NewReader(conn)
			io.WriteString(conn, "prompt\n")
			readAnswer(t, answers)
			changes := []string{"weight 7", "state maint", "state ready", "state drain", "state ready", "weight 100%", "health down", "health up"}
			for n := range each {
				fmt.Fprintf(conn, "set server back/s%d %s\n", i, changes[n%len(changes)])
				if answer := readAnswer(t, answers); answer != "" {
					t.Errorf("%s: %q", changes[n%len(changes)], answer)
					return
				}
			}
		})
	}
	all.Wait()
	took := time.Since(start)
	stop.Store(true)
	clients.Wait()
	t.Logf("%d changes and %d flows in %v", operators*each, flows.Load(), took.Round(time.Millisecond))
	for _, line := range strings.Split(operate(t, "unix", socket, "show loops"), "\n") {
		if fields := strings.Fields(line); len(fields) == 9 && fields[0] != "#" {
			gap, _ := strconv.Atoi(fields[8])
			t.Logf("loop %s: longest gap %d µs", fields[0], gap)
			if gap > 50_000 { // other processes share the CPUs
				t.Errorf("loop %s was held up for %d µs", fields[0], gap)
			}
		}
	}
	harness.Eventually(t, "no flow remains", func() bool { return operate(t, "unix", socket, "show sess") == "\n" })
	if now := harness.Resident(b.PID); now-before > 32<<20 {
		t.Errorf("memory grew from %d to %d KiB", before>>10, now>>10)
	}
}

// readAnswer reads up to the empty line, without the prompt before it.
func readAnswer(t *testing.T, r *bufio.Reader) string {
	var answer strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Error(err)
			return "broken"
		}
		line = strings.TrimPrefix(line, "> ")
		if line == "\n" {
			return answer.String()
		}
		answer.WriteString(line)
	}
}

// exchangeOnce sends a greeting on a connection of its own and gives what comes back.
func exchangeOnce(addr string) (string, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(conn, "hello")
	answer := make([]byte, 5)
	_, err = io.ReadFull(conn, answer)
	return string(answer), err
}
