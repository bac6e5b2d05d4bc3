package ebpf

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

//go:generate go tool bpf2go -tags linux -output-stem guard guard c/guard.c -- -Wall -Werror -mcpu=v3

// GuardOptions are those of OpenGuard. Rates are SYNs per second, bursts are SYNs that may come at once; a rate of 0 is no limit.
type GuardOptions struct {
	SourceRate, SourceBurst int
	PrefixRate, PrefixBurst int
	Prefix4, Prefix6        int // bits of the prefixes; 0: 24 and 64
	Denied                  int // prefixes that there may be on the deny list; 0: 65536
	Sources                 int // sources, and prefixes, whose rates are remembered: those of which nothing was heard for longest are forgotten; 0: 65536
	Load                    Loader
}

// GuardMode says where on its way a packet meets the guard.
type GuardMode string

// The modes.
const (
	GuardNative  GuardMode = "native"  // in the network card's driver, before the kernel has made anything of it
	GuardGeneric GuardMode = "generic" // in the network stack: for drivers that cannot, and slower
	GuardAuto    GuardMode = "auto"    // native, or else generic
)

// Guard drops packets of denied sources and SYNs above a rate, on the interfaces to which it is attached. Its methods may be called by
// several goroutines.
type Guard struct {
	objects guardObjects
	entries *atomic.Uint64
	links   []link.Link

	mu     sync.Mutex
	denied map[netip.Prefix]bool
	room   int
}

// GuardCounts is what the guard has done.
type GuardCounts struct {
	Denied     uint64 // packets dropped: the source is on the deny list
	SourceRate uint64 // SYNs dropped: too many from the source
	PrefixRate uint64 // SYNs dropped: too many from its prefix
	SYNs       uint64 // that were looked at, but for those of denied sources
	Opaque     uint64 // packets passed whose headers could not be followed
}

// guardKey is c/guard.c's struct denied.
type guardKey struct {
	bits    uint32
	family  uint32
	address [16]byte
}

// ErrGuardFull: the deny list has no room.
var ErrGuardFull = errors.New("the deny list is full")

// OpenGuard loads the program; it does nothing until Attach. The error is a *MissingError. It needs CAP_BPF and CAP_NET_ADMIN, as Attach does.
// Deny and Allow need CAP_BPF before Linux 6.5, if unprivileged processes are kept from bpf(2), and nothing since.
func OpenGuard(o GuardOptions) (*Guard, error) {
	g := &Guard{denied: make(map[netip.Prefix]bool)}
	if err := g.open(o); err != nil {
		g.Close()
		return nil, &MissingError{"source guard", "5.9", "CAP_BPF and CAP_NET_ADMIN", err}
	}
	return g, nil
}

