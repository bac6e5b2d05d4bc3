package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// covered is one address of a bind, as a lookup in the kernel sees it.
type covered struct {
	namespace   string
	prefix      netip.Prefix
	first, last int
	lookup      bool // false: a socket on this very address, which is an exception from prefixes
	proxy       *Proxy
	bind        *Bind
	address     Address
}

func (c *covered) width() int { return c.last - c.first }

func (c *covered) meets(o *covered) bool { return c.first <= o.last && o.first <= c.last }

// validateLookups complains about prefixes and ranges of which none takes precedence, and tells where one does: the longer prefix, and of the
// same prefix the narrower range.
func (l *loader) validateLookups() {
	byPrefix := make(map[string]map[netip.Prefix][]*covered) // by namespace
	var all []*covered
	for _, p := range l.config.Proxies {
		if p.Disabled {
			continue
		}
		for _, b := range p.Binds {
			all = append(all, l.coveredBy(p, b)...)
		}
	}
	if !slices.ContainsFunc(all, func(c *covered) bool { return c.lookup }) {
		return
	}
	// The wider first, so that each one has only to look at those before it.
	slices.SortStableFunc(all, func(a, b *covered) int {
		return cmp.Or(cmp.Compare(a.prefix.Bits(), b.prefix.Bits()), -cmp.Compare(a.width(), b.width()))
	})
	told := make(map[*Bind]bool)
	for _, c := range all {
		table := byPrefix[c.namespace]
		if table == nil {
			table = make(map[netip.Prefix][]*covered)
			byPrefix[c.namespace] = table
		}
		for bits := c.prefix.Bits(); bits >= 0; bits-- {
			wider, _ := c.prefix.Addr().Prefix(bits)
			for _, o := range table[wider] {
				l.validateOverlap(c, o, told)
			}
		}
		table[c.prefix] = append(table[c.prefix], c)
	}
}

// coveredBy lists what a bind's addresses are to a lookup.
func (l *loader) coveredBy(p *Proxy, b *Bind) (all []*covered) {
	add := func(a Address, lookup bool) {
		prefix := a.Prefix
		if !prefix.IsValid() {
			prefix = netip.PrefixFrom(a.IP, a.IP.BitLen())
		}
		all = append(all, &covered{b.Namespace, prefix, a.Port, max(a.Port, a.PortEnd), lookup, p, b, a})
	}
	for _, a := range b.Lookup {
		add(a, true)
	}
	if a := b.Address; len(b.Lookup) == 0 && a.IP.IsValid() && !a.IP.IsUnspecified() {
		add(a, false)
	}
	if len(b.Lookup) > 0 && p.IsPage() {
		l.alertAt(b.Pos, "a statistics listener cannot be on a prefix or a large range of ports")
	}
	if len(b.Lookup) > 0 && b.Namespace != "" {
		l.alertAt(b.Pos, "'namespace' does not go with a prefix or a large range of ports yet, which the kernel looks up in the process's own")
	}
	if len(b.Lookup) > 0 && b.Interface != "" {
		l.alertAt(b.Pos, "'interface' does not go with a prefix or a large range of ports, which the kernel looks up for all interfaces")
	}
	return all
}

func (l *loader) validateOverlap(c, o *covered, told map[*Bind]bool) {
	if !c.meets(o) || !c.lookup && !o.lookup {
		return
	}
	place := fmt.Sprintf("%s of '%s' at %s:%d", o.address, o.proxy.Name, o.bind.Pos.File, o.bind.Pos.Line)
	switch {
	case c.prefix == o.prefix && c.width() == o.width() && c.first == o.first:
		l.alertAt(c.bind.Pos, "'%s' is already %s", c.address, place)
	case c.prefix == o.prefix && c.width() == o.width():
		l.alertAt(c.bind.Pos, "'%s' and %s overlap, and neither is narrower", c.address, place)
	case c.bind != o.bind && !told[c.bind]:
		told[c.bind] = true // once for a line: it may have thousands
		l.report(Diagnostic{Notice, c.bind.Pos, fmt.Sprintf("'%s' takes precedence over %s", c.address, place)})
	}
}
