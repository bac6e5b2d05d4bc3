package ebpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

//go:generate go tool bpf2go -tags linux -output-stem lookup lookup c/lookup.c -- -Wall -Werror -mcpu=v3

// LookupOptions say where VIP lookup is attached.
type LookupOptions struct {
	Targets   int      // that there may be
	Namespace *os.File // the network namespace; nil: the process's own
	Load      Loader   // nil: the kernel's
}

// Lookup gives connections to prefixes and port ranges to sockets that listen elsewhere, in one network namespace. Its methods must not be called
// at the same time, but for Activate and Counts.
//
// It takes precedence over all listening sockets of the namespace, other programs' too, but only for what its rules cover. Several processes may
// have one in the same namespace: all programs run, in the order in which they were attached, and the last one that names a socket is
// obeyed (Documentation/bpf/prog_sk_lookup.rst). So a new process takes its addresses over from an old one when it is activated,
// and leaves them to the old one again when it ends before that.
type Lookup struct {
	options LookupOptions
	shared  struct {
		Control *ebpf.Map `ebpf:"control"`
		Targets *ebpf.Map `ebpf:"targets"`
	}
	control *[5]atomic.Uint64
	program *ebpf.Program // the one in force
	link    *link.NetNsLink
}

// LookupCounts tells what the program did with the packets that its rules cover. Most of them begin a connection.
type LookupCounts struct {
	Given   uint64 // to a target
	Passed  uint64 // left to the kernel's search by a rule
	Refused uint64 // by a rule
	Gone    uint64 // the target's socket was not there: left to the kernel's search
}

// OpenLookup attaches a program without rules. It needs CAP_BPF and CAP_NET_ADMIN, as Set does. The error is a *MissingError.
func OpenLookup(o LookupOptions) (*Lookup, error) {
	l := &Lookup{options: o}
	if err := l.open(); err != nil {
		l.Close()
		return nil, &MissingError{"VIP lookup", "5.9", "CAP_BPF and CAP_NET_ADMIN", err}
	}
	return l, nil
}

func (l *Lookup) open() error {
	spec, err := loadLookup()
	if err != nil {
		return err
	}
	spec.Maps[lookupMapTargets].MaxEntries = uint32(max(l.options.Targets, 1))
	if err := l.options.Load.load(spec, &l.shared, nil); err != nil {
		return err
	}
	control, err := share(l.shared.Control, int(unsafe.Sizeof(*l.control)))
	if err != nil {
		return err
	}
	l.control = (*[5]atomic.Uint64)(control)
	return l.Set(nil)
}

// Target says which listening socket is a target; it must be a TCP socket. If it is one of several on its address (SO_REUSEPORT), the
// kernel, or accept steering, then chooses among all of them. The socket's own address does not matter, but an IPv4 socket takes
// connections to IPv4 addresses only, and an IPv6 socket that is not IPv6-only takes both.
func (l *Lookup) Target(target, fd int) error {
	if err := l.shared.Targets.Put(uint32(target), uint64(fd)); err != nil {
		return fmt.Errorf("giving the program the socket of target %d: %w", target, err)
	}
	return nil
}

// Set puts other rules in force, all at once: each connection meets the rules from before or those from after. On an error those from
// before stay.
func (l *Lookup) Set(rules []Rule) error {
	t, err := compile(rules)
	if err != nil {
		return err
	}
	next, err := l.load(t)
	if err != nil {
		return err
	}
	if l.link == nil {
		l.link, err = l.attach(next)
	} else {
		err = l.link.Update(next)
	}
	if err != nil {
		next.Close()
		return fmt.Errorf("attaching the program: %w", err)
	}
	l.program.Close() // nil at first
	l.program = next
	return nil
}

