package netns

import (
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a socket costs the one who needs it: made on the spot in the process's own namespace, taken from the pool, awaited when the
// pool is empty, and made by the namespace's thread for one who waits. Closing it is counted with the one that is made by the thread only.
//
// As root: go test -run - -bench . ./netns
func BenchmarkOwnSocket(b *testing.B) {
	fds := make([]int, 0, 32)
	for left := b.N; left > 0; left -= cap(fds) {
		fds = fds[:0]
		for range min(left, cap(fds)) {
			fd, errno := newSocket(unix.AF_INET)
			if errno != 0 {
				b.Fatal(errno)
			}
			fds = append(fds, fd)
		}
		b.StopTimer()
		for _, fd := range fds {
			syscall.Close(fd)
		}
		b.StartTimer()
	}
}

// full opens a namespace, and gives a function that waits until its pool is full.
func full(b *testing.B) (*Namespace, func()) {
	name := freshName(b)
	add(b, name)
	_, n := open(b, Options{}, name, false)
	s := n.current.Load().shelf(unix.AF_INET)
	for s.low.Load() < mostShelf/2 {
		s.missed.Store(true)
		s.in.ask()
		time.Sleep(time.Millisecond)
	}
	return n, func() {
		for s.in.ask(); n.Status().Waiting < mostShelf; {
			time.Sleep(20 * time.Microsecond)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	n, refill := full(b)
	fds := make([]int, 0, mostShelf)
	b.ResetTimer()
	for left := b.N; left > 0; left -= cap(fds) {
		b.StopTimer()
		for _, fd := range fds {
			syscall.Close(fd)
		}
		fds = fds[:0]
		refill()
		b.StartTimer()
		for range min(left, cap(fds)) { // it wakes the thread once on the way
			fd, errno := n.Take(unix.AF_INET)
			if errno != 0 {
				b.Fatal(errno)
			}
			fds = append(fds, fd)
		}
	}
}

func BenchmarkAwait(b *testing.B) {
	n, _ := full(b)
	s := n.current.Load().shelf(unix.AF_INET)
	told := make(chan syscall.Errno, 1)
	tell := func(e syscall.Errno) { told <- e }
	var spent time.Duration
	low := s.low.Load()
	for b.Loop() {
		for s.low.Store(0); s.in.asked.Load(); time.Sleep(time.Microsecond) {
		}
		for fd := s.take(); fd != 0; fd = s.take() { // without its being filled again
			syscall.Close(fd)
		}
		time.Sleep(50 * time.Microsecond) // the thread sleeps
		s.low.Store(low)
		began := time.Now()
		n.Await(unix.AF_INET, tell)
		if e := <-told; e != 0 {
			b.Fatal(e)
		}
		spent += time.Since(began)
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N), "ns/await")
}

func BenchmarkMake(b *testing.B) {
	n, _ := full(b)
	for b.Loop() {
		fd, err := n.Make(unix.AF_INET)
		if err != nil {
			b.Fatal(err)
		}
		syscall.Close(fd)
	}
}

// BenchmarkEnter is what it costs that a namespace comes: the handle, the thread, and setns.
func BenchmarkEnter(b *testing.B) {
	name := freshName(b)
	add(b, name)
	for b.Loop() {
		s, err := New(Options{Poll: time.Hour})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Open(name, false); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		s.Close()
		b.StartTimer()
	}
}
