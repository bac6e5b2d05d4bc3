package poller

import "sync/atomic"

// Recipient receives mail on its loop's thread.
type Recipient interface{ Deliver(m *Mail) }

// Mail is a message to something on a loop. It is embedded in what it concerns; once posted it belongs to the loop until
// it is delivered, and must not be posted again before that.
type Mail struct {
	To   Recipient
	next *Mail
}

// mailbox is a lock-free list: any goroutine pushes, the loop takes all at once.
type mailbox struct {
	head atomic.Pointer[Mail]
}

func (b *mailbox) push(m *Mail) {
	for {
		old := b.head.Load()
		m.next = old
		if b.head.CompareAndSwap(old, m) {
			return
		}
	}
}

// takeAll empties the box and returns its mail in the order of posting.
func (b *mailbox) takeAll() *Mail {
	if b.head.Load() == nil {
		return nil
	}
	var ordered *Mail
	for m := b.head.Swap(nil); m != nil; {
		next := m.next
		m.next = ordered
		ordered, m = m, next
	}
	return ordered
}

// Post sends m to its recipient on loop l. Any goroutine may call it. It writes the loop's eventfd only if the loop is
// waiting: the loop first says that it will wait and then looks into the box, the poster first fills the box and then
// looks whether the loop waits; Go's atomics are sequentially consistent, so one of the two sees the other.
func (l *Loop) Post(m *Mail) {
	l.mail.push(m)
	l.rouse()
}

func (l *Loop) rouse() {
	if l.waiting.Load() && l.waiting.CompareAndSwap(true, false) {
		wakeEventFD(l.eventFD)
	}
}
