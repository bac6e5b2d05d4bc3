package admin

import (
	"fmt"
	"net/netip"
	"strings"
)

// Guard is what "ebpf-guard" has done since the start.
type Guard struct {
	Interfaces                            []string // with the mode of each
	Denied                                []netip.Prefix
	DropsDenied, DropsSource, DropsPrefix uint64 // packets, by reason
	SYNs                                  uint64 // that were looked at
	Opaque                                uint64 // packets that were passed because their headers could not be followed
}

// ParsePrefix reads "192.0.2.0/24", "2001:db8::/32", or a single address.
func ParsePrefix(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("'%s' is neither an address nor a prefix", text)
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

func (s *session) showGuard(arguments []string) {
	g, err := s.process.Guard()
	switch {
	case err != nil:
		s.answer.fail("%v.", err)
		return
	case g == nil:
		s.answer.printf("guard: off\n")
		return
	}
	if len(arguments) > 0 && arguments[0] == "deny" {
		for _, p := range g.Denied {
			s.answer.printf("%v\n", p)
		}
		return
	}
	on := strings.Join(g.Interfaces, ", ")
	if on == "" {
		on = "no interface"
	}
	s.answer.printf("guard: on %s, %d denied prefixes\n", on, len(g.Denied))
	s.answer.printf("# reason packets\n")
	s.answer.printf("denied %d\nsource_syn_rate %d\nprefix_syn_rate %d\n", g.DropsDenied, g.DropsSource, g.DropsPrefix)
	s.answer.printf("# passed packets\n")
	s.answer.printf("syn %d\nopaque %d\n", g.SYNs-g.DropsSource-g.DropsPrefix, g.Opaque)
}

// prefix reads the only argument.
func (s *session) prefix(arguments []string) (netip.Prefix, bool) {
	if len(arguments) != 1 {
		s.answer.fail("Expects one address or prefix.")
		return netip.Prefix{}, false
	}
	p, err := ParsePrefix(arguments[0])
	if err != nil {
		s.answer.fail("%v.", err)
		return p, false
	}
	return p, true
}

func (s *session) addGuardDeny(arguments []string) {
	if p, ok := s.prefix(arguments); ok {
		if err := s.process.Deny(p); err != nil {
			s.answer.fail("%v.", err)
		}
	}
}

func (s *session) delGuardDeny(arguments []string) {
	p, ok := s.prefix(arguments)
	if !ok {
		return
	}
	found, err := s.process.Allow(p)
	switch {
	case err != nil:
		s.answer.fail("%v.", err)
	case !found:
		s.answer.fail("No such entry: %v.", p)
	}
}
