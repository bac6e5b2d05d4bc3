package check

import (
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
)

// interval is that of every scenario, and so its time limit.
const interval = 250 * time.Millisecond

// configuration gives the backends of scenarios: b0, b1, ...
func configuration(t testing.TB, list []scenario, limit time.Duration) string {
	var b strings.Builder
	for i, s := range list {
		fmt.Fprintf(&b, "backend b%d\n  mode tcp\n", i)
		if !strings.Contains(s.lines, "timeout connect") {
			b.WriteString("  timeout connect 5s\n")
		}
		b.WriteString("  timeout server 5s\n")
		for line := range strings.Lines(s.lines) {
			fmt.Fprintf(&b, "  %s\n", strings.TrimSuffix(line, "\n"))
		}
		if s.options != nil {
			s.args += " " + s.options(t)
		}
		fmt.Fprintf(&b, "  server s 127.0.0.1:%d check inter %dms %s\n", s.server(t), limit.Milliseconds(), s.args)
	}
	return b.String()
}

// once makes one check of a server, without a schedule.
func (s *Server) once(t testing.TB) string {
	t.Helper()
	told, text := 0, ""
	s.check(s.health, func(r backend.CheckResult) { told, text = told+1, shown(r) })
	if told != 1 {
		t.Errorf("the check had %d results: it was stopped, or told twice", told)
	}
	return text
}

// scenarios are those of all files.
var scenarios = slices.Concat(connects, expects, https, protocols, socks)

// All run at once, as in a process: most of them wait for something.
func TestScenarios(t *testing.T) {
	bed := newBed(t, "global\n  external-check\n  insecure-fork-wanted\n"+configuration(t, scenarios, interval), Options{Node: "node"})
	var all sync.WaitGroup
	for i, s := range scenarios {
		all.Go(func() {
			began := time.Now()
			if got := bed.servers[fmt.Sprintf("b%d", i)].once(t); got != s.want {
				t.Errorf("%s: %s\ngot  %q\nwant %q", s.name, s.lines, got, s.want)
			}
			if took := time.Since(began); took > 8*interval {
				t.Errorf("%s: took %v, with a limit of %v", s.name, took, interval)
			}
		})
	}
	all.Wait()
}

// The same servers and configurations are given to HAProxy, which must see the same.
func TestScenariosInHAProxy(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	if _, err := exec.LookPath("haproxy"); err != nil {
		t.Skip("haproxy is not installed (tools/setup installs it)")
	}
	asked := slices.Clone(scenarios)
	for i := range asked {
		if asked[i].haproxy == "-" {
			asked[i].lines = ""
		}
	}
	got := askHAProxy(t, asked)
	for i, s := range scenarios {
		want := s.haproxy
		if want == "" {
			want = s.want
		}
		if strings.Contains(want, "SOCKS4") { // it adds an error number that was left over from something else
			if strings.HasPrefix(got[fmt.Sprintf("b%d", i)], want+" (") {
				continue
			}
		}
		if seen := got[fmt.Sprintf("b%d", i)]; seen != want && want != "-" {
			t.Errorf("%s: %s\nhaproxy says %q\nwant         %q", s.name, s.lines, seen, want)
		}
	}
}

// askHAProxy gives what HAProxy's first check of each scenario's server came to.
func askHAProxy(t *testing.T, list []scenario) map[string]string {
	dir := t.TempDir()
	socket, file := filepath.Join(dir, "s"), filepath.Join(dir, "c")
	text := "global\n  stats socket " + socket + "\n  external-check\n  insecure-fork-wanted\n" +
		"listen front\n  mode tcp\n  bind unix@" + filepath.Join(dir, "l") + "\n  timeout client 5s\n  timeout connect 5s\n  timeout server 5s\n" +
		configuration(t, list, 2*interval)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("haproxy", "-db", "-f", file)
	output := filepath.Join(dir, "out")
	out, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	found := make(map[string]string)
	// The first checks are spread over an interval and take up to another. While one runs, the text of the last is not
	// shown: so look until each was seen.
	for end := time.Now().Add(8 * time.Second); len(found) < len(list) && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		stat, err := askStat(socket)
		if err != nil {
			continue
		}
		for _, row := range stat {
			if row["svname"] == "s" && row["check_status"] != "INI" && row["check_status"] != "" && !strings.HasPrefix(row["check_status"], "* ") {
				found[row["pxname"]] = strings.TrimSuffix(row["check_status"]+"/"+row["check_code"]+" "+row["last_chk"], " ")
			}
		}
	}
	if len(found) == 0 {
		said, _ := os.ReadFile(output)
		t.Fatalf("haproxy: %s", said)
	}
	return found
}

// askStat gives the rows of "show stat".
func askStat(socket string) ([]map[string]string, error) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	io.WriteString(c, "show stat\n")
	r := csv.NewReader(c)
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	var all []map[string]string
	for _, row := range rows[1:] {
		m := make(map[string]string)
		for i, cell := range row {
			if i < len(rows[0]) {
				m[strings.TrimPrefix(rows[0][i], "# ")] = cell
			}
		}
		all = append(all, m)
	}
	return all, nil
}
