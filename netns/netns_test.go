package netns

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var everyFamily = []int{syscall.AF_INET, syscall.AF_INET6, syscall.AF_UNIX}

// Whatever way a socket comes, it is in the namespace, and no thread of anybody else is.
func TestSocketsAreInTheNamespace(t *testing.T) {
	name := freshName(t)
	add(t, name)
	want := inodeOf(t, name)
	for _, by := range []string{name, Directory + "/" + name} {
		_, n := open(t, Options{}, by, false)
		for _, family := range everyFamily {
			made, err := n.Make(family)
			if err != nil {
				t.Fatal(err)
			}
			for _, fd := range []int{made, takeOne(t, n, family)} {
				if got := belongs(t, fd); got != want {
					t.Errorf("%s, family %d: a socket is in %d, want %d", by, family, got, want)
				}
				if flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0); flags&syscall.O_NONBLOCK == 0 {
					t.Errorf("family %d: the socket blocks", family)
				}
				syscall.Close(fd)
			}
		}
		if st := n.Status(); !st.Present || st.Inode != want || st.Came != 1 {
			t.Errorf("status %+v", st)
		}
		if own, err := os.Readlink("/proc/self/ns/net"); err != nil || strings.Contains(own, "["+itoa(want)+"]") {
			t.Errorf("the process is in %s, %v", own, err)
		}
	}
	if _, errno := (&Namespace{set: &Set{}}).Take(syscall.AF_INET); errno != syscall.ENONET {
		t.Errorf("without a namespace: %v", errno)
	}
}

// The pool doubles when it was empty, keeps to its limits, and gives no socket twice.
func TestPool(t *testing.T) {
	name := freshName(t)
	add(t, name)
	for _, test := range []struct{ pooled, most int }{{0, mostShelf}, {firstShelf, firstShelf}, {1, leastShelf}} {
		_, n := open(t, Options{Pooled: test.pooled}, name, false)
		seen := make(map[int]bool)
		for range 5 * mostShelf {
			fd := takeOne(t, n, syscall.AF_INET)
			if seen[fd] {
				t.Fatalf("descriptor %d was given twice", fd)
			}
			seen[fd] = true
			if waiting := n.Status().Waiting; waiting > test.most {
				t.Fatalf("%d sockets wait, want at most %d", waiting, test.most)
			}
		}
		for fd := range seen {
			syscall.Close(fd)
		}
		if st := n.Status(); st.Taken != 5*mostShelf || st.Missed == 0 {
			t.Errorf("status %+v", st)
		}
	}
}

// Many take at once: every socket is given once, and everyone gets one.
func TestManyTakers(t *testing.T) {
	name := freshName(t)
	add(t, name)
	_, n := open(t, Options{}, name, false)
	var all sync.WaitGroup
	var mu sync.Mutex
	open := make(map[int]bool)
	for range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 300 {
				fd := takeOne(t, n, syscall.AF_INET6)
				mu.Lock()
				if open[fd] {
					t.Errorf("descriptor %d was given twice", fd)
				}
				open[fd] = true
				mu.Unlock()
				runtime.Gosched()
				mu.Lock()
				delete(open, fd)
				mu.Unlock()
				syscall.Close(fd)
			}
		}()
	}
	all.Wait()
}

// A pool that nobody takes from holds no sockets.
func TestIdlePoolIsEmptied(t *testing.T) {
	name := freshName(t)
	add(t, name)
	defer func(d time.Duration) { idle = d }(idle)
	idle = 20 * time.Millisecond
	s, n := open(t, Options{}, name, false)
	syscall.Close(takeOne(t, n, syscall.AF_INET))
	await(t, "the pool is empty", func() bool { return n.Status().Waiting == 0 })
	await(t, "nothing is reserved", func() bool { return s.reserved.Load() == 0 })
	syscall.Close(takeOne(t, n, syscall.AF_INET))
	s.Close() // before idle is put back
}

