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

// compared is a configuration that sluice and haproxy both run, at addresses of their own, for the same traffic.
type compared struct {
	front, broken, aborted, socket string
	good, gone, resets             string // servers of both
	more                           string // sections
}

// compare makes the two.
func compare(t *testing.T) (ours, theirs compared) {
	dir := harness.ShortDir(t)
	ours = compared{
		good: harness.Serve(t, harness.Echo).Addr, gone: harness.Refused(t),
		resets: harness.Serve(t, func(s harness.Stream) { s.Read(make([]byte, 1)); harness.Reset(s) }).Addr,
	}
	theirs = ours
	ours.socket, theirs.socket = filepath.Join(dir, "sluice"), filepath.Join(dir, "haproxy")
	for _, c := range []*compared{&ours, &theirs} {
		c.front, c.broken, c.aborted = harness.Loopback(t), harness.Loopback(t), harness.Loopback(t)
	}
	return ours, theirs
}

func (c compared) config() string {
	return `global
  maxconn 500
  stats socket ` + c.socket + ` level admin
defaults
  mode tcp
  timeout connect 2s
  timeout client 20s
  timeout server 20s
  retries 1
frontend front
  bind ` + c.front + `
  maxconn 100
  rate-limit sessions 1000
  default_backend pool
backend pool
  balance roundrobin
  server a ` + c.good + ` weight 3 check inter 100ms
  server b ` + c.good + ` maxconn 20 maxqueue 7
  server c ` + c.gone + ` check inter 100ms fastinter 50ms
  server d ` + c.good + ` disabled
  server e ` + c.good + ` backup
  server f ` + c.good + ` track pool/a weight 0
listen broken
  bind ` + c.broken + `
  server x ` + c.gone + `
listen aborted
  bind ` + c.aborted + `
  balance leastconn
  server y ` + c.resets + `
` + c.more
}

// startHAProxy runs haproxy itself.
func (c compared) startHAProxy(t *testing.T) {
	t.Helper()
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		harness.Skip(t, "haproxy is not installed")
	}
	file := c.socket + ".cfg"
	harness.WriteFile(t, file, c.config())
	cmd := exec.Command(haproxy, "-db", "-f", file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if !harness.WaitUntil(10*time.Second, func() bool { _, err := os.Stat(c.socket); return err == nil }) {
		t.Fatal("haproxy has not opened its socket")
	}
}

// traffic is the same each time; in the end one flow is open.
func (c compared) traffic(t *testing.T) (rows map[string]map[string]string) {
	t.Helper()
	harness.Eventually(t, "checks have found out", func() bool {
		_, rows := statistics(t, c.socket)
		return rows["pool/a"]["check_status"] == "L4OK" && rows["pool/c"]["status"] == "DOWN" && rows["pool/c"]["check_health"] == "0"
	})
	for range 12 {
		client := harness.DialTCP(t, c.front)
		harness.Exchange(t, client, "twelve bytes")
		client.CloseWrite()
		harness.AwaitEnd(t, client)
		client.Close()
	}
	for range 2 {
		client := harness.DialTCP(t, c.broken)
		harness.AwaitEnd(t, client)
		client.Close()
		client = harness.DialTCP(t, c.aborted)
		harness.Say(t, client, "x")
		harness.AwaitEnd(t, client)
		client.Close()
	}
	held := harness.DialTCP(t, c.front)
	harness.Exchange(t, held, "held")
	t.Cleanup(func() { held.Close() })
	harness.Eventually(t, "all is counted", func() bool {
		_, rows = statistics(t, c.socket)
		return rows["front/FRONTEND"]["scur"] == "1" && rows["broken/FRONTEND"]["scur"] == "0" && rows["aborted/FRONTEND"]["scur"] == "0"
	})
	return rows
}

// After the same traffic on the same configuration sluice and haproxy show the same, column by column.
func TestStatLikeHAProxy(t *testing.T) {
	if harness.Subject.HAProxy {
		t.Skip("this compares the two")
	}
	we, they := compare(t)
	harness.Start(t, we.config())
	ours := we.traffic(t)
	they.startHAProxy(t)
	theirs := they.traffic(t)
	names, _ := statistics(t, we.socket)
	theirNames, _ := statistics(t, they.socket)
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
