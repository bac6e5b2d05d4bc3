//go:build linux

package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/bench/load"
	"github.com/sluice-lb/sluice/bench/origin"
)

var anyPort = netip.MustParseAddrPort("127.0.0.1:0")

// start runs an origin until the test ends, or until stop is called, which gives its result.
func start(t *testing.T, spec origin.Spec) (target netip.AddrPort, stop func() origin.Result) {
	t.Helper()
	spec.Listen = []netip.AddrPort{anyPort}
	ready := make(chan netip.AddrPort, 1)
	spec.Ready = func(addresses []netip.AddrPort) { ready <- addresses[0] }
	ctx, cancel := context.WithCancel(t.Context())
	var result origin.Result
	var err error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		result, err = origin.Run(ctx, spec)
	}()
	stop = func() origin.Result {
		cancel()
		<-ended
		if err != nil {
			t.Error(err)
		}
		return result
	}
	t.Cleanup(func() { stop() })
	select {
	case target = <-ready:
	case <-ended:
		t.Fatal("no origin: ", err)
	}
	return target, stop
}

func run(t *testing.T, spec load.Spec) load.Result {
	t.Helper()
	result, err := load.Run(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestKinds runs every kind through a direct connection, two threads, and compares with what the origin saw.
func TestKinds(t *testing.T) {
	scheduled := func(r load.Result, rate float64) bool {
		due := rate * r.Duration.Seconds()
		return math.Abs(float64(r.Requests)-due) <= 1 && r.Latency.Count == int64(r.Requests)
	}
	for _, test := range []struct {
		name  string
		spec  load.Spec
		kind  origin.Kind
		check func(load.Result) bool
	}{
		{"request", load.Spec{Kind: load.Request, Connections: 10}, origin.Request, func(r load.Result) bool {
			return r.Requests > 10 && r.BytesOut >= 64*r.Requests && r.BytesIn == 64*r.Requests && r.Latency.Count == int64(r.Requests) && r.Latency.P50 > 1000
		}},
		{"large request and response", load.Spec{Kind: load.Request, Connections: 2, RequestBytes: 1 << 20, ResponseBytes: 3 << 20}, origin.Request, func(r load.Result) bool {
			return r.Requests > 2 && r.BytesIn >= 3<<20*r.Requests && r.BytesOut >= 1<<20*r.Requests
		}},
		{"tiny response", load.Spec{Kind: load.Request, RequestBytes: 8, ResponseBytes: 1}, origin.Request, func(r load.Result) bool {
			return r.Requests > 10 && r.BytesIn == r.Requests
		}},
		{"connect, server closes", load.Spec{Kind: load.ConnectRequestClose, Connections: 10}, origin.Request, func(r load.Result) bool {
			return r.Requests > 10 && r.Connections >= r.Requests && r.Latency.Count == int64(r.Requests)
		}},
		{"connect, client closes", load.Spec{Kind: load.ConnectRequestClose, Connections: 10, Close: load.CloseClient}, origin.Request, func(r load.Result) bool {
			return r.Requests > 10 && r.Connections >= r.Requests
		}},
		{"connect, client resets", load.Spec{Kind: load.ConnectRequestClose, Connections: 10, Close: load.CloseReset}, origin.Request, func(r load.Result) bool {
			return r.Requests > 10 && r.Connections >= r.Requests
		}},
		{"connect-close", load.Spec{Kind: load.ConnectClose, Connections: 10}, origin.AcceptClose, func(r load.Result) bool {
			return r.Requests > 10 && r.Connections == r.Requests && r.Latency.Count == int64(r.Requests)
		}},
		{"connect-close, client resets", load.Spec{Kind: load.ConnectClose, Connections: 10, Close: load.CloseReset}, origin.Sink, func(r load.Result) bool {
			return r.Requests > 10 && r.Connections == r.Requests
		}},
		{"bulk up", load.Spec{Kind: load.BulkUp, Connections: 2}, origin.Request, func(r load.Result) bool {
			return r.BytesOut > 1<<20 && r.BytesIn == 0 && r.BulkOut == r.BytesOut && r.Requests == 0
		}},
		{"bulk up to a sink", load.Spec{Kind: load.BulkUp}, origin.Sink, func(r load.Result) bool { return r.BytesOut > 1<<20 }},
		{"bulk up, paced", load.Spec{Kind: load.BulkUp, BulkRate: 100 << 20}, origin.Sink, func(r load.Result) bool {
			return r.BytesOut > 1<<20 && r.BytesOut < uint64(200<<20*r.Duration.Seconds())+8<<20
		}},
		{"bulk down", load.Spec{Kind: load.BulkDown, Connections: 2}, origin.Request, func(r load.Result) bool {
			return r.BytesIn > 1<<20 && r.BulkIn == r.BytesIn && r.Requests == 0
		}},
		{"bulk down from a source", load.Spec{Kind: load.BulkDown}, origin.Source, func(r load.Result) bool { return r.BytesIn > 1<<20 }},
		{"bulk both", load.Spec{Kind: load.BulkBoth, Connections: 2}, origin.Request, func(r load.Result) bool {
			return r.BytesIn > 1<<20 && r.BytesOut > 1<<20
		}},
		// The echo of the header begins with the right tag, because both lengths are the same.
		{"bulk both, echoed", load.Spec{Kind: load.BulkBoth}, origin.Echo, func(r load.Result) bool { return r.BytesIn > 1<<20 && r.BytesOut >= r.BytesIn }},
		{"transfers up", load.Spec{Kind: load.BulkUp, BulkBytes: 1 << 20}, origin.Request, func(r load.Result) bool {
			return r.Requests > 1 && r.Latency.Count == int64(r.Requests) && r.BytesIn == 8*r.Requests && r.BytesOut >= r.Requests<<20
		}},
		{"transfers down", load.Spec{Kind: load.BulkDown, BulkBytes: 1 << 20}, origin.Request, func(r load.Result) bool {
			return r.Requests > 1 && r.BytesIn >= r.Requests<<20
		}},
		{"mixed", load.Spec{Kind: load.Mixed, Connections: 2, BulkConnections: 2}, origin.Request, func(r load.Result) bool {
			return r.Requests > 1 && r.BulkIn > 1<<20 && r.BytesIn == r.BulkIn+64*r.Requests
		}},
		{"mixed, open loop", load.Spec{Kind: load.Mixed, Connections: 2, Bulk: load.BulkUp, Rate: 200, Warmup: 50 * time.Millisecond}, origin.Request, func(r load.Result) bool {
			return scheduled(r, 200) && r.BulkOut > 1<<20
		}},
		{"idle", load.Spec{Kind: load.Idle, Connections: 300}, origin.Request, func(r load.Result) bool {
			return r.Connections == 300 && r.Requests == 0 && r.BytesIn == 0
		}},
		{"idle, slowly", load.Spec{Kind: load.Idle, Connections: 50, Rate: 1000}, origin.Request, func(r load.Result) bool { return r.Connections == 50 }},
		{"slow readers", load.Spec{Kind: load.SlowReaders, Connections: 20}, origin.Request, func(r load.Result) bool {
			return r.Connections == 20 && r.BytesIn == 0
		}},
		{"open loop", load.Spec{Kind: load.Request, Connections: 10, Rate: 2000, Warmup: 50 * time.Millisecond}, origin.Request, func(r load.Result) bool {
			return scheduled(r, 2000) && r.Lateness.Count > 0
		}},
		{"open loop in bursts", load.Spec{Kind: load.Request, Connections: 20, Rate: 2000, Burst: 5, Warmup: 50 * time.Millisecond}, origin.Lean, func(r load.Result) bool {
			return math.Abs(float64(r.Requests)-2000*r.Duration.Seconds()) <= 10 && r.Latency.Count == int64(r.Requests)
		}},
		{"request, lean", load.Spec{Kind: load.Request, Connections: 10}, origin.Lean, func(r load.Result) bool {
			return r.Requests > 10 && r.BytesIn == 64*r.Requests
		}},
		{"connect, server closes, lean", load.Spec{Kind: load.ConnectRequestClose, Connections: 10}, origin.Lean, func(r load.Result) bool {
			return r.Requests > 10 && r.Connections >= r.Requests
		}},
		{"open loop of connections", load.Spec{Kind: load.ConnectRequestClose, Connections: 50, Rate: 1000, Warmup: 50 * time.Millisecond}, origin.Request, func(r load.Result) bool {
			return scheduled(r, 1000)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			problem := try(t, test.spec, test.kind, test.check, 100*time.Millisecond)
			if problem != "" { // a machine that does other things besides gets more time
				problem = try(t, test.spec, test.kind, test.check, time.Second)
			}
			if problem != "" {
				t.Error(problem)
			}
		})
	}
}

// try tells what is wrong with a run, nothing if it is right.
func try(t *testing.T, spec load.Spec, kind origin.Kind, check func(load.Result) bool, duration time.Duration) string {
	target, stop := start(t, origin.Spec{Kind: kind})
	spec.Target, spec.Duration, spec.Threads = target, duration, 2
	result := run(t, spec)
	result.Latency.Histogram, result.Lateness.Histogram = "", ""
	seen := stop()
	switch most := result.Requests + uint64(max(spec.Connections, 1)); {
	case !check(result):
		return fmt.Sprintf("a result that cannot be: %+v\nof an origin that says %+v", result, seen)
	case len(result.Errors) > 0:
		return fmt.Sprintf("errors: %v", result.Errors)
	case seen.Errors > 0:
		return fmt.Sprintf("the origin had %d errors", seen.Errors)
	case result.Duration < duration || result.Duration > duration+time.Millisecond:
		return fmt.Sprintf("measured for %s", result.Duration)
	case spec.Kind == load.Request && spec.Rate == 0 && (seen.Requests < result.Requests || seen.Requests > most):
		return fmt.Sprintf("%d requests, of which the origin saw %d; at the end, %d can be under way", result.Requests, seen.Requests, spec.Connections)
	}
	return ""
}

// TestCoordinatedOmission stops the origin for 200 ms. A closed loop has only as many slow requests as it has connections; by the schedule, each
// that was due meanwhile has waited.
func TestCoordinatedOmission(t *testing.T) {
	const rate, connections = 1000, 4
	slow := func(rate float64) (slow int64, result load.Result) {
		target, _ := start(t, origin.Spec{Kind: origin.Request, StallAfter: 300 * time.Millisecond, StallFor: 200 * time.Millisecond})
		result = run(t, load.Spec{Kind: load.Request, Target: target, Connections: connections, Rate: rate, Warmup: 100 * time.Millisecond, Duration: 600 * time.Millisecond})
		histogram, err := result.Latency.Decode()
		if err != nil {
			t.Fatal(err)
		}
		for _, bar := range histogram.Distribution() {
			if bar.From >= int64(100*time.Millisecond) {
				slow += bar.Count
			}
		}
		return slow, result
	}
	if slow, result := slow(0); slow > 4*connections || slow == 0 {
		t.Errorf("closed loop: %d requests were slow, of %d connections: %+v", slow, connections, result.Errors)
	}
	open, result := slow(rate)
	if open < 80 { // those due in the first half of the stall waited for more than its second half
		t.Errorf("open loop: only %d of %d requests were slow", open, result.Requests)
	}
	if result.Requests < 599 || result.Requests > 601 || len(result.Errors) > 0 {
		t.Errorf("open loop: %d requests of 600, errors %v", result.Requests, result.Errors)
	}
	if result.Latency.Max < int64(150*time.Millisecond) || result.Queued < 100 {
		t.Errorf("open loop: at most %s, %d queued", time.Duration(result.Latency.Max), result.Queued)
	}
}

// TestUnanswered has a target that accepts and never answers.
func TestUnanswered(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	result := run(t, load.Spec{Kind: load.Request, Target: netip.MustParseAddrPort(listener.Addr().String()), Connections: 5, Rate: 200,
		Duration: 200 * time.Millisecond, Drain: 50 * time.Millisecond})
	if n := result.Errors["unanswered"]; n < 35 || n > 40 || result.Latency.Count != int64(n) || result.Requests != 0 {
		t.Errorf("%d of 40 unanswered, %d with a latency, %d requests", n, result.Latency.Count, result.Requests)
	}
	if result.Latency.Max < int64(200*time.Millisecond) {
		t.Errorf("the first has waited for %s", time.Duration(result.Latency.Max))
	}
}

func TestErrors(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := netip.MustParseAddrPort(listener.Addr().String())
	listener.Close()
	does := func(do func(net.Conn)) netip.AddrPort {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				connection, err := listener.Accept()
				if err != nil {
					return
				}
				do(connection)
			}
		}()
		return netip.MustParseAddrPort(listener.Addr().String())
	}
	closes := does(func(c net.Conn) { c.Read(make([]byte, 64)); c.Close() })
	resets := does(func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Read(make([]byte, 64)); c.Close() })
	garbles := does(func(c net.Conn) { c.Read(make([]byte, 64)); c.Write(make([]byte, 64)); c.Close() })
	hangs := does(func(c net.Conn) { t.Cleanup(func() { c.Close() }) })
	for _, test := range []struct {
		kind   string
		target netip.AddrPort
		spec   load.Spec
	}{
		{"refused", refusing, load.Spec{Kind: load.Request}},
		{"refused", refusing, load.Spec{Kind: load.Request, Rate: 100}},
		{"refused", refusing, load.Spec{Kind: load.ConnectRequestClose}},
		{"refused", refusing, load.Spec{Kind: load.ConnectRequestClose, Rate: 200}},
		{"refused", refusing, load.Spec{Kind: load.ConnectClose}},
		{"refused", refusing, load.Spec{Kind: load.ConnectClose, Close: load.CloseClient}},
		{"refused", refusing, load.Spec{Kind: load.BulkUp}},
		{"refused", refusing, load.Spec{Kind: load.Idle}},
		{"closed", closes, load.Spec{Kind: load.Request}},
		{"closed", closes, load.Spec{Kind: load.ConnectRequestClose}},
		{"reset", resets, load.Spec{Kind: load.Request}},
		{"garbled", garbles, load.Spec{Kind: load.Request}},
		{"dropped", does(func(c net.Conn) { c.Close() }), load.Spec{Kind: load.Request, Rate: 1}},
		{"timeout", hangs, load.Spec{Kind: load.Request, Timeout: 20 * time.Millisecond}},
		{"timeout", hangs, load.Spec{Kind: load.ConnectClose, Timeout: 20 * time.Millisecond}},
	} {
		t.Run(test.kind+" "+string(test.spec.Kind), func(t *testing.T) {
			t.Parallel()
			test.spec.Target, test.spec.Duration, test.spec.Connections = test.target, 150*time.Millisecond, 2
			test.spec.Drain = 20 * time.Millisecond
			result := run(t, test.spec)
			if result.Errors[test.kind] == 0 || result.Requests > 0 {
				t.Errorf("%d requests, errors %v", result.Requests, result.Errors)
			}
			// A connection that failed is not made again at once.
			if n := result.Errors[test.kind]; n > 2*(150/10+1) {
				t.Errorf("%d tries of two connections in 150 ms", n)
			}
		})
	}
}

