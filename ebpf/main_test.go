package ebpf

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// The test binary fails if a program, a map or a link is open at its end that was not at its beginning.
func TestMain(m *testing.M) {
	before := kernelObjects()
	code := m.Run()
	if leaked := kernelObjects(); len(leaked) > len(before) && code == 0 {
		fmt.Fprintf(os.Stderr, "open at the end: %v; at the beginning: %v\n", leaked, before)
		code = 1
	}
	os.Exit(code)
}

// kernelObjects lists the open descriptors of programs, maps, links and sockets.
func kernelObjects() []string {
	var found []string
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		target, _ := os.Readlink("/proc/self/fd/" + entry.Name())
		if strings.Contains(target, "bpf") || strings.HasPrefix(target, "socket:") {
			found = append(found, entry.Name()+" "+target)
		}
	}
	slices.Sort(found)
	return found
}

// available fails the test for err, but skips it where the kernel or the user does not have the feature. CI as root has
// everything.
func available(t testing.TB, err error) {
	t.Helper()
	var missing *MissingError
	switch {
	case err == nil:
	case !errors.As(err, &missing) || os.Getenv("CI") == "true" && os.Geteuid() == 0:
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

func TestMissingErrorNamesWhatIsNeeded(t *testing.T) {
	cause := errors.New("operation not permitted")
	err := error(&MissingError{"accept steering", "5.8", "CAP_BPF", cause})
	if want := "accept steering needs Linux 5.8 or later and CAP_BPF: operation not permitted"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
}
