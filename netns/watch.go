package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	watchDescriptors = 3 // inotify, and directories that are kept open
	pollWithout      = time.Second
	pollWith         = 10 * time.Second
	settle           = time.Second          // how long after an event something may be mounted at a new name
	settlePoll       = 5 * time.Millisecond // how often it is looked for
)

// watch tells when something happens to names. Its events are hints: what there is, is looked up.
type watch struct {
	file *os.File // inotify; nil: it cannot be had

	mu          sync.Mutex
	directories map[string]*directory
	closed      bool
}

// directory is one with names in it.
type directory struct {
	spaces  []*Namespace
	watched bool
	kept    int // descriptor; negative: none
}

func newWatch(inotify bool) (*watch, error) {
	w := &watch{directories: make(map[string]*directory)}
	if !inotify {
		return w, nil
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	switch {
	case err == nil:
		w.file = os.NewFile(uintptr(fd), "inotify")
	case errors.Is(err, unix.ENFILE):
		return nil, os.NewSyscallError("inotify_init1", err)
	} // EMFILE: the user has all instances that it may have, or the kernel has no inotify: names are polled
	return w, nil
}

// add watches a directory for the sake of a namespace.
func (w *watch) add(path string, n *Namespace) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.directories[path]
	if d == nil {
		d = &directory{kept: -1}
		w.directories[path] = d
	}
	d.spaces = append(d.spaces, n)
	w.begin(path, d)
}

// begin watches a directory if it is there. Called under mu.
func (w *watch) begin(path string, d *directory) {
	if w.file == nil || w.closed || d.watched {
		return
	}
	const events = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE_SELF | unix.IN_ONLYDIR
	control, err := w.file.SyscallConn()
	if err != nil {
		return
	}
	control.Control(func(fd uintptr) {
		_, err := unix.InotifyAddWatch(int(fd), path, events)
		d.watched = err == nil
	})
}

// all tells whether every directory is watched; those that were not there are tried again.
func (w *watch) all() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	watched := w.file != nil
	for path, d := range w.directories {
		if d.kept < 0 {
			w.begin(path, d)
		}
		watched = watched && d.watched
	}
	return watched
}

// wait blocks until something happened; false: it is closed.
func (w *watch) wait() bool {
	var room [8 << 10]byte
	n, err := w.file.Read(room[:])
	if err != nil {
		return false
	}
	for at := 0; at+unix.SizeofInotifyEvent <= n; {
		mask, length := binary.NativeEndian.Uint32(room[at+4:]), binary.NativeEndian.Uint32(room[at+12:]) // struct inotify_event
		at += unix.SizeofInotifyEvent + int(length)
		if mask&unix.IN_IGNORED != 0 { // a directory is gone: it is watched again once it is there
			w.mu.Lock()
			for _, d := range w.directories {
				d.watched = false
			}
			w.mu.Unlock()
		}
	}
	return true
}

// keep opens the directories: see Set.KeepDirectories.
func (w *watch) keep() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for path, d := range w.directories {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("network namespaces in %s will not be found after 'chroot': %w", path, err)
		}
		d.kept = fd
	}
	return nil
}

// open is openAt for the path of a namespace.
func (w *watch) open(path string) (netns.NsHandle, identity, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := w.directories[filepath.Dir(path)]; d != nil && d.kept >= 0 {
		return openAt(d.kept, filepath.Base(path))
	}
	return openAt(unix.AT_FDCWD, path)
}

// identify is the package's identify for the path of a namespace.
func (w *watch) identify(path string) (identity, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := w.directories[filepath.Dir(path)]; d != nil && d.kept >= 0 {
		return identify(d.kept, filepath.Base(path))
	}
	return identify(unix.AT_FDCWD, path)
}

func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.file != nil {
		w.file.Close()
	}
	for _, d := range w.directories {
		if d.kept >= 0 {
			unix.Close(d.kept)
			d.kept = -1
		}
	}
}

// follow looks at the names, each time something happened and once in a while besides, until the set is closed.
func (s *Set) follow() {
	happened := make(chan struct{}, 1)
	if s.watch.file != nil {
		s.running.Add(1)
		go func() {
			defer s.running.Done()
			for s.watch.wait() {
				select {
				case happened <- struct{}{}:
				default:
				}
			}
		}()
	}
	told := make(map[*Namespace]string)
	var unsettled time.Time // until then it is looked often
	for {
		missing := s.look(told)
		interval := s.options.Poll
		switch {
		case missing && time.Now().Before(unsettled):
			interval = settlePoll
		case interval > 0:
		case s.watch.all():
			interval = pollWith
		default:
			interval = pollWithout
		}
		timer := time.NewTimer(interval)
		select {
		case <-happened:
			unsettled = time.Now().Add(settle)
		case <-timer.C:
		case <-s.quit:
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// look looks at all namespaces and tells what has changed. told is what was told of those that could not be entered. True: some are missing.
func (s *Set) look(told map[*Namespace]string) (missing bool) {
	for _, n := range s.Namespaces() {
		before := n.Status()
		err := n.look()
		now := n.Status()
		missing = missing || !now.Present
		went, came := now.Went != before.Went, now.Came != before.Came
		if s.options.Changed == nil {
			continue
		}
		if went {
			s.options.Changed(n, &AbsentError{Name: n.Name})
		}
		var absent *AbsentError
		switch {
		case came:
			delete(told, n)
			s.options.Changed(n, nil)
		case err != nil && !errors.As(err, &absent) && told[n] != err.Error():
			told[n] = err.Error()
			s.options.Changed(n, err)
		case err == nil, absent != nil:
			delete(told, n)
		}
		if s.ended() {
			return false
		}
	}
	return missing
}

func (s *Set) ended() bool {
	select {
	case <-s.quit:
		return true
	default:
		return false
	}
}