// TestRecovers loses its origin and finds it again.
func TestRecovers(t *testing.T) {
	for _, rate := range []float64{0, 500} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := netip.MustParseAddrPort(listener.Addr().String())
		listener.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var ended sync.WaitGroup
		ended.Go(func() {
			for _, life := range []time.Duration{100 * time.Millisecond, time.Minute} {
				serving, stop := context.WithTimeout(ctx, life)
				if _, err := origin.Run(serving, origin.Spec{Kind: origin.Request, Listen: []netip.AddrPort{address}}); err != nil {
					t.Error(err)
				}
				stop()
				select {
				case <-ctx.Done():
				case <-time.After(50 * time.Millisecond):
				}
			}
		})
		result := run(t, load.Spec{Kind: load.Request, Target: address, Connections: 8, Rate: rate, Duration: 400 * time.Millisecond})
		cancel()
		ended.Wait()
		if len(result.Errors) == 0 || result.Requests == 0 {
			t.Errorf("rate %g: %d requests, errors %v", rate, result.Requests, result.Errors)
		}
		if n := len(result.Timeline); n != 4 || result.Timeline[n-1].Requests == 0 {
			t.Errorf("rate %g: a timeline of %+v", rate, result.Timeline)
		}
	}
}

func TestEndsEarly(t *testing.T) {
	target, _ := start(t, origin.Spec{Kind: origin.Request})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var events []string
	result, err := load.Run(ctx, load.Spec{Kind: load.Request, Target: target, Duration: time.Hour, Notify: func(event string) { events = append(events, event) }})
	if err != nil {
		t.Fatal(err)
	}
	if result.Requests == 0 || result.Duration < 50*time.Millisecond || result.Duration > time.Second || result.Latency.Count != int64(result.Requests) {
		t.Errorf("%d requests in %s", result.Requests, result.Duration)
	}
	if got := strings.Join(events, " "); got != "measure open end" && got != "open measure end" {
		t.Errorf("events: %s", got)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if result, err := load.Run(ctx, load.Spec{Kind: load.Request, Target: target, Warmup: time.Hour, Duration: time.Hour}); err != nil || result.Duration != 0 || result.Requests != 0 {
		t.Errorf("ended in its warm-up: %s, %d requests, %v", result.Duration, result.Requests, err)
	}
}

func TestSourcesAndTargets(t *testing.T) {
	var mutex sync.Mutex
	seen := map[string]int{}
	var targets []netip.AddrPort
	for range 2 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		targets = append(targets, netip.MustParseAddrPort(listener.Addr().String()))
		go func() {
			for {
				connection, err := listener.Accept()
				if err != nil {
					return
				}
				mutex.Lock()
				seen[connection.RemoteAddr().(*net.TCPAddr).IP.String()+" "+listener.Addr().String()]++
				mutex.Unlock()
				connection.Close()
			}
		}()
	}
	result := run(t, load.Spec{Kind: load.ConnectClose, Targets: targets, Sources: []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")},
		Connections: 4, Threads: 2, Duration: 100 * time.Millisecond})
	mutex.Lock()
	defer mutex.Unlock()
	if len(seen) != 4 || result.Requests == 0 || len(result.Errors) > 0 {
		t.Errorf("connections of %v, errors %v", seen, result.Errors)
	}
}

