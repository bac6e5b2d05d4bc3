package load

// ring is a queue of at most as many elements as it was made for.
type ring[T any] struct {
	elements    []T
	head, count int
}

func newRing[T any](size int) ring[T] { return ring[T]{elements: make([]T, size)} }

func (r *ring[T]) len() int { return r.count }

func (r *ring[T]) first() T { return r.elements[r.head] }

func (r *ring[T]) push(element T) {
	if r.count == len(r.elements) {
		panic("load: a connection is in a queue twice")
	}
	at := r.head + r.count
	if at >= len(r.elements) {
		at -= len(r.elements)
	}
	r.elements[at] = element
	r.count++
}

func (r *ring[T]) pop() T {
	element := r.elements[r.head]
	r.count--
	if r.head++; r.head == len(r.elements) {
		r.head = 0
	}
	return element
}
