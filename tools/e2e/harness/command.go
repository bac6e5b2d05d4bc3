package harness

import (
	"bytes"
	"context"
	"os/exec"
	"testing"
	"time"
)

// Run runs a program to its end and returns what it printed on standard output. It fails the test on a non-zero exit.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	stdout, stderr, code := Exec(t, nil, name, args...)
	if code != 0 {
		t.Fatalf("%s %q ended with %d:\n%s%s", name, args, code, stdout, stderr)
	}
	return stdout
}

// Exec runs a program to its end, with input, and returns what it printed and its exit code.
func Exec(t testing.TB, input []byte, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%s %q does not end; it said:\n%s%s", name, args, out.String(), errs.String())
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Balancer runs the program under test to its end.
func RunSubject(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return Exec(t, nil, Subject.Path, args...)
}