func TestIPv6(t *testing.T) {
	listener, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6: ", err)
	}
	address := netip.MustParseAddrPort(listener.Addr().String())
	listener.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan []netip.AddrPort, 1), make(chan error, 1)
	go func() {
		_, err := origin.Run(ctx, origin.Spec{Kind: origin.Request, Listen: []netip.AddrPort{address}, Ready: func(a []netip.AddrPort) { ready <- a }})
		ended <- err
	}()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-ready:
	case <-time.After(5 * time.Second):
		t.Fatal("no origin")
	}
	result := run(t, load.Spec{Kind: load.ConnectRequestClose, Target: address, Sources: []netip.Addr{address.Addr()}, Duration: 50 * time.Millisecond})
	if result.Requests == 0 || len(result.Errors) > 0 {
		t.Errorf("%d requests, errors %v", result.Requests, result.Errors)
	}
}

func TestHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/page" {
			w.WriteHeader(http.StatusNotFound)
		}
		w.Write(bytes.Repeat([]byte("x"), 100))
	}))
	defer server.Close()
	target := netip.MustParseAddrPort(server.Listener.Addr().String())
	for _, kind := range []load.Kind{load.Request, load.ConnectRequestClose} {
		spec := load.Spec{Kind: kind, Target: target, Protocol: load.HTTP, Path: "/page", Connections: 2, Duration: 100 * time.Millisecond}
		if result := run(t, spec); result.Requests == 0 || len(result.Errors) > 0 || result.BytesIn < 200*result.Requests {
			t.Errorf("%s: %d requests, %d bytes, errors %v", kind, result.Requests, result.BytesIn, result.Errors)
		}
		spec.Path = "/"
		if _, err := load.Run(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("%s: a page that is not there: %v", kind, err)
		}
	}
}

