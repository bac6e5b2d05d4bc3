package netns

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace by its name, whether it is there or not. Its methods may be called from any goroutine.
type Namespace struct {
	Name string
	set  *Set
	path string

	current  atomic.Pointer[inside] // nil: it is not there
	counters counters

	mu      sync.Mutex // orders look and leave; guards what follows
	since   time.Time
	problem error // why it could not be entered, as it was told; nil: it could, or is absent
	left    bool  // the set is closed
}

// counters are for Status.
type counters struct {
	made, taken, missed, failed, came, went atomic.Uint64
}

// Status is what is known of a namespace now. The numbers count from the start of the process.
type Status struct {
	Present bool
	Inode   uint64    // 0: it is absent
	Since   time.Time // it is there, or absent
	Problem error     // why it cannot be entered, though something is there; nil: none
	Made    uint64    // sockets for the pools
	Taken   uint64    // sockets that were there when they were needed
	Missed  uint64    // times that a pool was empty
	Failed  uint64    // times that no socket could be made
	Came    uint64    // times that it was entered
	Went    uint64    // times that it was gone, or was another one
	Waiting int       // sockets in the pools
}

func newNamespace(s *Set, name string) *Namespace {
	return &Namespace{Name: name, set: s, path: pathOf(s.options.Directory, name), since: time.Now()}
}

// Present tells whether sockets can be made in the namespace.
func (n *Namespace) Present() bool { return n.current.Load() != nil }

// Status gives what is known of it.
func (n *Namespace) Status() Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &n.counters
	st := Status{
		Since: n.since, Problem: n.problem, Made: c.made.Load(), Taken: c.taken.Load(), Missed: c.missed.Load(), Failed: c.failed.Load(),
		Came: c.came.Load(), Went: c.went.Load(),
	}
	if in := n.current.Load(); in != nil {
		st.Present, st.Inode = true, in.identity.inode
		for i := range in.shelves {
			st.Waiting += int(in.shelves[i].made.Load() - in.shelves[i].taken.Load())
		}
	}
	return st
}

// Take gives a nonblocking, unconnected stream socket of an address family (AF_INET, AF_INET6, AF_UNIX) that was made in the
// namespace; it is the caller's. It never waits. EAGAIN: none is ready, see Await. ENONET: the namespace is not there.
func (n *Namespace) Take(family int) (int, syscall.Errno) {
	in := n.current.Load()
	if in == nil {
		return 0, unix.ENONET
	}
	s := in.shelf(family)
	if s == nil {
		return 0, unix.EAFNOSUPPORT
	}
	fd := s.take()
	if fd == 0 {
		n.counters.missed.Add(1)
		return 0, unix.EAGAIN
	}
	n.counters.taken.Add(1)
	return fd, 0
}

// Await is for those whom Take gave EAGAIN: tell is called once, when it is worth trying again (0), or with the reason why there
// is no socket. It is called by the namespace's thread, or before Await returns, and must not block. Others may have
// taken all sockets before the caller does.
func (n *Namespace) Await(family int, tell func(syscall.Errno)) {
	in := n.current.Load()
	if in == nil {
		tell(unix.ENONET)
		return
	}
	if s := in.shelf(family); s == nil || !s.await(tell) {
		tell(0) // it is gone, or another one: Take tells which
	}
}

// Make is Take for those who can wait for the namespace's thread. Its sockets are made for the caller.
func (n *Namespace) Make(family int) (int, error) {
	var fd int
	var errno syscall.Errno
	err := n.Do(func() { fd, errno = newSocket(family) })
	switch {
	case err != nil:
		return 0, err
	case errno != 0:
		n.counters.failed.Add(1)
		return 0, os.NewSyscallError("socket", errno)
	}
	return fd, nil
}

// Do runs a function on the namespace's thread, in the namespace, and waits for it. The function must not lock, unlock or
// move its goroutine's thread, and should be quick: others wait for the same thread. The error is an AbsentError; the function has
// not run then.
func (n *Namespace) Do(do func()) error {
	in := n.current.Load()
	if in == nil {
		return n.absent()
	}
	done := make(chan struct{})
	if !in.do(func() { defer close(done); do() }) {
		return n.absent()
	}
	<-done
	return nil
}

func (in *inside) shelf(family int) *shelf {
	switch family {
	case unix.AF_INET:
		return &in.shelves[0]
	case unix.AF_INET6:
		return &in.shelves[1]
	case unix.AF_UNIX:
		return &in.shelves[2]
	}
	return nil
}

func (n *Namespace) absent() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.problem != nil {
		return n.problem
	}
	return &AbsentError{Name: n.Name}
}

// look finds out what is at the name now, and enters or leaves. The error is why it is not entered; it is nil if all is as it was.
func (n *Namespace) look() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.left {
		return nil
	}
	in := n.current.Load()
	found, err := n.set.watch.identify(n.path)
	if err == nil && in != nil && in.identity == found {
		return nil
	}
	if in != nil {
		n.drop(in)
	}
	if err != nil {
		n.problem = nil
		return &AbsentError{Name: n.Name, Cause: err}
	}
	handle, found, err := n.set.watch.open(n.path)
	if err != nil {
		return &AbsentError{Name: n.Name, Cause: err}
	}
	in, err = enter(n, handle, found)
	if n.problem = err; err != nil {
		return err
	}
	n.since = time.Now()
	n.counters.came.Add(1)
	n.current.Store(in)
	return nil
}

// drop leaves what was at the name. Called under mu.
func (n *Namespace) drop(in *inside) {
	n.current.Store(nil)
	n.since = time.Now()
	n.counters.went.Add(1)
	in.dismiss()
}

// leave is the end of it.
func (n *Namespace) leave() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.left = true
	if in := n.current.Load(); in != nil {
		n.current.Store(nil)
		in.dismiss()
	}
}
