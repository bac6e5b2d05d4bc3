package ebpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"
)

//go:generate go tool bpf2go -tags linux -output-stem redirect redirect c/redirect.c -- -Wall -Werror -mcpu=v3

// Redirect moves the bytes of flows inside the kernel: what one socket of a flow receives is sent by its other socket, by a
// kernel program (c/redirect.c) and a worker of the kernel, and the process is not woken.
//
// A socket that was put in stays in until it is closed, because the kernel loses bytes of one that is taken out while more
// arrive. What is switched is what becomes of the bytes that it receives. They are held, for the process to read as ever
// (though not to splice), or they are redirected. The switch and the count of the bytes are one word, so that both sides
// know which byte is the first of the other kind:
//
//   - Begin redirects from the next byte on, unless some arrived that the caller has not read yet.
//   - Hold holds from the next byte on, and tells how many were redirected until then. The caller waits until the other
//     socket has taken as many to send, and only then sends, or shuts down, itself.
//   - The program holds by itself once more than the limit of bytes wait for the other socket; Overfull tells of that.
type Redirect struct {
	objects    redirectObjects
	memory     []byte
	directions []direction
	overfull   *ringbuf.Reader
	lanes      []Lane
}

// RedirectOptions are those of NewRedirect.
type RedirectOptions struct {
	Lanes int // loops
	Flows int // that each of them has room for
	Limit int // bytes of one direction that may wait in the kernel until they are sent, about
}

// direction is c/redirect.c's.
type direction struct {
	word   uint64
	last   uint64
	kept   uint64
	look   uint64
	limit  uint32
	begun  uint32
	start  uint32
	next   uint32
	known  uint32
	broken uint32
	_      [2]uint32
}

const held = 1 << 63

// Lane is one loop's share. Its methods are for one goroutine at a time.
type Lane struct {
	redirect *Redirect
	free     []uint32
	key      uint32 // scratch
	value    uint32 // scratch
	cookie   uint64 // scratch
	cookies  []uint64
	first    uint32
}

// redirectKernel is the first version whose stream verdicts neither lose nor repeat bytes that arrive with a FIN, and that wake who reads
// what was held: the repairs of net/core/skmsg.c and net/ipv4/tcp_bpf.c that came with Linux 6.5.
const redirectKernel = "6.5"

// NoPlace is the place of what was not inserted.
const NoPlace = ^uint32(0)

// ErrFull: no place is free.
var ErrFull = errors.New("no place is free")

// NewRedirect loads the program. A *MissingError says what is missing. It needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, and nothing of
// it afterwards.
func NewRedirect(o RedirectOptions, l Loader) (*Redirect, error) {
	r, err := newRedirect(o, l)
	if err != nil {
		return nil, &MissingError{"socket redirect", redirectKernel, "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN", err}
	}
	return r, nil
}

func newRedirect(o RedirectOptions, l Loader) (r *Redirect, err error) {
	if err := kernelAtLeast(6, 5); err != nil {
		return nil, err
	}
	spec, err := loadRedirect()
	if err != nil {
		return nil, err
	}
	places := 2 * o.Flows * o.Lanes
	for _, name := range []string{"directions", "sockets", "places"} {
		spec.Maps[name].MaxEntries = uint32(places)
	}
	r = &Redirect{}
	made := r // what is returned with an error is nil
	defer func() {
		if err != nil {
			made.Close()
		}
	}()
	if err := l.load(spec, &r.objects, nil); err != nil {
		return nil, err
	}
	err = link.RawAttachProgram(link.RawAttachProgramOptions{
		Target: r.objects.Sockets.FD(), Program: r.objects.Redirect, Attach: ebpf.AttachSkSKBStreamVerdict,
	})
	if err != nil {
		return nil, fmt.Errorf("attaching the program to its map: %w", err)
	}
	size := int(unsafe.Sizeof(direction{}))
	bytes := (places*size + os.Getpagesize() - 1) &^ (os.Getpagesize() - 1)
	r.memory, err = unix.Mmap(r.objects.Directions.FD(), 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	r.directions = unsafe.Slice((*direction)(unsafe.Pointer(unsafe.SliceData(r.memory))), places)
	if r.overfull, err = ringbuf.NewReader(r.objects.Overfull); err != nil {
		return nil, err
	}
	for i := range r.directions {
		r.directions[i].limit = uint32(o.Limit)
	}
	r.lanes = make([]Lane, o.Lanes)
	for i := range r.lanes {
		lane := &r.lanes[i]
		lane.redirect, lane.first = r, uint32(2*o.Flows*i)
		lane.cookies = make([]uint64, 2*o.Flows)
		for n := o.Flows - 1; n >= 0; n-- {
			lane.free = append(lane.free, lane.first+uint32(2*n))
		}
	}
	return r, nil
}

// kernelAtLeast gives an error that names the running kernel if it is older.
func kernelAtLeast(major, minor int) error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return os.NewSyscallError("uname", err)
	}
	release := unix.ByteSliceToString(name.Release[:])
	var m, n int
	if _, err := fmt.Sscanf(release, "%d.%d", &m, &n); err == nil && (m < major || m == major && n < minor) {
		return fmt.Errorf("this is Linux %s", release)
	}
	return nil
}