func TestServe(t *testing.T) {
	target, _ := start(t, origin.Spec{Kind: origin.Request})
	serve := func(in string) (messages []load.Message) {
		var out bytes.Buffer
		if err := load.Serve(t.Context(), strings.NewReader(in), &out); err != nil {
			t.Fatal(err)
		}
		for decoder := json.NewDecoder(&out); decoder.More(); {
			var message load.Message
			if err := decoder.Decode(&message); err != nil {
				t.Fatal(err)
			}
			messages = append(messages, message)
		}
		return messages
	}
	spec, err := json.Marshal(load.Spec{Kind: load.Request, Target: target, Warmup: 20 * time.Millisecond, Duration: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	messages := serve(string(spec))
	if n := len(messages); n != 4 || messages[n-1].Result == nil || messages[n-1].Result.Requests == 0 {
		t.Errorf("messages: %+v", messages)
	}
	for _, in := range []string{"", "{}", `{"Kind":"dance"}`} {
		if messages := serve(in); len(messages) != 1 || messages[0].Error == "" {
			t.Errorf("%q: %+v", in, messages)
		}
	}
}

func TestMerge(t *testing.T) {
	target, _ := start(t, origin.Spec{Kind: origin.Request})
	spec := load.Spec{Kind: load.Request, Target: target, Duration: 20 * time.Millisecond}
	a, b := run(t, spec).Latency, run(t, spec).Latency
	both, err := load.Merge(a, b, load.Latency{})
	if err != nil || both.Count != a.Count+b.Count || both.Max != max(a.Max, b.Max) {
		t.Errorf("%d and %d are %d, at most %d and %d are %d: %v", a.Count, b.Count, both.Count, a.Max, b.Max, both.Max, err)
	}
}

func TestRefusesSpecs(t *testing.T) {
	good := load.Spec{Kind: load.Request, Target: netip.MustParseAddrPort("127.0.0.1:1"), Duration: time.Second}
	for name, spoil := range map[string]func(*load.Spec){
		"kind":        func(s *load.Spec) { s.Kind = "" },
		"target":      func(s *load.Spec) { s.Target = netip.AddrPort{} },
		"duration":    func(s *load.Spec) { s.Duration = 0 },
		"rate":        func(s *load.Spec) { s.Rate = -1 },
		"bursts":      func(s *load.Spec) { s.Burst = -1 },
		"request":     func(s *load.Spec) { s.RequestBytes = 7 },
		"response":    func(s *load.Spec) { s.ResponseBytes = -1 },
		"close":       func(s *load.Spec) { s.Close = "slam" },
		"protocol":    func(s *load.Spec) { s.Protocol = "gopher" },
		"no rate":     func(s *load.Spec) { s.Kind, s.Rate = load.BulkUp, 5 },
		"no end":      func(s *load.Spec) { s.Kind, s.BulkBytes = load.BulkBoth, 1000 },
		"bulk":        func(s *load.Spec) { s.Kind, s.Bulk = load.Mixed, load.Idle },
		"not in HTTP": func(s *load.Spec) { s.Kind, s.Protocol = load.BulkUp, load.HTTP },
		"families":    func(s *load.Spec) { s.Sources = []netip.Addr{netip.MustParseAddr("::1")} },
	} {
		spec := good
		spoil(&spec)
		if _, err := load.Run(t.Context(), spec); err == nil {
			t.Errorf("%s: ran", name)
		}
	}
}
