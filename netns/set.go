package netns

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Directory is where "ip netns" keeps its names.
const Directory = "/var/run/netns"

// Options of a Set. The zero value will do.
type Options struct {
	Directory string        // of names; empty: Directory
	Pooled    int           // sockets that all pools together may hold, besides a few for each; 0: 64 for each family of each namespace
	Poll      time.Duration // how often every name is looked at, without inotify; 0: inotify, or each second where it cannot be had
	// Changed is told that a namespace came (nil), went, or could not be entered. One goroutine of the Set calls it; nil: nobody
	// is told.
	Changed func(n *Namespace, err error)
}

// Set is the namespaces of a process. Its methods may be called from any goroutine, Start once.
type Set struct {
	options  Options
	reserved atomic.Int64 // of Options.Pooled
	watch    *watch

	mu      sync.Mutex // guards what follows
	byName  map[string]*Namespace
	ordered []*Namespace
	started bool
	closed  bool
	quit    chan struct{}
	running sync.WaitGroup // threads and the watching goroutine
}

// New makes an empty Set. The error is that of inotify, if it is out of descriptors.
func New(o Options) (*Set, error) {
	if o.Directory == "" {
		o.Directory = Directory
	}
	s := &Set{options: o, byName: make(map[string]*Namespace), quit: make(chan struct{})}
	var err error
	s.watch, err = newWatch(o.Poll == 0)
	return s, err
}

// AbsentError is that there is nothing, or no network namespace, at a name.
type AbsentError struct {
	Name  string
	Cause error // nil: there was one, and it is gone
}

func (e *AbsentError) Error() string {
	if e.Cause == nil || errors.Is(e.Cause, unix.ENOENT) {
		return fmt.Sprintf("network namespace '%s' does not exist", e.Name)
	}
	return fmt.Sprintf("network namespace '%s': %v", e.Name, e.Cause)
}

func (e *AbsentError) Unwrap() error { return e.Cause }

// Open gives the namespace of a name, or of a path, which begins with a slash; the same one for the same name. It enters the
// namespace if it is there. If it is not, that is an AbsentError, unless the name is awaited: then Take and the like fail until
// it comes. A namespace that is there and cannot be entered is an error in any case, as it would be later.
func (s *Set) Open(name string, late bool) (*Namespace, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	n := s.byName[name]
	if n == nil {
		n = newNamespace(s, name)
		err := n.look()
		var absent *AbsentError
		if err != nil && !errors.As(err, &absent) {
			return nil, err
		}
		s.byName[name] = n
		s.ordered = append(s.ordered, n)
		s.watch.add(filepath.Dir(n.path), n)
	}
	if !late && !n.Present() {
		return nil, n.absent()
	}
	return n, nil
}

var errClosed = errors.New("the set of network namespaces is closed")

// Exists tells whether there is something at a name, without entering it: nil or an AbsentError.
func Exists(directory, name string) error {
	if directory == "" {
		directory = Directory
	}
	handle, _, err := openAt(unix.AT_FDCWD, pathOf(directory, name))
	if err != nil {
		return &AbsentError{Name: name, Cause: err}
	}
	return handle.Close()
}

func pathOf(directory, name string) string {
	if strings.HasPrefix(name, "/") {
		return filepath.Clean(name)
	}
	return filepath.Join(directory, name)
}

// KeepDirectories opens the directories that the names are in, so that they are found although the process will see another
// root directory (chroot(2)). Call it before Start. The error names a directory that is not there.
func (s *Set) KeepDirectories() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watch.keep()
}

// Namespaces gives all of them, in the order in which they were opened first.
func (s *Set) Namespaces() []*Namespace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Namespace(nil), s.ordered...)
}

// Descriptors is how many descriptors a set of n namespaces holds at most, without the sockets that were taken: each has its
// handle and its thread's eventfd.
func Descriptors(n, pooled int) int {
	if n == 0 {
		return 0
	}
	return 2*n + families*leastShelf*n + pooled + watchDescriptors
}

// reserve takes room for more pooled sockets within Options.Pooled, and tells whether there is some. A negative number gives back.
func (s *Set) reserve(more int64) bool {
	total := s.reserved.Add(more)
	if more <= 0 || s.options.Pooled == 0 || total <= int64(s.options.Pooled) {
		return true
	}
	s.reserved.Add(-more)
	return false
}

// Start begins to watch the names.
func (s *Set) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started || s.closed {
		return
	}
	s.started = true
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		s.follow()
	}()
}

// Close ends the watch and all threads, and closes what the pools hold. Further calls do nothing. Everything fails then as if all
// namespaces were gone, and nobody is told.
func (s *Set) Close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	close(s.quit)
	s.watch.close()
	all := s.ordered
	s.mu.Unlock()
	for _, n := range all {
		n.leave()
	}
	s.running.Wait()
}
