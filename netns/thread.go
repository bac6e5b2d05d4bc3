package netns

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// idle is how long nobody may take a socket from a pool until it is emptied. Tests shorten it.
var idle = 30 * time.Second

// inside is one namespace as long as it exists under its name: the thread that lives in it, and its pools.
type inside struct {
	space    *Namespace
	handle   netns.NsHandle // closed by the thread when it ends
	identity identity
	eventFD  int
	shelves  [families]shelf
	asked    atomic.Bool // the eventfd was written and not read yet

	mu    sync.Mutex // guards what follows, and the eventfd's being open
	calls []func()   // that the thread is to run
	quit  bool
	ended bool
}

// enter makes a thread in the namespace that the handle is of, and waits until it is there. The handle is the thread's, or closed.
func enter(n *Namespace, handle netns.NsHandle, id identity) (*inside, error) {
	eventFD, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		handle.Close()
		return nil, os.NewSyscallError("eventfd", err)
	}
	in := &inside{space: n, handle: handle, identity: id, eventFD: eventFD}
	for i := range in.shelves {
		in.shelves[i].init(in, familyOf[i])
	}
	entered := make(chan error)
	n.set.running.Add(1)
	onThread(func() {
		defer n.set.running.Done()
		err := netns.Set(handle)
		if entered <- err; err == nil {
			in.live()
		}
		in.end()
	})
	if err := <-entered; err != nil {
		if err == unix.EPERM {
			return nil, fmt.Errorf("network namespace '%s' cannot be entered: %w; this needs CAP_SYS_ADMIN: start as root", n.Name, err)
		}
		return nil, fmt.Errorf("network namespace '%s' cannot be entered: %w", n.Name, os.NewSyscallError("setns", err))
	}
	return in, nil
}

// onThread runs do on a thread that nothing else ever runs on, and that ends with it. It is not the process's first one.
func onThread(do func()) {
	go func() {
		runtime.LockOSThread() // never unlocked, but on the first thread, which has not been changed then
		if unix.Gettid() != os.Getpid() {
			do()
			return
		}
		begun := make(chan struct{})
		go func() { // not on the first thread, because that is locked to another
			runtime.LockOSThread()
			close(begun)
			do()
		}()
		<-begun
		runtime.UnlockOSThread()
	}()
}

// live is what the thread does until it is told to quit.
func (in *inside) live() {
	for {
		in.asked.Store(false) // before it looks what is to be done: whoever asks later writes again
		in.mu.Lock()
		calls, quit := in.calls, in.quit
		in.calls = nil
		in.mu.Unlock()
		for _, call := range calls {
			call()
		}
		if quit {
			return
		}
		for i := range in.shelves {
			in.shelves[i].fill()
		}
		in.rest()
	}
}

// rest waits until somebody asks for something. What nobody has taken meanwhile is thrown away.
func (in *inside) rest() {
	timeout := -1
	for i := range in.shelves {
		if in.shelves[i].goal > 0 {
			timeout = int(idle / time.Millisecond)
		}
	}
	fds := []unix.PollFd{{Fd: int32(in.eventFD), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, timeout)
	if err == unix.EINTR {
		return
	}
	if n == 0 {
		for i := range in.shelves {
			in.shelves[i].rest()
		}
		return
	}
	var count [8]byte
	unix.Read(in.eventFD, count[:])
}

// ask wakes the thread. Any goroutine may call it; it never waits. Who finds it asked already can rely on the thread's looking
// after that moment.
func (in *inside) ask() {
	if in.asked.Load() || !in.asked.CompareAndSwap(false, true) {
		return
	}
	in.mu.Lock()
	if !in.ended {
		wake(in.eventFD)
	}
	in.mu.Unlock()
}

var one = [8]byte{1} // not changed; both supported architectures are little-endian

func wake(eventFD int) { unix.Write(eventFD, one[:]) }

// do has the thread run something; false: it has ended, or is about to.
func (in *inside) do(call func()) bool {
	in.mu.Lock()
	if in.quit || in.ended {
		in.mu.Unlock()
		return false
	}
	in.calls = append(in.calls, call)
	in.mu.Unlock()
	in.ask()
	return true
}

// dismiss tells the thread to end, after what it was given to do.
func (in *inside) dismiss() {
	in.mu.Lock()
	in.quit = true
	in.mu.Unlock()
	in.ask()
}

// end throws away what the thread has. It runs on the thread.
func (in *inside) end() {
	for i := range in.shelves {
		in.shelves[i].close()
	}
	in.handle.Close()
	in.mu.Lock()
	defer in.mu.Unlock()
	in.ended = true
	unix.Close(in.eventFD)
}

// newSocket makes a socket as the loops need them.
func newSocket(family int) (int, syscall.Errno) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err.(syscall.Errno)
	}
	return fd, 0
}
