package model

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// timeLimit is for one of the three programs of one search. The slowest takes a few seconds on an idle machine; the large
// ones some minutes.
const timeLimit = 5 * time.Minute

// search is what spin looks for.
type search struct {
	definitions string
	// cycles: look for runs without end. No process is owed its turn: a run in which one goes round for ever while another
	// stands still counts. Otherwise look for assertions that fail and for ends where somebody is stuck.
	cycles bool
	// large ones take minutes and gigabytes: only with MODEL_LARGE=1.
	large bool
}

// result is what pan said.
type result struct {
	output     string
	errors     string // how many
	violation  string // the first one; empty if there is none
	exhaustive bool
	states     string
	elapsed    time.Duration
}

// tools skips where spin or gcc is missing, except in CI.
func tools(t *testing.T) {
	t.Helper()
	for _, program := range []string{"spin", "gcc"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing; tools/setup installs it", program)
			}
			t.Skipf("needs %s (Debian: apt-get install spin gcc libc6-dev)", program)
		}
	}
}

// source is the model, read here so that go test knows that its result depends on it.
func source(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("queue.pml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// run has spin make a verifier for the model, compiles it and runs it.
func (s search) run(t *testing.T, model string) result {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "queue.pml"), []byte(model), 0o644); err != nil {
		t.Fatal(err)
	}
	generated := command(t, dir, "spin", append(append([]string{"-a"}, strings.Fields(s.definitions)...), "queue.pml")...)
	if strings.Contains(generated, "Error") || strings.Contains(generated, "error") {
		t.Fatalf("spin -a %s: %s", s.definitions, generated)
	}
	compile, look := "-DSAFETY", "-m100000"
	if s.cycles {
		compile, look = "-DNP", "-m100000 -l"
	}
	// Compiling takes longer than most searches do.
	optimise, memory := "-O0", "-DMEMLIM=1000"
	if s.large {
		optimise, memory = "-O2", "-DMEMLIM=8000"
	}
	if said := command(t, dir, "gcc", optimise, "-w", compile, memory, "-o", "pan", "pan.c"); said != "" {
		t.Fatalf("gcc: %s", said)
	}
	begin := time.Now()
	output := command(t, dir, "./pan", append(strings.Fields(look), "-w22")...)
	return parse(t, output, time.Since(begin))
}

// command runs a program and returns everything that it wrote. pan's exit status says nothing about what it found.
func command(t *testing.T, dir, name string, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeLimit)
	defer cancel()
	c := exec.CommandContext(ctx, name, arguments...)
	c.Dir = dir
	output, err := c.CombinedOutput()
	var status *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &status) {
		t.Fatalf("%s %s: %v (%v)\n%s", name, strings.Join(arguments, " "), err, ctx.Err(), output)
	}
	return string(output)
}

var (
	errorsLine    = regexp.MustCompile(`(?m)^State-vector \d+ byte, depth reached \d+, errors: (\d+)$`)
	statesLine    = regexp.MustCompile(`(?m)^ *([0-9.e+]+) states, stored`)
	violationLine = regexp.MustCompile(`(?m)^pan:1: (.*) \(at depth \d+\)$`)
	// What pan says of a search that left something out.
	partial = regexp.MustCompile(`(?i)search not completed|max search depth too small|out of memory|MEMLIM|bit statespace|hash-compact|truncated`)
)

func parse(t *testing.T, output string, elapsed time.Duration) result {
	t.Helper()
	found, states := errorsLine.FindStringSubmatch(output), statesLine.FindStringSubmatch(output)
	if found == nil || states == nil {
		t.Fatalf("pan ended early:\n%s", output)
	}
	r := result{output: output, errors: found[1], states: states[1], elapsed: elapsed, exhaustive: !partial.MatchString(output)}
	if v := violationLine.FindStringSubmatch(output); v != nil {
		r.violation = v[1]
	}
	return r
}