func (g *Guard) open(o GuardOptions) error {
	spec, err := loadGuard()
	if err != nil {
		return err
	}
	or := func(n, otherwise int) int {
		if n == 0 {
			return otherwise
		}
		return n
	}
	g.room = or(o.Denied, 1<<16)
	spec.Maps["deny"].MaxEntries = uint32(g.room)
	spec.Maps["sources"].MaxEntries = uint32(or(o.Sources, 1<<16))
	spec.Maps["prefixes"].MaxEntries = uint32(or(o.Sources, 1<<16))
	for name, value := range map[string]any{
		"source_interval": interval(o.SourceRate), "source_ahead": ahead(o.SourceRate, o.SourceBurst),
		"prefix_interval": interval(o.PrefixRate), "prefix_ahead": ahead(o.PrefixRate, o.PrefixBurst),
		"prefix_bits_4": uint32(or(o.Prefix4, 24)), "prefix_bits_6": uint32(or(o.Prefix6, 64)),
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := o.Load.load(spec, &g.objects, nil); err != nil {
		return err
	}
	entries, err := share(g.objects.Entries, 8)
	if err != nil {
		return err
	}
	g.entries = (*atomic.Uint64)(entries)
	return nil
}

func interval(rate int) uint64 {
	if rate <= 0 {
		return 0
	}
	return uint64(1e9 / rate)
}

// ahead is how far SYNs may be ahead of their rate: all of a burst but the first.
func ahead(rate, burst int) uint64 { return uint64(max(burst-1, 0)) * interval(rate) }

// Attach puts the guard on an interface of the process's network namespace, and gives the mode. A guard that another process of sluice
// has there is replaced, in one step, and stays replaced when that process ends; any other program is not, and is an error. The mode of the guard that is
// replaced is kept.
func (g *Guard) Attach(name string, mode GuardMode) (GuardMode, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return "", err
	}
	old, err := guardOn(i.Index)
	if err != nil {
		return "", err
	}
	if old != nil {
		if err := old.Update(g.objects.SluiceGuard); err != nil {
			old.Close()
			return "", fmt.Errorf("replacing the guard of another process: %w", err)
		}
		g.links = append(g.links, old)
		return "replaced", nil
	}
	tries := []GuardMode{mode}
	if mode == GuardAuto || mode == "" {
		tries = []GuardMode{GuardNative, GuardGeneric}
	}
	for _, mode = range tries {
		flags := link.XDPDriverMode
		if mode == GuardGeneric {
			flags = link.XDPGenericMode
		}
		var l link.Link
		if l, err = link.AttachXDP(link.XDPOptions{Program: g.objects.SluiceGuard, Interface: i.Index, Flags: flags}); err == nil {
			g.links = append(g.links, l)
			return mode, nil
		}
	}
	return "", fmt.Errorf("attaching to %s (%s): %w", name, mode, err)
}

// Deny puts a prefix on the deny list. Doing it again does nothing.
func (g *Guard) Deny(p netip.Prefix) error {
	p = plainPrefix(p)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.denied[p] {
		return nil
	}
	if len(g.denied) >= g.room {
		return ErrGuardFull
	}
	if err := g.objects.Deny.Put(keyOf(p), uint8(1)); err != nil {
		return fmt.Errorf("denying %v: %w", p, err)
	}
	g.denied[p] = true
	g.entries.Store(uint64(len(g.denied)))
	return nil
}

// Allow takes a prefix off the deny list; false: it is not there.
func (g *Guard) Allow(p netip.Prefix) (bool, error) {
	p = plainPrefix(p)
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.denied[p] {
		return false, nil
	}
	if err := g.objects.Deny.Delete(keyOf(p)); err != nil {
		return true, fmt.Errorf("allowing %v: %w", p, err)
	}
	delete(g.denied, p)
	g.entries.Store(uint64(len(g.denied)))
	return true, nil
}

// Denied is the deny list, in no order.
func (g *Guard) Denied() []netip.Prefix {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]netip.Prefix, 0, len(g.denied))
	for p := range g.denied {
		all = append(all, p)
	}
	return all
}

// plainPrefix makes an IPv4 prefix of one that is written as IPv6 (::ffff:0:0/96), and clears the bits behind it.
func plainPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

func keyOf(p netip.Prefix) guardKey {
	k := guardKey{bits: uint32(32 + p.Bits()), family: 6}
	if p.Addr().Is4() {
		k.family = 4
	}
	copy(k.address[:], p.Addr().AsSlice())
	return k
}

// Counts adds up what all CPUs have counted.
func (g *Guard) Counts() (GuardCounts, error) {
	var c GuardCounts
	for i, to := range []*uint64{&c.Denied, &c.SourceRate, &c.PrefixRate, &c.SYNs, &c.Opaque} {
		var each []uint64
		if err := g.objects.Counts.Lookup(uint32(i), &each); err != nil {
			return c, fmt.Errorf("reading the guard's counters: %w", err)
		}
		for _, n := range each {
			*to += n
		}
	}
	return c, nil
}

// Close takes the guard off its interfaces, unless another process has replaced it.
func (g *Guard) Close() {
	for _, l := range g.links {
		l.Close()
	}
	g.links = nil
	if g.entries != nil {
		unix.MunmapPtr(unsafe.Pointer(g.entries), 8)
		g.entries = nil
	}
	g.objects.Close()
}
