package e2e

import (
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// lockedText collects what a process writes.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// statistics reads "show stat": the columns' names up to "-", and the rows by "proxy/name".
func statistics(t *testing.T, socket string) ([]string, map[string]map[string]string) {
	t.Helper()
	text := operate(t, "unix", socket, "show stat")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "# "))).ReadAll()
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	names := rows[0]
	for i, name := range names {
		if name == "-" {
			names = names[:i]
			break
		}
	}
	all := make(map[string]map[string]string)
	for _, r := range rows[1:] {
		x := make(map[string]string)
		for i, name := range names {
			x[name] = r[i]
		}
		all[x["pxname"]+"/"+x["svname"]] = x
	}
	return names, all
}

// Columns that are not equal after the same traffic, and why.
var statDifferences = map[string]string{
	"iid":            "haproxy gives its own stats frontend the first id",
	"lastchg":        "times, to a second",
	"lastsess":       "times, to a second",
	"downtime":       "times, to a second",
	"check_duration": "times",
	"qtime":          "times: haproxy's average begins from 0 and is too low until it has seen 512 sessions",
	"ctime":          "times",
	"ttime":          "times",
	"qtime_max":      "times",
	"ctime_max":      "times",
	"ttime_max":      "times",
	"rate":           "of the last second",
	"conn_rate":      "of the last second",
	"rate_max":       "haproxy's window slides, ours is looked at once a second",
	"conn_rate_max":  "haproxy's window slides, ours is looked at once a second",
	"need_conn_est":  "an estimate for idle connections, which are not kept here",
	"check_health":   "as many checks as came in the time",
	"used_conn_cur":  "haproxy counts at the connection, sluice at the slot",
	"smax":           "when a session ends depends on the order in which the two ends are seen",
}

// After the same traffic on the same configuration sluice and haproxy show the same, column by column.
func TestStatLikeHAProxy(t *testing.T) {
	if harness.Subject.HAProxy {
		t.Skip("this compares the two")
	}
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		harness.Skip(t, "haproxy is not installed")
	}
	good, gone := harness.Serve(t, harness.Echo).Addr, harness.Refused(t)
	resets := harness.Serve(t, func(s harness.Stream) { s.Read(make([]byte, 1)); harness.Reset(s) }).Addr
	run := func(start func(text string), front, broken, aborted, socket string) map[string]map[string]string {
		start(`global
  maxconn 500
  stats socket ` + socket + ` level admin
defaults
  mode tcp
  timeout connect 2s
  timeout client 20s
  timeout server 20s
  retries 1
frontend front
  bind ` + front + `
  maxconn 100
  rate-limit sessions 1000
  default_backend pool
backend pool
  balance roundrobin
  server a ` + good + ` weight 3 check inter 100ms
  server b ` + good + ` maxconn 20 maxqueue 7
  server c ` + gone + ` check inter 100ms fastinter 50ms
  server d ` + good + ` disabled
  server e ` + good + ` backup
  server f ` + good + ` track pool/a weight 0
listen broken
  bind ` + broken + `
  server x ` + gone + `
listen aborted
  bind ` + aborted + `
  balance leastconn
  server y ` + resets + `
`)
		harness.Eventually(t, "checks have found out", func() bool {
			_, rows := statistics(t, socket)
			return rows["pool/a"]["check_status"] == "L4OK" && rows["pool/c"]["status"] == "DOWN" && rows["pool/c"]["check_health"] == "0"
		})
		for range 12 {
			c := harness.DialTCP(t, front)
			harness.Exchange(t, c, "twelve bytes")
			c.CloseWrite()
			harness.AwaitEnd(t, c)
			c.Close()
		}
		for range 2 {
			c := harness.DialTCP(t, broken)
			harness.AwaitEnd(t, c)
			c.Close()
			c = harness.DialTCP(t, aborted)
			harness.Say(t, c, "x")
			harness.AwaitEnd(t, c)
			c.Close()
		}
		held := harness.DialTCP(t, front)
		harness.Exchange(t, held, "held")
		defer held.Close()
		var rows map[string]map[string]string
		harness.Eventually(t, "all is counted", func() bool {
			_, rows = statistics(t, socket)
			return rows["front/FRONTEND"]["scur"] == "1" && rows["broken/FRONTEND"]["scur"] == "0" && rows["aborted/FRONTEND"]["scur"] == "0"
		})
		return rows
	}
	dir := harness.ShortDir(t)
	ours := run(func(text string) { harness.Start(t, text) }, harness.Loopback(t), harness.Loopback(t), harness.Loopback(t), filepath.Join(dir, "sluice"))
	theirs := run(func(text string) {
		file := filepath.Join(dir, "haproxy.cfg")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(haproxy, "-db", "-f", file)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		if !harness.WaitUntil(10*time.Second, func() bool { _, err := os.Stat(filepath.Join(dir, "haproxy")); return err == nil }) {
			t.Fatal("haproxy has not opened its socket")
		}
	}, harness.Loopback(t), harness.Loopback(t), harness.Loopback(t), filepath.Join(dir, "haproxy"))

	names, _ := statistics(t, filepath.Join(dir, "sluice"))
	theirNames, _ := statistics(t, filepath.Join(dir, "haproxy"))
	if strings.Join(names, ",") != strings.Join(theirNames, ",") {
		t.Errorf("the columns are\n%v, and haproxy's\n%v", names, theirNames)
	}
	if len(ours) != len(theirs) || len(ours) != 14 {
		t.Errorf("%d rows, and %d of haproxy's", len(ours), len(theirs))
	}
	for row, columns := range theirs {
		for _, name := range names {
			if statDifferences[name] == "" && ours[row][name] != columns[name] {
				t.Errorf("%s %s: %q, and haproxy has %q", row, name, ours[row][name], columns[name])
			}
		}
	}
}
