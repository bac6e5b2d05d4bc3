package ebpf

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Group is the listening sockets of a process on one address (SO_REUSEPORT), among which the program chooses.
//
// The kernel's group is wider than this one: listening sockets of another process of the same user on the same address belong to it, and
// it has one program. The last one that was attached is in force for all, and chooses among its own process's sockets only: with
// it, a new process takes all connections over from an old one, in one step.
type Group struct {
	listening []int // descriptors
	of        []int // of each loop: its socket's place in listening, or -1
	mapped    bool  // the sockets are in a SOCKMAP
	program   *ebpf.Program
	sockets   *ebpf.Map
}

// Group prepares the program for listening sockets that share an address. of gives for each loop the place of its socket in
// listening, or -1 if it does not accept there. Nothing is changed until Attach. It needs what OpenSteering needs.
func (s *Steering) Group(listening, of []int) (*Group, error) {
	return s.group(&Group{listening: listening, of: of})
}

// LookupGroup is Group for sockets one of which is a target of a Lookup. The kernel keeps such a socket in tables of another kind.
func (s *Steering) LookupGroup(listening, of []int) (*Group, error) {
	return s.group(&Group{listening: listening, of: of, mapped: true})
}

func (s *Steering) group(g *Group) (*Group, error) {
	err := s.load(g)
	if err == nil {
		err = g.fill()
	}
	if err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// load loads the program with the group's own sockets.
func (s *Steering) load(g *Group) error {
	spec, err := s.spec()
	if err != nil {
		return err
	}
	var slots [maxLoops]uint16
	for loop, place := range g.of {
		slots[loop] = uint16(place + 1)
	}
	spec.Maps[steeringMapSockets].MaxEntries = uint32(max(len(g.listening), 1))
	if g.mapped {
		spec.Maps[steeringMapSockets].Type = ebpf.SockMap
	}
	for name, value := range map[string]any{
		steeringVarMode: uint32(s.options.Mode), steeringVarLoops: uint32(len(g.of)), steeringVarStall: uint64(s.options.Stall),
		steeringVarSlots: slots,
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	options := &ebpf.CollectionOptions{MapReplacements: map[string]*ebpf.Map{
		steeringMapSeats: s.shared.Seats, steeringMapTally: s.shared.Tally, steeringMapCpus: s.shared.CPUs,
	}}
	if s.migrate {
		var x struct {
			Program *ebpf.Program `ebpf:"steer_and_migrate"`
			Sockets *ebpf.Map     `ebpf:"sockets"`
		}
		err = s.options.Load.load(spec, &x, options)
		g.program, g.sockets = x.Program, x.Sockets
		return err
	}
	var x struct {
		Program *ebpf.Program `ebpf:"steer_only"`
		Sockets *ebpf.Map     `ebpf:"sockets"`
	}
	err = s.options.Load.load(spec, &x, options)
	g.program, g.sockets = x.Program, x.Sockets
	return err
}

// fill gives the program the sockets. They must listen. One that it has already is busy.
func (g *Group) fill() error {
	for place, fd := range g.listening {
		if err := g.sockets.Put(uint32(place), uint64(fd)); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("giving the program socket %d: %w", place, err)
		}
	}
	return nil
}

// Attach puts the program in force. It needs no privilege.
func (g *Group) Attach() error {
	return setProgram(g.listening[0], unix.SO_ATTACH_REUSEPORT_EBPF, g.program.FD())
}

// Restore puts the program in force again after the sockets have stopped listening and begun anew. Before Linux 6.0 it may need CAP_BPF
// (kernel.unprivileged_bpf_disabled); without, the kernel's hash stays in force.
func (g *Group) Restore() error { return errors.Join(g.fill(), g.Attach()) }

// Close gives the descriptors back. An attached program stays in force as long as its sockets are open.
func (g *Group) Close() error {
	return errors.Join(g.program.Close(), g.sockets.Close())
}

// Detach leaves the choice among the listening sockets on fd's address to the kernel's hash, whoever has attached a program.
func Detach(fd int) error {
	err := setProgram(fd, unix.SO_DETACH_REUSEPORT_BPF, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil // there is none
	}
	return err
}

func setProgram(fd, option, program int) error {
	name := "setsockopt SO_ATTACH_REUSEPORT_EBPF"
	if option == unix.SO_DETACH_REUSEPORT_BPF {
		name = "setsockopt SO_DETACH_REUSEPORT_BPF"
	}
	return os.NewSyscallError(name, unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, program))
}
