//go:build linux

// Package process starts the programs of a measurement: pinned to cores, in a network namespace of their own where that is
// asked for, and never outliving the harness.
//
// A Room is a thread. What it starts inherits the thread's affinity and its network namespace, and is told to die with it
// (PR_SET_PDEATHSIG). A namespace has no name: it is gone when the last process in it is, so that even a harness that is
// killed leaves nothing behind.
package process

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Room is where processes are started. Any goroutine may use it; its work is done one after the other.
type Room struct {
	work chan func()
	tid  int
}

// NewRoom gives a room in the network namespace of this process, or, isolated, in a new one, whose only device is a loopback that is
// down. The latter needs CAP_SYS_ADMIN.
func NewRoom(isolated bool) (*Room, error) {
	r := &Room{work: make(chan func())}
	ready := make(chan error)
	go r.live(isolated, ready)
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	return r, nil
}

// live is the room's goroutine. It never unlocks its thread, so that the thread ends with it, and with the thread what was started.
func (r *Room) live(isolated bool, ready chan<- error) {
	runtime.LockOSThread()
	r.tid = unix.Gettid()
	if r.tid == unix.Getpid() { // the first thread never ends, and /proc/self is its namespace: leave it alone
		started := make(chan error)
		go r.live(isolated, started) // on another thread, since this one is taken
		err := <-started
		runtime.UnlockOSThread()
		ready <- err
		return
	}
	var err error
	if isolated {
		err = os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_NEWNET))
	}
	ready <- err
	if err != nil {
		return
	}
	for f := range r.work {
		f()
	}
}

// Do runs f on the room's thread: a socket that f makes is in the room's namespace. f must not start goroutines that make some.
func (r *Room) Do(f func()) {
	done := make(chan struct{})
	r.work <- func() {
		defer close(done)
		f()
	}
	<-done
}

// Namespace is the room's network namespace as a file, for as long as the room is open.
func (r *Room) Namespace() string { return fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), r.tid) }

// TID is the room's thread.
func (r *Room) TID() int { return r.tid }

// Close ends the room, and whatever was started in it and still runs.
func (r *Room) Close() { close(r.work) }