func TestAbsent(t *testing.T) {
	name := freshName(t)
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var absent *AbsentError
	if _, err := s.Open(name, false); !errors.As(err, &absent) || !errors.Is(err, fs.ErrNotExist) && absent.Cause != nil {
		t.Errorf("an absent one: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, nil, 0o600)
	for _, other := range []string{file, "/proc/self/ns/uts"} {
		if err := Exists("", other); !errors.As(err, &absent) || !strings.Contains(err.Error(), "is not a network namespace") {
			t.Errorf("%s: %v", other, err)
		}
		if _, err := s.Open(other, false); !errors.As(err, &absent) {
			t.Errorf("%s: %v", other, err)
		}
	}
	n, err := s.Open(name, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Make(syscall.AF_INET); !errors.As(err, &absent) {
		t.Errorf("make: %v", err)
	}
	if err := n.Do(func() { t.Error("it ran") }); !errors.As(err, &absent) {
		t.Errorf("do: %v", err)
	}
	told := syscall.Errno(0)
	if n.Await(syscall.AF_INET, func(e syscall.Errno) { told = e }); told != syscall.ENONET {
		t.Errorf("await: %v", told)
	}
	if again, err := s.Open(name, true); again != n || err != nil {
		t.Errorf("the same name gives %v, %v", again, err)
	}
}

// news records what a set tells.
type news struct {
	mu    sync.Mutex
	lines []string
}

func (x *news) changed(n *Namespace, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	word := "came"
	if err != nil {
		word = err.Error()
	}
	x.lines = append(x.lines, word)
}

func (x *news) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.Join(x.lines, "; ")
}

// A name that comes, goes, and comes again as another namespace, while sockets are taken all the time. With inotify it is
// found at once; without, when it is looked for; and in directories that were opened beforehand.
func TestLateLostAndMadeAgain(t *testing.T) {
	for _, way := range []string{"inotify", "polled", "kept"} {
		t.Run(way, func(t *testing.T) {
			name := freshName(t)
			var x news
			o := Options{Changed: x.changed}
			if way == "polled" {
				o.Poll = 10 * time.Millisecond
			}
			s, n := open(t, o, name, true)
			if way == "kept" {
				if err := s.KeepDirectories(); err != nil {
					t.Fatal(err)
				}
			}
			s.Start()
			gone := "network namespace '" + name + "' does not exist"
			want := ""
			var old []int
			for round := range 3 {
				add(t, name)
				await(t, "it is there", n.Present)
				if round > 0 {
					want += "; "
				}
				want += "came"
				await(t, "it was told: "+want, func() bool { return x.text() == want })
				inode := inodeOf(t, name)
				for range 40 {
					fd := takeOne(t, n, syscall.AF_INET)
					if got := belongs(t, fd); got != inode {
						t.Fatalf("round %d: a socket is in %d, want %d", round, got, inode)
					}
					syscall.Close(fd)
				}
				old = append(old, takeOne(t, n, syscall.AF_INET))
				remove(t, name)
				want += "; " + gone
				await(t, "it was told: "+want, func() bool { return x.text() == want })
				if n.Present() || n.Status().Went != uint64(round)+1 {
					t.Errorf("round %d: %+v", round, n.Status())
				}
			}
			inodes := make(map[uint64]bool)
			for _, fd := range old {
				inodes[belongs(t, fd)] = true
				syscall.Close(fd)
			}
			if len(inodes) != len(old) {
				t.Errorf("the old sockets are in %d namespaces, want %d", len(inodes), len(old))
			}
		})
	}
}

// A namespace that is replaced under its name between two looks.
func TestReplacedBetweenLooks(t *testing.T) {
	name := freshName(t)
	add(t, name)
	var x news
	s, n := open(t, Options{Changed: x.changed}, name, false)
	before := n.Status().Inode
	remove(t, name)
	add(t, name)
	s.Start()
	await(t, "it is the new one", func() bool { return n.Status().Inode == inodeOf(t, name) })
	if n.Status().Inode == before {
		t.Error("the new one has the old one's inode")
	}
	await(t, "both were told", func() bool { return x.text() == "network namespace '"+name+"' does not exist; came" })
}

// Who cannot enter says so and what it needs, and tries again later.
func TestCannotEnter(t *testing.T) {
	name := freshName(t)
	add(t, name)
	n := newNamespace(&Set{watch: &watch{}, options: Options{Directory: Directory}}, name)
	handle, id, err := openAt(unix.AT_FDCWD, n.path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { // a thread without privileges, from which the new one is not made: it has its own
		runtime.LockOSThread()
		handle.Close()
		_, err := enter(n, handle, id)
		done <- err
	}()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "cannot be entered") {
		t.Errorf("a closed handle: %v", err)
	}
	n.set.running.Wait()
}

// A thousand times: open, take, close. Nothing is left behind, in the process or in the kernel.
func TestThousandRoundsLeaveNothing(t *testing.T) {
	name := freshName(t)
	add(t, name)
	round := func(i int) {
		o := Options{Poll: time.Hour}
		if i%20 == 0 {
			o.Poll = 0 // closing inotify takes the kernel some ms
		}
		s, n := open(t, o, name, false)
		s.Start()
		for _, family := range everyFamily {
			syscall.Close(takeOne(t, n, family))
		}
		s.Close()
	}
	for i := range 50 {
		round(i)
	}
	settled := func() (int, int) {
		await(t, "no thread is elsewhere", func() bool { return elsewhere(t) == 0 })
		return count(t, "fd"), count(t, "task")
	}
	files, threads := settled()
	for i := range 1000 {
		round(i)
	}
	await(t, "descriptors and threads are as before", func() bool {
		f, th := settled()
		return f <= files && th <= threads+4 // the runtime's own number of threads varies
	})
	inode := inodeOf(t, name)
	remove(t, name)
	await(t, "the kernel has forgotten the namespace", func() bool { return !held(t, inode) })
}

// held tells whether any process's thread or open file keeps a namespace: this test's own processes are those that could.
func held(t testing.TB, inode uint64) bool {
	for _, pattern := range []string{"/proc/self/fd/*", "/proc/self/task/*/ns/net"} {
		list, _ := filepath.Glob(pattern)
		for _, link := range list {
			if to, err := os.Readlink(link); err == nil && to == "net:["+itoa(inode)+"]" {
				return true
			}
		}
	}
	return false
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

// The thread is never the process's first.
func TestNotOnTheFirstThread(t *testing.T) {
	for range 200 {
		done := make(chan int)
		onThread(func() { done <- syscall.Gettid() })
		if tid := <-done; tid == os.Getpid() {
			t.Fatal("it ran on the first thread")
		}
	}
}
