package netns

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var made atomic.Int64

// freshName is one that no other test uses.
func freshName(t testing.TB) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: to make network namespaces")
	}
	return fmt.Sprintf("netns-%d-%d", os.Getpid(), made.Add(1))
}

// add makes a namespace with its loopback up, which ends with the test.
func add(t testing.TB, name string) {
	t.Helper()
	ip(t, "netns", "add", name)
	t.Cleanup(func() { exec.Command("ip", "netns", "del", name).Run() })
	ip(t, "-n", name, "link", "set", "lo", "up")
}

func remove(t testing.TB, name string) {
	t.Helper()
	ip(t, "netns", "del", name)
}

func ip(t testing.TB, arguments ...string) {
	t.Helper()
	if out, err := exec.Command("ip", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(arguments, " "), err, out)
	}
}

// await waits for a condition.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// open makes a set with one namespace.
func open(t testing.TB, o Options, name string, late bool) (*Set, *Namespace) {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	n, err := s.Open(name, late)
	if err != nil {
		t.Fatal(err)
	}
	return s, n
}

// belongs tells the inode of the namespace that a socket is in (SIOCGSKNS, socket(7)'s net/socket.c).
func belongs(t testing.TB, fd int) uint64 {
	t.Helper()
	const siocgskns = 0x894C
	handle, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), siocgskns, 0)
	if errno != 0 {
		t.Fatalf("SIOCGSKNS: %v", errno)
	}
	defer syscall.Close(int(handle))
	var st syscall.Stat_t
	if err := syscall.Fstat(int(handle), &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// inodeOf is that of a namespace's name.
func inodeOf(t testing.TB, name string) uint64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(Directory+"/"+name, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// takeOne is what a loop does: take, or be told and take.
func takeOne(t testing.TB, n *Namespace, family int) int {
	t.Helper()
	for {
		fd, errno := n.Take(family)
		switch errno {
		case 0:
			return fd
		case syscall.EAGAIN:
			told := make(chan syscall.Errno, 1)
			n.Await(family, func(e syscall.Errno) { told <- e })
			if e := <-told; e != 0 {
				t.Fatalf("awaiting: %v", e)
			}
		default:
			t.Fatalf("take: %v", errno)
		}
	}
}

// count is how many entries a directory of /proc/self has.
func count(t testing.TB, directory string) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/" + directory)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// elsewhere counts the threads that are in another network namespace than the process.
func elsewhere(t testing.TB) int {
	t.Helper()
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, thread := range list {
		if theirs, err := os.Readlink("/proc/self/task/" + thread.Name() + "/ns/net"); err == nil && theirs != own {
			n++
		}
	}
	return n
}
