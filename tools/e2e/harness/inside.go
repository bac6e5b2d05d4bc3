package harness

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// WithinNamespace runs do on a thread in a network namespace that Namespace made. Sockets that do makes itself, not in goroutines of its
// own, are of that namespace. The thread goes back afterwards: it must not end, because programs under test end with the thread that
// started them (prctl(2), PR_SET_PDEATHSIG).
func WithinNamespace(namespace string, do func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer own.Close()
	other, err := os.Open("/run/netns/" + namespace)
	if err != nil {
		return err
	}
	defer other.Close()
	if err := unix.Setns(int(other.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("entering the network namespace %s: %w", namespace, err)
	}
	defer func() {
		if err := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(fmt.Sprintf("leaving the network namespace %s: %v", namespace, err))
		}
	}()
	return do()
}