// load loads a program with tables of its own.
func (l *Lookup) load(t *tables) (*ebpf.Program, error) {
	spec, err := loadLookup()
	if err != nil {
		return nil, err
	}
	var x struct {
		Program   *ebpf.Program `ebpf:"find_listener"`
		Prefixes4 *ebpf.Map     `ebpf:"prefixes4"`
		Prefixes6 *ebpf.Map     `ebpf:"prefixes6"`
		Ranges    *ebpf.Map     `ebpf:"ranges"`
	}
	size := uint32(max(len(t.prefixes), 1))
	spec.Maps[lookupMapPrefixes4].MaxEntries, spec.Maps[lookupMapPrefixes6].MaxEntries = size, size
	spec.Maps[lookupMapRanges].MaxEntries = uint32(max(len(t.ranges), 1))
	spec.Maps[lookupMapTargets].MaxEntries = l.shared.Targets.MaxEntries()
	if err := l.options.Load.load(spec, &x, &ebpf.CollectionOptions{MapReplacements: map[string]*ebpf.Map{
		lookupMapControl: l.shared.Control, lookupMapTargets: l.shared.Targets,
	}}); err != nil {
		return nil, err
	}
	// The program holds its tables.
	defer x.Prefixes4.Close()
	defer x.Prefixes6.Close()
	defer x.Ranges.Close()
	if err := errors.Join(put(x.Ranges, indices(len(t.ranges)), t.ranges), t.putPrefixes(x.Prefixes4, x.Prefixes6)); err != nil {
		x.Program.Close()
		return nil, fmt.Errorf("filling the program's tables: %w", err)
	}
	return x.Program, nil
}

func (t *tables) putPrefixes(four, six *ebpf.Map) error {
	var keys4 []lookupKey4
	var keys6 []lookupKey6
	var spans4, spans6 []lookupSpan
	for i, p := range t.prefixes {
		if p.Addr().Is4() {
			a := p.Addr().As4()
			keys4 = append(keys4, lookupKey4{Bits: uint32(p.Bits()), Address: binary.NativeEndian.Uint32(a[:])})
			spans4 = append(spans4, t.spans[i])
			continue
		}
		a := p.Addr().As16()
		key := lookupKey6{Bits: uint32(p.Bits())}
		for n := range key.Address {
			key.Address[n] = binary.NativeEndian.Uint32(a[4*n:])
		}
		keys6 = append(keys6, key)
		spans6 = append(spans6, t.spans[i])
	}
	return errors.Join(put(four, keys4, spans4), put(six, keys6, spans6))
}

func indices(n int) []uint32 {
	all := make([]uint32, n)
	for i := range all {
		all[i] = uint32(i)
	}
	return all
}

// put fills a map, in one call where the kernel can do that for its kind.
func put[K, V any](m *ebpf.Map, keys []K, values []V) error {
	if len(keys) == 0 {
		return nil
	}
	if _, err := m.BatchUpdate(keys, values, nil); !errors.Is(err, ebpf.ErrNotSupported) {
		return err
	}
	for i := range keys {
		if err := m.Put(&keys[i], &values[i]); err != nil {
			return err
		}
	}
	return nil
}

// attach puts the first program in force. It does nothing until Activate.
func (l *Lookup) attach(program *ebpf.Program) (*link.NetNsLink, error) {
	namespace := l.options.Namespace
	if namespace == nil {
		own, err := os.Open("/proc/self/ns/net")
		if err != nil {
			return nil, err
		}
		defer own.Close()
		namespace = own
	}
	return link.AttachNetNs(int(namespace.Fd()), program)
}

// Activate begins and ends what the rules say. It is a store to memory that the program reads: no privilege is needed.
func (l *Lookup) Activate(on bool) {
	if on {
		l.control[0].Store(1)
	} else {
		l.control[0].Store(0)
	}
}

// Counts tells what was done since OpenLookup.
func (l *Lookup) Counts() LookupCounts {
	c := l.control
	return LookupCounts{Given: c[1].Load(), Passed: c[2].Load(), Refused: c[3].Load(), Gone: c[4].Load()}
}

// Close takes the program away. Counts stay.
func (l *Lookup) Close() {
	if l.link != nil {
		l.link.Close()
		l.link = nil
	}
	l.program.Close()
	l.program = nil
	l.shared.Control.Close()
	l.shared.Targets.Close()
}
