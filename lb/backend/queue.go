package backend

import "github.com/sluice-lb/sluice/lb/stats"

// fifo is a list of waiting requests, oldest first. It is guarded by the backend's mu.
type fifo struct {
	first, last *Request
	length      int
	server      *Server // whose queue it is; nil: the backend's
}

func (q *fifo) push(r *Request) {
	r.at, r.prev, r.next = q, q.last, nil
	if q.last != nil {
		q.last.next = r
	} else {
		q.first = r
	}
	q.last = r
	q.length++
}

func (q *fifo) remove(r *Request) {
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		q.first = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	} else {
		q.last = r.prev
	}
	r.at, r.prev, r.next = nil, nil, nil
	q.length--
}

func (b *Backend) backendQueueEmpty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queue.length == 0
}

// wait publishes r in q, and then looks again: a slot that was freed between "full" and now found no waiter.
func (b *Backend) wait(r *Request, q *fifo) Outcome {
	b.mu.Lock()
	r.WasQueued = true
	r.QueueAhead = b.queue.length
	if q != &b.queue {
		q.server.queued.Add(1)
		r.ServerAhead = q.length
	}
	b.sequence++
	r.sequence = b.sequence
	q.push(r)
	n := b.waiting.Add(1)
	if n > b.highestQueue.Load() {
		b.highestQueue.Store(n)
	}
	b.mu.Unlock()
	b.Stats.Add(r.Loop, stats.Queued, 1)
	if q != &b.queue {
		q.server.group.algorithm.Changed(q.server.index)
		b.handOver(q.server)
		return Waiting
	}
	for _, s := range b.Servers {
		if !s.full() {
			b.handOver(s)
		}
	}
	return Waiting
}

// handOver gives the free slots of s to whoever has waited longest, at the server or at the backend.
func (b *Backend) handOver(s *Server) {
	if b.waiting.Load() == 0 || !b.mayServe(s) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		r := s.queue.first
		if x := b.queue.first; x != nil && (r == nil || x.sequence < r.sequence) {
			r = x
		}
		if r == nil || !s.claim() {
			return
		}
		b.dequeue(r)
		b.assign(r, s)
		r.Waiter.Granted()
	}
}

// dequeue takes r out of its queue. Called under mu.
func (b *Backend) dequeue(r *Request) {
	q := r.at
	q.remove(r)
	b.waiting.Add(-1)
	if q.server != nil {
		q.server.queued.Add(-1)
		q.server.group.algorithm.Changed(q.server.index)
	}
}

// Cancel takes r out of its queue: its flow gives up. False means that the grant came first: Waiter.Granted was called,
// and r may hold a slot.
func (b *Backend) Cancel(r *Request) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.at == nil {
		return false
	}
	b.dequeue(r)
	return true
}

// sendBack makes all who wait for s alone ask again.
func (b *Backend) sendBack(s *Server) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for r := s.queue.first; r != nil; r = s.queue.first {
		b.dequeue(r)
		r.Waiter.Granted()
	}
}
