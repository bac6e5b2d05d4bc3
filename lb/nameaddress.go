package lb

import (
	"net/netip"
	"slices"

	"github.com/sluice-lb/sluice/lb/config"
)

// chooseAddress gives the address of an answer that suits a server best; invalid: there is none for it.
//
// First comes the preferred family, then a preferred network, then an address that no other server of the backend with the
// same name has; and of those that are equal in all that the one that the server has already, or else the first. Unless
// duplicates are allowed, an address that another has is out of the question.
func chooseAddress(options config.Resolve, current netip.Addr, answer []netip.Addr, taken func(netip.Addr) bool) netip.Addr {
	var best netip.Addr
	most := -1
	for _, addr := range answer {
		score := 0
		if addr.Is4() == (options.Prefer == "ipv4") {
			score += 8
		}
		if slices.ContainsFunc(options.Networks, func(n netip.Prefix) bool { return n.Contains(addr) }) {
			score += 4
		}
		switch {
		case !taken(addr):
			score += 2
		case !options.AllowDup:
			continue
		}
		if addr == current {
			score++
		}
		if score > most {
			best, most = addr, score
		}
	}
	return best
}

// serviceWeight is a server's weight for the weight of its SRV record, 0..65535 to 0..256: only a record's 0 gives 0.
func serviceWeight(weight uint16) int { return (int(weight) + 255) / 256 }
