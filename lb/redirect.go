package lb

import (
	"fmt"
	"slices"

	"github.com/sluice-lb/sluice/ebpf"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/tcplog"
)

const (
	// redirectFlows is how many flows of a loop the kernel's redirect has room for, at most: 270 bytes of the kernel's
	// memory for each, whether it is used or not.
	redirectFlows = 16384
	// redirectLimit is how many bytes of one direction may wait in the kernel for a slow receiver.
	redirectLimit = 512 << 10
)

func wantsRedirect(cfg *config.Config) bool {
	return slices.ContainsFunc(cfg.Proxies, func(p *config.Proxy) bool { return p.Options.Sockmap && !p.Disabled })
}

// openRedirect loads the kernel program of "option sockmap", if any proxy wants it. Without the program flows stay with their
// loops, and the operator is told once.
func (b *Balancer) openRedirect(loops int, load ebpf.Loader) {
	if !wantsRedirect(b.config) {
		return
	}
	r, err := ebpf.NewRedirect(ebpf.RedirectOptions{
		Lanes: loops, Flows: int(min(b.process.MaxConn, redirectFlows)), Limit: redirectLimit,
	}, load)
	if err != nil {
		text := fmt.Sprintf("'option sockmap' has no effect, connections are forwarded as ever: %v", err)
		b.say(config.Warning, text)
		b.logger.Message(tcplog.Warning, text)
		return
	}
	b.redirect = r
	for i, l := range b.process.Loops {
		l.Redirect = r.Lane(i)
	}
	go r.Overfull(func(lane int, place uint32) { b.process.Loops[lane].Overfull(place) })
}
