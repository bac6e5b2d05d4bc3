package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// curl through the balancer to nginx: a small answer, one connection kept for several, a large body each way.
func TestCurl(t *testing.T) {
	t.Parallel()
	nginx, logs, addr := harness.StartNginx(t), harness.ReceiveUDP(t), harness.Loopback(t)
	harness.Start(t, config(logs, "", section("listen web", "bind "+addr, "server nginx "+nginx.Addr)))
	if got := harness.Run(t, "curl", "-sS", "http://"+addr+"/hello"); got != "hello from a file\n" {
		t.Errorf("curl got %q", got)
	}
	if flow := logs.Flow(t); flow.State != "--" || flow.Bytes < 100 {
		t.Errorf("%+v", flow)
	}

	// Three requests, one connection: curl counts the connects that it made.
	got := harness.Run(t, "curl", "-sS", "-w", "%{num_connects} ", "http://"+addr+"/1", "http://"+addr+"/2", "http://"+addr+"/3")
	if got != "nginx\n1 nginx\n0 nginx\n0 " {
		t.Errorf("three requests gave %q, want one connect", got)
	}
	if flow := logs.Flow(t); flow.State != "--" || flow.FeConn != 1 {
		t.Errorf("%+v", flow)
	}

	body := make([]byte, 20<<20)
	for i := range body {
		body[i] = byte(i * i >> 7)
	}
	want := fmt.Sprintf("%x", sha256.Sum256(body))
	big := filepath.Join(nginx.Root, "big")
	if err := os.WriteFile(big, body, 0o644); err != nil {
		t.Fatal(err)
	}
	down := filepath.Join(harness.ShortDir(t), "down")
	harness.Run(t, "curl", "-sS", "-o", down, "http://"+addr+"/big")
	if got := checksum(t, down); got != want {
		t.Errorf("the body came down as %s, want %s", got, want)
	}
	if flow := logs.Flow(t); flow.Bytes < int64(len(body)) || flow.State != "--" {
		t.Errorf("%+v, want at least %d bytes", flow, len(body))
	}
	harness.Run(t, "curl", "-sS", "-T", big, "http://"+addr+"/put/up")
	if got := checksum(t, filepath.Join(filepath.Dir(nginx.Root), "put", "up")); got != want {
		t.Errorf("the body went up as %s, want %s", got, want)
	}
}

func checksum(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

var wrkRequests = regexp.MustCompile(`(\d+) requests in`)

// wrk for two seconds over 200 connections, kept and closed each time: not one error.
func TestWrk(t *testing.T) {
	nginx, logs := harness.StartNginx(t), harness.ReceiveUDP(t)
	for _, header := range []string{"Connection: keep-alive", "Connection: close"} {
		t.Run(strings.Fields(header)[1], func(t *testing.T) {
			addr := harness.Loopback(t)
			b := harness.Start(t, config(logs, "no log", section("listen web", "bind "+addr, "server nginx "+nginx.Addr)))
			out := harness.Run(t, "wrk", "-t1", "-c200", "-d2s", "-H", header, "http://"+addr+"/hello")
			if strings.Contains(out, "Socket errors") || strings.Contains(out, "Non-2xx") {
				t.Errorf("wrk met errors:\n%s", out)
			}
			m := wrkRequests.FindStringSubmatch(out)
			if m == nil || len(m[1]) < 4 {
				t.Errorf("wrk made fewer than 1,000 requests:\n%s", out)
			}
			harness.Eventually(t, "wrk's flows end", func() bool { return b.Streams() <= 0 })
			b.AssertIdle("after load")
		})
	}
}
