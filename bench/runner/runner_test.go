//go:build linux

package runner_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/bench/result"
	"github.com/sluice-lb/sluice/bench/runner"
	"github.com/sluice-lb/sluice/bench/scenario"
	"github.com/sluice-lb/sluice/bench/subject"
)

// programs are built once for all tests.
var programs string

// TestMain lets the test's program be the load and the origins.
func TestMain(m *testing.M) {
	if played, err := runner.Role(os.Args[1:], os.Stdin, os.Stdout); played {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // with -race each load and each origin would rest for a second at its end
	var err error
	if programs, err = os.MkdirTemp("", "bench-test"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(programs)
	os.Exit(code)
}

// find gives subjects, without those that are not installed.
func find(t *testing.T, names ...string) []*subject.Subject {
	t.Helper()
	found, missing, err := subject.Find(t.Context(), names, programs)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range missing {
		if strings.HasPrefix(m.Name, "sluice") || strings.HasPrefix(m.Name, "netpoll") {
			t.Fatalf("%s: %s", m.Name, m.Reason)
		}
		t.Logf("left out: %s: %s", m.Name, m.Reason)
	}
	return found
}

// options are those of a run that shows that things work. The test's machine may be busy with other tests.
func options(t *testing.T, scenarios []scenario.Scenario, subjects []*subject.Subject) runner.Options {
	return runner.Options{
		Scenarios: scenarios, Subjects: subjects, Rounds: 1, Length: 60 * time.Millisecond, Warmup: 30 * time.Millisecond, Tolerate: 100, Directory: t.TempDir(),
	}
}

// Each scenario at its smallest, with one balancer after the other.
func TestEveryScenario(t *testing.T) {
	all := find(t, "sluice", "haproxy", "nginx", "netpoll", "sluice-copy")
	for i, s := range scenario.All {
		t.Run(s.Name, func(t *testing.T) {
			if s.Veth && os.Geteuid() != 0 {
				t.Skip("only root may make network namespaces")
			}
			subjects := []*subject.Subject{all[i%len(all)]}
			if s.ServerMaxConn > 0 || s.Of == "haproxy" {
				subjects = find(t, "haproxy")
				if len(subjects) == 0 {
					t.Skip("no haproxy")
				}
			}
			if len(s.Features) > 0 {
				subjects = find(t, s.Features[i%len(s.Features)])
			}
			small := s.Smallest()
			o := options(t, []scenario.Scenario{small}, subjects)
			if s.RestartAfter > 0 {
				o.Length = 1500 * time.Millisecond
			}
			for {
				f, err := runner.Run(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				// On a machine that is busy with other tests so short a time may not be enough, nor after an origin's restart: a
				// balancer pauses a second between retries.
				if o.Length < 4*time.Second && tooShort(f) {
					o.Length, o.Warmup = 4*o.Length, 4*o.Warmup
					continue
				}
				check(t, f, s)
				return
			}
		})
	}
}

// tooShort tells if the load did not get to finish anything, or not to recover.
func tooShort(f *result.File) bool {
	runs := f.Scenarios[0].Runs
	lacks := func(metric string) bool { _, there := runs[0].Values[metric]; return !there }
	return len(runs) == 1 && (runs[0].Units == 0 || slices.ContainsFunc(f.Scenarios[0].Main, lacks) || slices.Contains(runs[0].Marks, "the rate did not come back"))
}

// check looks at a run of one scenario and one subject.
func check(t *testing.T, f *result.File, s scenario.Scenario) {
	t.Helper()
	if len(f.Scenarios) != 1 || len(f.Scenarios[0].Runs) != 1 || len(f.Scenarios[0].Missing) > 0 {
		t.Fatalf("not one run: %+v", f.Scenarios)
	}
	run := f.Scenarios[0].Runs[0]
	if len(run.Marks) > 0 || run.Units <= 0 {
		t.Errorf("%s: %v units, marks %q", run.Subject, run.Units, run.Marks)
	}
	for _, name := range s.Main {
		if v, there := run.Values[name]; !there || v < 0 && name != "kernel_per_flow" && name != "process_per_flow" {
			t.Errorf("%s: %s is %v", run.Subject, name, v)
		}
	}
	if f.Scenarios[0].Configurations[run.Subject] == "" {
		t.Errorf("%s: no configuration is recorded", run.Subject)
	}
}

// A subject that is slowed down on purpose must come out slower, and certainly so.
func TestSlowSubjectIsSlower(t *testing.T) {
	s, err := scenario.Choose("keepalive-1") // no load is at its limit with one request at a time
	if err != nil {
		t.Fatal(err)
	}
	o := options(t, s, find(t, "netpoll", "netpoll-slow"))
	o.Rounds, o.Length = 6, 100*time.Millisecond
	f, err := runner.Run(t.Context(), o)
	// On a busy machine many runs do not count: more rounds bring those that do.
	for err == nil && o.Rounds < 48 && !f.Scenarios[0].Ratio("netpoll-slow", "netpoll", "machine").Certain() {
		o.Rounds *= 2
		f, err = runner.Run(t.Context(), o)
	}
	if err != nil {
		t.Fatal(err)
	}
	for metric, least := range map[string]float64{"cpu": 2, "machine": 1} {
		r := f.Scenarios[0].Ratio("netpoll-slow", "netpoll", metric)
		t.Logf("%s: %+v", metric, r)
		if !r.Certain() || r.Low <= least {
			t.Errorf("%s of the slow one is not certainly above %g times that of the other: %+v", metric, least, r)
		}
	}
	if r := f.Scenarios[0].Ratio("netpoll", "netpoll", "cpu"); r.Value != 1 || r.Low != 1 || r.High != 1 {
		t.Errorf("compared with itself: %+v", r)
	}
}

// Whatever it is doing, an end of the context leaves what was measured, and nothing else: no process, no thread in another namespace, no file.
func TestInterrupted(t *testing.T) {
	names := "keepalive-1,close"
	if os.Geteuid() == 0 {
		names += ",keepalive-200-veth"
	}
	scenarios, err := scenario.Choose(names)
	if err != nil {
		t.Fatal(err)
	}
	for i := range scenarios {
		scenarios[i] = scenarios[i].Smallest()
	}
	o := options(t, scenarios, find(t, "direct", "netpoll"))
	o.Rounds, o.Length = 2, 300*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	last := o.Total() - 1
	o.Step = func(done, total int, _ string) {
		if done == last { // in the middle of the last one
			time.AfterFunc(200*time.Millisecond, cancel)
		}
	}
	started := time.Now()
	f, err := runner.Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	for _, s := range f.Scenarios {
		runs += len(s.Runs)
	}
	if !f.Interrupted || runs != last {
		t.Errorf("interrupted: %v, %d runs instead of %d", f.Interrupted, runs, last)
	}
	if left := children(t); len(left) > 0 {
		t.Errorf("left after %v: %q", time.Since(started), left)
	}
	for deadline := time.Now().Add(5 * time.Second); namespaces(t) > 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("threads are still in other network namespaces")
		}
	}
}

// children are the processes that this one has.
func children(t *testing.T) (list []string) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		_, after, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(after); len(fields) > 1 && fields[1] == fmt.Sprint(os.Getpid()) {
			list = append(list, string(text))
		}
	}
	return list
}

// namespaces counts the network namespaces that this process's threads are in.
func namespaces(t *testing.T) int {
	links, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, link := range links {
		if name, err := os.Readlink(link); err == nil {
			seen[name] = true
		}
	}
	return len(seen)
}
