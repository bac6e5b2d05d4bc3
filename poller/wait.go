package poller

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// coldAfter is how long a loop stays hot without an event, and how long a raw wait lasts at most. Raw waits of 2 ms, with
	// which it was measured to cost more, end before the kernel's next tick: probably it has to program the clock for each.
	coldAfter = 50 * time.Millisecond
	// hurryFor is how long a loop that is in a hurry asks for events before it sleeps. To be woken takes it tens of µs; what a
	// busy server and client on the same machine need for their next step is about as much.
	hurryFor = 100 * time.Microsecond
)

// wait fills l.events and returns their number.
//
// Hot, while events keep coming: a raw epoll_wait, without the scheduler's hand-off. The thread keeps its P meanwhile, and
// answers the garbage collector by signal. Cold, once the loop has been idle for coldAfter: the runtime is told, so that an
// idle loop holds no P and the collector need not signal it. Either way, Run's ordinary calls after each wait are the points
// where it is preempted.
func (l *Loop) wait() int {
	if len(l.again) > 0 || l.options.BusyPoll || l.mail.head.Load() != nil {
		n, _ := epollWaitRaw(l.epoll, l.events, 0)
		return n
	}
	timeout := l.untilTimer()
	if timeout == 0 {
		n, _ := epollWaitRaw(l.epoll, l.events, 0)
		return n
	}
	if l.hurried && l.now == l.busy && l.options.Now == nil {
		if n := l.hurry(); n > 0 {
			return n
		}
	}
	l.waiting.Store(true)
	if l.mail.head.Load() != nil || l.stopped.Load() {
		l.waiting.Store(false)
		n, _ := epollWaitRaw(l.epoll, l.events, 0)
		return n
	}
	var n int
	if l.now-l.busy < coldAfter {
		if most := int(coldAfter / time.Millisecond); timeout < 0 || timeout > most {
			timeout = most
		}
		n, _ = epollWaitRaw(l.epoll, l.events, timeout) // EINTR: an empty turn
	} else {
		n, _ = unix.EpollWait(int(l.epoll), l.events, timeout)
	}
	l.waiting.Store(false)
	return n
}

// hurry asks for events again and again, for a bounded time after a turn that had some.
func (l *Loop) hurry() int {
	for until := time.Since(epoch) + hurryFor; time.Since(epoch) < until && l.mail.head.Load() == nil; {
		if n, _ := epollWaitRaw(l.epoll, l.events, 0); n > 0 {
			return n
		}
	}
	return 0
}

// Hurry says whether somebody is held up by each µs that the loop sleeps too long. If so, it stays awake for up to 100 µs
// after each turn that had events.
func (l *Loop) Hurry(on bool) { l.hurried = on }

// untilTimer is the time to the first timer in milliseconds, rounded up; -1 if there is none.
func (l *Loop) untilTimer() int {
	when, _, _ := l.wheel.next()
	if when == neverExpire {
		return -1
	}
	wait := time.Duration(when)*time.Millisecond - l.now
	if wait <= 0 {
		return 0
	}
	return int(min((wait+time.Millisecond-1)/time.Millisecond, 1<<30))
}

func wakeEventFD(fd int32) {
	one := [8]byte{1}
	unix.Write(int(fd), one[:]) // cannot fail but by overflow after 2^64-2 writes
}