// Close unloads the program. No lane may be used any more. Bytes of sockets that are still open and that wait to be sent are
// lost.
func (r *Redirect) Close() {
	if r.overfull != nil {
		r.overfull.Close()
	}
	if r.memory != nil {
		unix.Munmap(r.memory)
		r.memory, r.directions = nil, nil
	}
	r.objects.Close()
}

// Overfull calls notify with each place that the program holds because the other socket does not take its bytes, until
// Close. The place may be another flow's by then.
func (r *Redirect) Overfull(notify func(lane int, place uint32)) {
	var record ringbuf.Record
	for {
		if err := r.overfull.ReadInto(&record); err != nil {
			return
		}
		if len(record.RawSample) >= 4 {
			p := binary.NativeEndian.Uint32(record.RawSample)
			notify(int(p)/len(r.lanes[0].cookies), p)
		}
	}
}

// Lane gives the share of a loop.
func (r *Redirect) Lane(i int) *Lane { return &r.lanes[i] }

// Insert puts two established TCP sockets in; what they receive is held until Begin. Both must have been read to their end as far as
// it had come: bytes of a segment that was read in part would come again. An error: at most one of them is in, and
// stays in, holding; ErrFull; EOPNOTSUPP: one is not established, because a FIN was seen or sent, or is not TCP's. The place that comes with
// it is to be given to Remove all the same, unless it is NoPlace.
func (l *Lane) Insert(first, second int) (place uint32, err error) {
	n := len(l.free)
	if n == 0 {
		return NoPlace, ErrFull
	}
	p := l.free[n-1]
	l.free = l.free[:n-1]
	for _, p := range [...]uint32{p, p ^ 1} {
		d := l.direction(p)
		*d = direction{word: held, limit: d.limit}
	}
	if err := l.insert(p, first); err != nil {
		return p, err
	}
	return p, l.insert(p^1, second)
}

func (l *Lane) insert(p uint32, fd int) error {
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return os.NewSyscallError("getsockopt SO_COOKIE", err)
	}
	l.key, l.value, l.cookie = p, uint32(fd), cookie
	if err := l.redirect.objects.Places.Update(unsafe.Pointer(&l.cookie), unsafe.Pointer(&l.key), ebpf.UpdateAny); err != nil {
		return err
	}
	l.cookies[p-l.first] = cookie
	if err := l.redirect.objects.Sockets.Update(unsafe.Pointer(&l.key), unsafe.Pointer(&l.value), ebpf.UpdateAny); err != nil {
		return err
	}
	// The kernel looks at what arrived before only if it is made to: tcp_set_rcvlowat does.
	return os.NewSyscallError("setsockopt SO_RCVLOWAT", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, 1))
}

// Remove frees the places of a flow whose two sockets have been closed, which took them out.
func (l *Lane) Remove(p uint32) {
	p &^= 1
	for _, p := range [...]uint32{p, p ^ 1} {
		cookie := &l.cookies[p-l.first]
		if *cookie != 0 {
			l.cookie = *cookie
			l.redirect.objects.Places.Delete(unsafe.Pointer(&l.cookie))
			*cookie = 0
		}
	}
	l.free = append(l.free, p)
}

func (l *Lane) direction(p uint32) *direction { return &l.redirect.directions[p] }

// Begin redirects what the socket at p receives from now on. False: more than read bytes have arrived since Insert, and the
// caller must read the others first.
func (l *Lane) Begin(p uint32, read uint64) bool {
	d := l.direction(p)
	atomic.StoreUint32(&d.begun, 0)
	return atomic.CompareAndSwapUint64(&d.word, held|read, read)
}

// Hold holds what the socket at p receives from now on.
func (l *Lane) Hold(p uint32) { atomic.OrUint64(&l.direction(p).word, held) }

// Broken tells that bytes of the socket at p were dropped, because what was sent again could not be told from what is new,
// or for want of memory: the flow cannot go on. Overfull has told of it.
func (l *Lane) Broken(p uint32) bool { return atomic.LoadUint32(&l.direction(p).broken) != 0 }

// Arrived is how many bytes the socket at p has received since Insert, how many of them were redirected, whether those that
// come are held, and when the last ones came, on CLOCK_MONOTONIC. While bytes are held, redirected may be too high for the moment in which some come.
func (l *Lane) Arrived(p uint32) (bytes, redirected uint64, holding bool, last time.Duration) {
	d := l.direction(p)
	kept := atomic.LoadUint64(&d.kept) // first: the program counts in word before it counts here
	w := atomic.LoadUint64(&d.word)
	return w &^ held, w&^held - kept, w&held != 0, time.Duration(atomic.LoadUint64(&d.last))
}
