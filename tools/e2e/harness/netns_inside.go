package harness

import (
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"testing"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// elsewhere runs a function on a thread that may go to another namespace, and brings it back. Throwing the thread away would kill
// the processes that it has started, which end with it (Pdeathsig, prctl(2)).
func elsewhere(do func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := netns.Get()
	if err != nil {
		return err
	}
	defer home.Close()
	defer func() {
		if err := netns.Set(home); err != nil {
			panic(err) // nothing could be relied upon
		}
	}()
	return do()
}

// within runs a function in a namespace. What it opens can be used by everybody.
func within(namespace string, do func() error) error {
	return elsewhere(func() error {
		handle, err := netns.GetFromName(namespace)
		if err != nil {
			return err
		}
		defer handle.Close()
		if err := netns.Set(handle); err != nil {
			return err
		}
		return do()
	})
}

// ServeIn is ServeOn in a namespace.
func ServeIn(t testing.TB, namespace, address string, handle func(Stream)) *Origin {
	t.Helper()
	var l net.Listener
	err := within(namespace, func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	return serve(t, l, err, handle)
}

// DialIn is DialTCP from a namespace.
func DialIn(t testing.TB, namespace, address string) Stream {
	t.Helper()
	conn, err := TryIn(namespace, address)
	return dialled(t, conn, err)
}

// TryIn connects from a namespace, or says why that is not possible.
func TryIn(namespace, address string) (conn net.Conn, err error) {
	err = within(namespace, func() (err error) {
		conn, err = net.DialTimeout("tcp", address, Patience)
		return err
	})
	return conn, err
}

// NameNamespace gives a name for a namespace that the test makes itself, and that is removed when the test ends.
func NameNamespace(t testing.TB, role string) string {
	t.Helper()
	name := Namespace(t, role)
	Run(t, "ip", "netns", "del", name)
	return name
}

// MakeNamespace makes a namespace with its loopback up, which the test removes.
func MakeNamespace(t testing.TB, name string) {
	t.Helper()
	Run(t, "ip", "netns", "add", name)
	Run(t, "ip", "-n", name, "link", "set", "lo", "up")
}

// ManyNamespaces makes n of them, with their loopbacks up, quicker than Namespace does.
func ManyNamespaces(t testing.TB, n int) []string {
	t.Helper()
	first := Namespace(t, "many")
	var names []string
	t.Cleanup(func() {
		for _, name := range names {
			exec.Command("ip", "netns", "del", name).Run()
		}
	})
	for i := range n {
		name := fmt.Sprintf("%s%d", first, i)
		names = append(names, name)
		if err := elsewhere(func() error {
			handle, err := netns.NewNamed(name)
			if err != nil {
				return err
			}
			defer handle.Close()
			return loopbackUp()
		}); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}
