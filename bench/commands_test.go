//go:build linux

package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/bench/result"
	"github.com/sluice-lb/sluice/bench/runner"
	subjects "github.com/sluice-lb/sluice/bench/subject"
)

// TestMain lets the test's program be bench itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "run" || os.Args[1] == "as") {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // with -race each process would rest for a second at its end
	os.Exit(m.Run())
}

// Ctrl-C in the middle of a run: exit code 0, a result that can be read, no process, and no file but the result.
func TestControlC(t *testing.T) {
	directory := t.TempDir()
	file := filepath.Join(directory, "x.json")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self, "run", "-scenarios", "keepalive-10,close", "-subjects", "direct,netpoll", "-rounds", "50", "-length", "100ms", "-calls=false", "-out", file)
	command.Env = append(os.Environ(), "TMPDIR="+directory)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as a shell does
	reader, writer := io.Pipe()
	command.Stdout, command.Stderr = io.Discard, writer
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- command.Wait()
		writer.Close()
	}()
	began := false
	lines := bufio.NewScanner(reader)
	for lines.Scan() {
		if !began && strings.Contains(lines.Text(), "runs") {
			began = true
			time.AfterFunc(2*time.Second, func() { syscall.Kill(-command.Process.Pid, syscall.SIGINT) })
		}
	}
	if err := <-ended; err != nil || !began {
		t.Fatalf("began: %v, ended: %v", began, err)
	}
	f, err := result.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if runs := len(f.Scenarios[0].Runs); !f.Interrupted || runs == 0 || runs >= 100 {
		t.Errorf("interrupted: %v, %d runs", f.Interrupted, runs)
	}
	if left, _ := filepath.Glob(directory + "/*"); len(left) != 1 || left[0] != file {
		t.Errorf("files: %q", left)
	}
	// Whatever was started has the temporary directory's name or the test's in its command line.
	lists, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil || filepath.Dir(list) == "/proc/"+itself() {
			continue
		}
		if bytes.Contains(text, []byte(directory)) || bytes.HasPrefix(text, []byte(self+"\x00as\x00")) {
			t.Errorf("%s: %q is left", list, text)
		}
	}
}

func itself() string {
	name, _ := os.Readlink("/proc/self")
	return name
}

func TestCommands(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.json")
	for _, c := range []struct {
		line string
		code int
		says string
	}{
		{"help", 0, "Commands:"},
		{"frobnicate", 2, "there is no command 'frobnicate'"},
		{"run -h", 0, "keepalive-200"},
		{"-scenarios nothing", 2, "there is no scenario 'nothing'"},
		{"-subjects nothing -scenarios close", 1, "there is no subject 'nothing'"},
		{"-quick -full", 2, "wrong arguments"},
		{"report", 2, "a result file is needed"},
		{"report " + missing, 1, "no such file"},
		{"diff one", 2, "two result files are needed"},
		{"diff " + missing + " " + missing, 1, "no such file"},
	} {
		var out, remarks bytes.Buffer
		code := run(strings.Fields(c.line), &out, &remarks)
		if said := out.String() + remarks.String(); code != c.code || !strings.Contains(said, c.says) {
			t.Errorf("%s: exit code %d, %s", c.line, code, said)
		}
	}
}

func TestPlan(t *testing.T) {
	var all []*subjects.Subject
	for _, kind := range slices.Concat(subjects.Standard, subjects.Features) {
		all = append(all, &subjects.Subject{Name: kind, Kind: kind})
	}
	for _, c := range []struct {
		name  string
		plan  runPlan
		quick bool
		limit time.Duration
	}{{"quick", quickPlan, true, 3 * time.Minute}, {"full", fullPlan, false, 30 * time.Minute}} {
		chosen, err := choose("", c.quick)
		if err != nil {
			t.Fatal(err)
		}
		o := runner.Options{Scenarios: chosen, Subjects: all, Rounds: c.plan.rounds, Secondary: c.plan.secondary, Calls: !c.quick, Profile: !c.quick}
		runs, beside := o.Looks()
		length, warmup := c.plan.times(runs, beside)
		if all := time.Duration(runs)*(length+warmup) + beside; all > c.limit || length < 100*time.Millisecond {
			t.Errorf("%s: %d runs of %v and %v, and %v: %v", c.name, runs, length, warmup, beside, all)
		} else {
			t.Logf("%s: %d runs of %v and %v, and %v: %v", c.name, runs, length, warmup, beside, all)
		}
	}
	if length, _ := fullPlan.times(1, 0); length != longest {
		t.Errorf("one run: %v", length)
	}
}
