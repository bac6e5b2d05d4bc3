//go:build linux

package race

import (
	"context"
	"net/netip"

	"github.com/sluice-lb/sluice/bench/origin"
)

// origins are all servers of a run. Each answers a connection's request with one byte and closes it. They check the balancer's other promise: since
// an origin closes first, a server never sees more connections than its maxconn.
type origins struct {
	ports []uint16
	stop  func() (origin.Result, error) // ends them; may be called again
}

// serve starts n servers.
func serve(ctx context.Context, n, maxConn int) (*origins, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // when the measurement is interrupted, requests still end
	ready, done := make(chan []netip.AddrPort, 1), make(chan struct{})
	spec := origin.Spec{Kind: origin.Lean, MaxConn: maxConn, Ready: func(addresses []netip.AddrPort) { ready <- addresses }}
	for range n {
		spec.Listen = append(spec.Listen, netip.AddrPortFrom(loopback, 0))
	}
	var did origin.Result
	var err error
	go func() {
		defer close(done)
		did, err = origin.Run(ctx, spec)
	}()
	o := &origins{stop: func() (origin.Result, error) {
		cancel()
		<-done
		return did, err
	}}
	select {
	case <-done:
		cancel()
		return nil, err
	case addresses := <-ready:
		for _, a := range addresses {
			o.ports = append(o.ports, a.Port())
		}
		return o, nil
	}
}
