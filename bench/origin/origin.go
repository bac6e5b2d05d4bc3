//go:build linux

package origin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// server is a running origin. Its counters are shared by all goroutines; the connections of a run on one core do not fight over them.
type server struct {
	spec    Spec
	started time.Time

	connections, requests, bytesIn, bytesOut, errors atomic.Uint64
	serving, mostAtOnce                              atomic.Int64
	byAddress                                        []atomic.Uint64
	overLimit                                        uint64 // Lean's; valid when it has stopped

	// streams are the plain connections, closed when the origin ends. Under mutex; nil when it has ended.
	mutex   sync.Mutex
	streams map[net.Conn]struct{}
	running sync.WaitGroup
}

// Run listens and serves until ctx ends, then closes its connections and gives the counts. What stays is netpoll's event loop, for the
// next Run, and a request that has been under way for 100 ms by then.
func Run(ctx context.Context, spec Spec) (Result, error) {
	if err := spec.check(); err != nil {
		return Result{}, err
	}
	s := &server{spec: spec, started: time.Now(), byAddress: make([]atomic.Uint64, len(spec.Listen)), streams: map[net.Conn]struct{}{}}
	user, system := cpuTime()
	listeners, addresses, err := listen(ctx, spec.Listen)
	if err != nil {
		return Result{}, err
	}
	var stop func()
	switch spec.Kind {
	case Request:
		stop, err = s.serveNetpoll(listeners)
	case Lean, AcceptClose:
		stop, err = s.serveLean(listeners)
	default:
		stop = s.servePlain(listeners)
	}
	if err != nil {
		return Result{}, err
	}
	if spec.Ready != nil {
		spec.Ready(addresses)
	}
	<-ctx.Done()
	stop()
	s.closeStreams()
	s.running.Wait()
	result := Result{
		Connections: s.connections.Load(), Requests: s.requests.Load(), BytesIn: s.bytesIn.Load(), BytesOut: s.bytesOut.Load(),
		Errors: s.errors.Load(), MostAtOnce: s.mostAtOnce.Load(), OverLimit: s.overLimit, Duration: time.Since(s.started),
	}
	for i := range s.byAddress {
		result.ByAddress = append(result.ByAddress, s.byAddress[i].Load())
	}
	userAfter, systemAfter := cpuTime()
	result.User, result.System = (userAfter - user).Seconds(), (systemAfter - system).Seconds()
	return result, nil
}

func cpuTime() (user, system time.Duration) {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil { // fails for a bad argument only
		return 0, 0
	}
	return time.Duration(usage.Utime.Nano()), time.Duration(usage.Stime.Nano())
}

func listen(ctx context.Context, wanted []netip.AddrPort) (listeners []net.Listener, addresses []netip.AddrPort, err error) {
	for _, address := range wanted {
		// Not Multipath TCP, which Go would choose by itself.
		var config net.ListenConfig
		config.SetMultipathTCP(false)
		listener, err := config.Listen(ctx, "tcp", address.String())
		if err != nil {
			for _, other := range listeners {
				other.Close()
			}
			return nil, nil, fmt.Errorf("origin: listen on %s: %w", address, err)
		}
		listeners = append(listeners, listener)
		addresses = append(addresses, listener.Addr().(*net.TCPAddr).AddrPort())
	}
	return listeners, addresses, nil
}

// Message is a line of JSON that Serve writes. One field is set.
type Message struct {
	Listening []netip.AddrPort `json:",omitempty"`
	Result    *Result          `json:",omitempty"`
	Error     string           `json:",omitempty"`
}

// Serve is Run for a process of its own: it reads a Spec in JSON from in, writes a Message with the addresses to out, serves until ctx or
// in ends, and writes a Message with the Result or the Error. Its error is that out could not be written to.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	encoder := json.NewEncoder(out)
	decoder := json.NewDecoder(in)
	var spec Spec
	if err := decoder.Decode(&spec); err != nil {
		return encoder.Encode(Message{Error: fmt.Sprintf("origin: the spec: %v", err)})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in) // however it ends, it has ended
		cancel()
	}()
	spec.Ready = func(addresses []netip.AddrPort) { _ = encoder.Encode(Message{Listening: addresses}) }
	result, err := Run(ctx, spec)
	if err != nil {
		return encoder.Encode(Message{Error: err.Error()})
	}
	return encoder.Encode(Message{Result: &result})
}
