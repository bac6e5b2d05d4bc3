package queue

import (
	"container/heap"
	"sync"
)

// mutexHeap is the plain way to do what a Pool with one server does: one heap, and one lock around everything. It cannot
// strand a waiter, as seeing the server full and queueing are one step. It is here to measure against.
type mutexHeap struct {
	mu            sync.Mutex
	served, limit int
	waiters       plainHeap
}

type plainWaiter struct {
	key     Key
	index   int
	granted func()
}

// enter gives a slot, or queues w.
func (m *mutexHeap) enter(w *plainWaiter) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.served < m.limit && len(m.waiters) == 0 {
		m.served++
		return true
	}
	heap.Push(&m.waiters, w)
	return false
}

func (m *mutexHeap) release() {
	m.mu.Lock()
	if len(m.waiters) == 0 {
		m.served--
		m.mu.Unlock()
		return
	}
	w := heap.Pop(&m.waiters).(*plainWaiter)
	m.mu.Unlock()
	w.granted()
}

type plainHeap []*plainWaiter

func (h plainHeap) Len() int           { return len(h) }
func (h plainHeap) Less(i, j int) bool { return h[i].key < h[j].key }
func (h plainHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *plainHeap) Push(w any) { w.(*plainWaiter).index = len(*h); *h = append(*h, w.(*plainWaiter)) }
func (h *plainHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	*h = old[:len(old)-1]
	return w
}
