package ebpf

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

//go:generate go tool bpf2go -tags linux -output-stem steering steering c/steering.c -- -Wall -Werror -mcpu=v3

// SteeringMode says which loop gets a new connection.
type SteeringMode uint32

// The values of SteeringMode.
const (
	SteerByCPU   SteeringMode = 1 // the one on the CPU that received the packet; if there is none, as SteerByLeast
	SteerByLeast SteeringMode = 2 // the one with the fewest flows
)

// Limits of the program.
const (
	maxLoops = 256
	maxOnCPU = 32
)

// SteeringOptions say how connections are spread.
type SteeringOptions struct {
	Mode SteeringMode
	CPUs [][]int // on which each loop may run; empty: on all. There are as many loops, at most 256
	// Stall is how long a loop's turn may last; beyond it the loop gets no connections until it waits again.
	Stall time.Duration
	Load  Loader // nil: the kernel's
}

// Seat is what one loop tells the program, in memory that both see. The fields are written by the loop alone.
type Seat struct {
	Flows     atomic.Int64 // that the loop carries
	Taken     atomic.Int64 // connections accepted from steered sockets, since the beginning
	BusySince atomic.Int64 // when the loop's turn began, in ns of CLOCK_MONOTONIC; 0: it waits for events
	_         [5]uint64    // the rest of the cache line

	// Written by the program.
	given, byCPU, byLeast, passedBy atomic.Uint64
	lost, lowest                    int64
	window                          uint64
	_                               [1]uint64
}

// Given is how many connections the program has sent to one loop, and why.
type Given struct {
	All      uint64
	ByCPU    uint64 // because the loop runs on the CPU that received the packet
	ByLeast  uint64 // because it had the fewest flows
	PassedBy uint64 // times that it was not considered, because of a long turn
}

// Unsteered counts connections that were left to the kernel's hash.
type Unsteered struct {
	All     uint64
	Stalled uint64 // every loop that accepts there was in a long turn
	Gone    uint64 // the chosen loop's socket was not there
}

// Steering is accept steering for all listening sockets of a process. Its methods may be called from any goroutine.
type Steering struct {
	options SteeringOptions
	shared  struct {
		Seats *ebpf.Map `ebpf:"seats"`
		Tally *ebpf.Map `ebpf:"tally"`
		CPUs  *ebpf.Map `ebpf:"cpus"`
	}
	seats   []Seat
	tally   *[3]atomic.Uint64
	migrate bool // the kernel has programs that are asked again when a socket closes
}

// OpenSteering makes what all groups share, and finds out what the kernel can do. It needs CAP_BPF (before Linux 5.8, CAP_SYS_ADMIN) and
// CAP_NET_ADMIN. The error is a *MissingError.
func OpenSteering(o SteeringOptions) (*Steering, error) {
	s := &Steering{options: o}
	if err := s.open(); err != nil {
		s.Close()
		return nil, &MissingError{"accept steering", "5.8", "CAP_BPF and CAP_NET_ADMIN", err}
	}
	return s, nil
}

func (s *Steering) open() error {
	if n := len(s.options.CPUs); n > maxLoops {
		return fmt.Errorf("%d loops: there may be %d", n, maxLoops)
	}
	spec, err := s.spec()
	if err != nil {
		return err
	}
	if err := s.options.Load.load(spec, &s.shared, nil); err != nil {
		return err
	}
	seats, err := share(s.shared.Seats, len(s.options.CPUs)*int(unsafe.Sizeof(Seat{})))
	if err != nil {
		return err
	}
	tally, err := share(s.shared.Tally, int(unsafe.Sizeof(*s.tally)))
	if err != nil {
		return err
	}
	s.seats = unsafe.Slice((*Seat)(seats), len(s.options.CPUs))
	s.tally = (*[3]atomic.Uint64)(tally)
	for cpu := range s.shared.CPUs.MaxEntries() {
		if err := s.shared.CPUs.Put(cpu, s.loopsOn(int(cpu))); err != nil {
			return fmt.Errorf("telling which loops run on CPU %d: %w", cpu, err)
		}
	}
	g := &Group{of: make([]int, len(s.seats))}
	for _, s.migrate = range []bool{true, false} {
		if err = s.load(g); err == nil {
			break
		}
	}
	return errors.Join(err, g.Close())
}

// spec is what is loaded, with the sizes that this process needs.
func (s *Steering) spec() (*ebpf.CollectionSpec, error) {
	spec, err := loadSteering()
	if err != nil {
		return nil, err
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, err
	}
	spec.Maps[steeringMapSeats].MaxEntries = uint32(len(s.options.CPUs))
	spec.Maps[steeringMapCpus].MaxEntries = uint32(cpus)
	return spec, nil
}

// loopsOn lists the loops that may run on a CPU. What is beyond the table's room gets connections from other CPUs only.
func (s *Steering) loopsOn(cpu int) (on steeringCpu) {
	for loop, cpus := range s.options.CPUs {
		may := len(cpus) == 0
		for _, n := range cpus {
			may = may || n == cpu
		}
		if may && on.Count < maxOnCPU {
			on.Loops[on.Count] = uint32(loop)
			on.Count++
		}
	}
	return on
}

// share maps the memory of an array into the process.
func share(m *ebpf.Map, size int) (unsafe.Pointer, error) {
	memory, err := unix.Mmap(m.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return unsafe.Pointer(&memory[0]), nil
}

// Seat is the place of a loop, counted from 0.
func (s *Steering) Seat(loop int) *Seat { return &s.seats[loop] }

// Given tells what a loop, counted from 0, was given.
func (s *Steering) Given(loop int) Given {
	x := &s.seats[loop]
	return Given{x.given.Load(), x.byCPU.Load(), x.byLeast.Load(), x.passedBy.Load()}
}

// Unsteered tells what was left to the kernel's hash.
func (s *Steering) Unsteered() Unsteered {
	return Unsteered{s.tally[0].Load(), s.tally[1].Load(), s.tally[2].Load()}
}

// Migrates tells whether connections that wait at a socket of a group go to another one of the group when it closes (Linux 5.14).
func (s *Steering) Migrates() bool { return s.migrate }

// Close gives the descriptors back. Attached programs stay in force until their sockets close. The memory of the seats and
// counters, some pages, stays until the process ends: whoever adds up what a loop did may come late.
func (s *Steering) Close() {
	for _, m := range []*ebpf.Map{s.shared.Seats, s.shared.Tally, s.shared.CPUs} {
		m.Close() // may be nil
	}
}
