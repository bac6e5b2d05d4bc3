package lb

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/sluice-lb/sluice/ebpf"
	"github.com/sluice-lb/sluice/lb/admin"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/tcplog"
)

// guard is "ebpf-guard". A nil one is none.
type guard struct {
	*ebpf.Guard
	attached []string // interfaces, with the mode of each
}

// openGuard loads the guard and reads its deny list. Without the program the process runs unguarded, and the operator is told once. The file's
// mistakes are errors.
func (b *Balancer) openGuard(load ebpf.Loader) error {
	c := b.config.Global.EBPFGuard
	if c == nil {
		return nil
	}
	var list []netip.Prefix
	if c.DenyFile != "" {
		var err error
		if list, err = readPrefixes(c.DenyFile); err != nil {
			return at(c.Pos, "ebpf-guard: %w", err)
		}
	}
	burst := func(burst, rate int) int {
		if burst == 0 {
			return rate
		}
		return burst
	}
	g, err := ebpf.OpenGuard(ebpf.GuardOptions{
		SourceRate: c.SourceRate, SourceBurst: burst(c.SourceBurst, c.SourceRate), PrefixRate: c.PrefixRate, PrefixBurst: burst(c.PrefixBurst, c.PrefixRate),
		Prefix4: c.Prefix4, Prefix6: c.Prefix6, Denied: len(list) + roomForDenied, Load: load,
	})
	if err != nil {
		b.unguarded(err)
		return nil
	}
	b.guard = &guard{Guard: g}
	for _, p := range list {
		if err := g.Deny(p); err != nil {
			return at(c.Pos, "ebpf-guard: %w", err)
		}
	}
	return nil
}

// roomForDenied is how many prefixes an operator may add to those of the file.
const roomForDenied = 1 << 16

// attachGuard puts the guard on its interfaces, when nothing else can go wrong: with a reload, this is when it takes over from the
// old process's.
func (b *Balancer) attachGuard() {
	if b.guard == nil {
		return
	}
	c := b.config.Global.EBPFGuard
	for _, name := range c.Interfaces {
		mode, err := b.guard.Attach(name, ebpf.GuardMode(c.Mode))
		if err != nil {
			b.unguarded(err)
			continue
		}
		b.guard.attached = append(b.guard.attached, fmt.Sprintf("%s (%s)", name, mode))
	}
}

func (b *Balancer) unguarded(err error) {
	text := fmt.Sprintf("'ebpf-guard' does not guard: %v", err)
	b.say(config.Warning, text)
	b.logger.Message(tcplog.Warning, text)
}

// readPrefixes reads a file with an address or a prefix in each line. "#" begins a comment.
func readPrefixes(path string) ([]netip.Prefix, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var all []netip.Prefix
	var errs []error
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		p, err := admin.ParsePrefix(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", path, n, err))
			continue
		}
		all = append(all, p)
	}
	return all, errors.Join(append(errs, lines.Err())...)
}

// view is what the operator sees; nil: there is no guard.
func (g *guard) view() (*admin.Guard, error) {
	c, err := g.Counts()
	if err != nil {
		return nil, err
	}
	denied := g.Denied()
	slices.SortFunc(denied, func(a, b netip.Prefix) int {
		if n := a.Addr().Compare(b.Addr()); n != 0 {
			return n
		}
		return a.Bits() - b.Bits()
	})
	return &admin.Guard{
		Interfaces: g.attached, Denied: denied, DropsDenied: c.Denied, DropsSource: c.SourceRate, DropsPrefix: c.PrefixRate, SYNs: c.SYNs, Opaque: c.Opaque,
	}, nil
}

// Guard is what "ebpf-guard" has done; nil: there is none.
func (a *administration) Guard() (*admin.Guard, error) {
	if a.guard == nil {
		return nil, nil
	}
	return a.guard.view()
}

// Deny puts a prefix on the guard's list.
func (a *administration) Deny(p netip.Prefix) error {
	if a.guard == nil {
		return errNoGuard
	}
	return a.guard.Deny(p)
}

// Allow takes it off again; false: it is not there.
func (a *administration) Allow(p netip.Prefix) (bool, error) {
	if a.guard == nil {
		return false, errNoGuard
	}
	return a.guard.Allow(p)
}

var errNoGuard = errors.New("there is no guard: 'ebpf-guard' is not in the configuration, or could not be loaded")
