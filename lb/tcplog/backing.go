package tcplog

import (
	"fmt"
	"os"
	"syscall"
)

// backing is a buffer's memory in a file, where it stays when the process is gone. It begins with one line that tells where
// the oldest line begins and where the newest ends, counted from the byte behind it:
//
//	sluice ring 1 oldest=0000000000 end=0000000000
//
// The rest is the ring itself: text, of which one line may go on at the beginning, and behind the newest may be the rest of
// an old one.
type backing struct {
	memory []byte
	lines  []byte
}

const backingHead = "sluice ring 1 oldest=0000000000 end=0000000000\n"

// newBacking makes a file of size bytes. One that is there and not empty becomes path.bak first. The blocks are reserved, so
// that a full disk is an error here and not the end of the process later; a file that somebody cuts short would be.
func newBacking(path string, size int) (*backing, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		_ = os.Rename(path, path+".bak") // as in HAProxy: where it cannot be kept, it is overwritten
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close() // the memory keeps it
	if err := syscall.Fallocate(int(file.Fd()), 0, 0, int64(size)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, os.NewSyscallError("fallocate", err))
	}
	memory, err := syscall.Mmap(int(file.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, os.NewSyscallError("mmap", err))
	}
	copy(memory, backingHead)
	return &backing{memory: memory, lines: memory[len(backingHead):]}, nil
}

// mark notes where the oldest line begins and the newest ends.
func (f *backing) mark(oldest, end uint64) {
	appendPadded(f.memory[:21], int(oldest), 10)
	appendPadded(f.memory[:36], int(end), 10)
}

func (f *backing) close() { syscall.Munmap(f.memory) }
