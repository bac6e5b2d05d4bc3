package poller

import "math/bits"

// bufferPool keeps buffers for held-back bytes in classes of 4 KiB to 1 MiB. It belongs to one loop.
type bufferPool struct {
	classes [9][][]byte
}

const smallestClass = 12 // 4 KiB

// maxIdleBytes bounds what a class keeps.
const maxIdleBytes = 4 << 20

// Hold copies b into a pooled buffer. Give it back through Unhold once it is sent.
func (l *Loop) Hold(b []byte) []byte {
	class := max(bits.Len(uint(len(b)-1))-smallestClass, 0)
	if class >= len(l.held.classes) {
		return append([]byte(nil), b...)
	}
	if pool := &l.held.classes[class]; len(*pool) > 0 {
		last := len(*pool) - 1
		buffer := (*pool)[last]
		*pool = (*pool)[:last]
		return append(buffer, b...)
	}
	return append(make([]byte, 0, 1<<(class+smallestClass)), b...)
}

// Unhold gives back a buffer that Hold returned.
func (l *Loop) Unhold(b []byte) {
	class := bits.Len(uint(cap(b))) - 1 - smallestClass
	if class < 0 || class >= len(l.held.classes) || cap(b) != 1<<(class+smallestClass) {
		return
	}
	if pool := &l.held.classes[class]; (len(*pool)+1)*cap(b) <= maxIdleBytes {
		*pool = append(*pool, b[:0])
	}
}
