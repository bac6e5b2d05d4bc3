package lb

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// asProgram makes the test binary behave as sluice: its arguments are then sluice's.
const asProgram = "SLUICE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Main(os.Args, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// program prepares a run of sluice as a process of its own, which is killed when it goes on for too long.
func program(t *testing.T, arguments ...string) *exec.Cmd {
	patience, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	command := exec.CommandContext(patience, "/proc/self/exe", arguments...)
	command.Env = append(os.Environ(), asProgram+"=1")
	return command
}

// inProcess runs Main here and gives what it wrote. Only for runs that end by themselves.
func inProcess(arguments ...string) (code int, stdout, stderr string) {
	var out, problems bytes.Buffer
	code = Main(append([]string{"sluice"}, arguments...), &out, &problems)
	return code, out.String(), problems.String()
}

// writeFile puts a configuration into a directory of the test's own.
func writeFile(t *testing.T, name string, lines ...string) string {
	t.Helper()
	path := t.TempDir() + "/" + name
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
