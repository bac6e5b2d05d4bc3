package ebpf

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
)

// Rule gives the connections to some addresses and ports to a target. Of several that cover one, the longest prefix wins, and of the
// same prefix the narrower range of ports.
type Rule struct {
	Prefix      netip.Prefix
	First, Last uint16 // ports
	Target      int    // a number from 0 up, or one of the constants
}

// Targets that are no sockets.
const (
	PassTarget   = -2 // the kernel's own search decides, as if there were no program
	RefuseTarget = -1 // the connection is refused
)

func (r Rule) width() int { return int(r.Last) - int(r.First) }

// tables is what the program searches: see c/lookup.c.
type tables struct {
	prefixes []netip.Prefix // the shorter ones first
	spans    []lookupSpan   // of each
	ranges   []lookupRange
}

// compile turns rules into tables. Each prefix's list has what is its own and, in the gaps, what the next wider prefix has; equal lists
// are kept once, so that ten thousand prefixes on the same ports take one range.
func compile(rules []Rule) (*tables, error) {
	own := make(map[netip.Prefix][]Rule)
	for _, r := range rules {
		if !r.Prefix.IsValid() || r.Last < r.First {
			return nil, fmt.Errorf("%v ports %d-%d is no rule", r.Prefix, r.First, r.Last)
		}
		r.Prefix = r.Prefix.Masked()
		own[r.Prefix] = append(own[r.Prefix], r)
	}
	t := &tables{}
	for prefix := range own {
		t.prefixes = append(t.prefixes, prefix)
	}
	slices.SortFunc(t.prefixes, func(a, b netip.Prefix) int {
		return cmp.Or(cmp.Compare(a.Bits(), b.Bits()), a.Addr().Compare(b.Addr()))
	})
	var lengths []int // that there are, ascending
	lists := make(map[netip.Prefix][]lookupRange)
	shared := make(map[string]lookupSpan)
	for _, prefix := range t.prefixes {
		if n := len(lengths); n == 0 || lengths[n-1] != prefix.Bits() {
			lengths = append(lengths, prefix.Bits())
		}
		list, err := paint(own[prefix])
		if err != nil {
			return nil, err
		}
		for i := len(lengths) - 2; i >= 0; i-- {
			wider, err := prefix.Addr().Prefix(lengths[i])
			if err != nil {
				continue // of the other family
			}
			if above, found := lists[wider]; found {
				for _, r := range above {
					list = fill(list, r)
				}
				break
			}
		}
		lists[prefix] = list
		t.spans = append(t.spans, t.keep(list, shared))
	}
	return t, nil
}

// paint makes a list of the rules of one prefix, in which ranges do not overlap: the narrower first, the wider in the gaps.
func paint(rules []Rule) ([]lookupRange, error) {
	rules = slices.Clone(rules)
	slices.SortStableFunc(rules, func(a, b Rule) int { return cmp.Or(cmp.Compare(a.width(), b.width()), cmp.Compare(a.First, b.First)) })
	var list []lookupRange
	for i, r := range rules {
		if i > 0 {
			if before := rules[i-1]; before.width() == r.width() && r.First <= before.Last && before.Target != r.Target {
				return nil, fmt.Errorf("%v: ports %d-%d and %d-%d overlap, and neither is narrower", r.Prefix, before.First, before.Last, r.First, r.Last)
			}
		}
		list = fill(list, lookupRange{Low: r.First, High: r.Last, Target: uint32(r.Target)})
	}
	return list, nil
}

// fill adds to a list, which is in order, what of r it does not cover.
func fill(list []lookupRange, r lookupRange) []lookupRange {
	out := make([]lookupRange, 0, len(list)+2)
	low, high := int(r.Low), int(r.High)
	for _, x := range list {
		if gap := min(int(x.Low)-1, high); low <= gap {
			out = append(out, lookupRange{Low: uint16(low), High: uint16(gap), Target: r.Target})
		}
		low = max(low, int(x.High)+1)
		out = append(out, x)
	}
	if low <= high {
		out = append(out, lookupRange{Low: uint16(low), High: uint16(high), Target: r.Target})
	}
	return out
}

// keep puts a list into the table of ranges, unless an equal one is there.
func (t *tables) keep(list []lookupRange, shared map[string]lookupSpan) lookupSpan {
	var key []byte
	for _, r := range list {
		key = binary.NativeEndian.AppendUint16(key, r.Low)
		key = binary.NativeEndian.AppendUint16(key, r.High)
		key = binary.NativeEndian.AppendUint32(key, r.Target)
	}
	span, found := shared[string(key)]
	if !found {
		span = lookupSpan{First: uint32(len(t.ranges)), Count: uint32(len(list))}
		t.ranges = append(t.ranges, list...)
		shared[string(key)] = span
	}
	return span
}
