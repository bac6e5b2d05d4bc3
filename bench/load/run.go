//go:build linux

package load

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/bench/frame"
)

// run is what the loops of one run share. What is not atomic does not change once they have started.
type run struct {
	spec  Spec
	cores cores

	// clock's zero. All times are nanoseconds since it.
	base time.Time
	// begin and end are the edges of the measured time. Run moves them: to begin when all is open, and to an end that comes early.
	begin, end atomic.Int64
	// opened counts connections that have been established, or have failed, once. allOpen is closed when that is each.
	opened  atomic.Int64
	toOpen  int64
	allOpen chan struct{}

	small, bulk exchange
}

const never = math.MaxInt64 // nanoseconds

func (r *run) now() int64 { return int64(time.Since(r.base)) }

// start starts the clock. Where connections are held the edges are set when all are open.
func (r *run) start() {
	r.base = time.Now()
	if !r.spec.holds() {
		r.begin.Store(int64(r.spec.Warmup))
		r.end.Store(int64(r.spec.Warmup + r.spec.Duration))
	}
}

// exchange is what is sent and received for one request. It is not written to while loops run.
type exchange struct {
	// template is the request's beginning; filler follows it as often as is needed.
	template, filler []byte
	// request and response are lengths in bytes, endless if there is none.
	request, response int64
	// tag is what the response has to begin with. Of HTTP's it is the status, which stands nine bytes later.
	tag []byte
	// skip is the number of bytes before the tag.
	skip int
	// counted: each is a request with a latency. quiet: its response is not read.
	counted, quiet, stream bool
	// short: a response is taken by one recv, so that epoll need not tell twice of what has come (edge-triggered).
	short bool
}

const (
	endless = int64(1) << 62
	// piece is the most that one system call sends, in bytes.
	piece = 256 << 10
	// shortest is the size of a recv, in bytes: one that gives less has taken all that is there.
	shortest = 64 << 10
)

func length(n uint32) int64 {
	if n == frame.Endless {
		return endless
	}
	return int64(n)
}

// framed is an exchange in package frame's protocol.
func framed(request, response uint32, closing bool) exchange {
	template := make([]byte, min(int64(piece), length(request)))
	frame.Put(template, request, response, closing)
	x := exchange{template: template, filler: template[frame.Header:], request: length(request), response: length(response), counted: true}
	if response >= 4 {
		x.tag = template[4:8]
	}
	return x
}

func bulkExchange(kind Kind, size int) exchange {
	const small = frame.Header
	finite := size != 0
	n := uint32(frame.Endless)
	if finite {
		n = uint32(size)
	}
	var x exchange
	switch {
	case kind == BulkDown:
		x = framed(small, n, false)
	case kind == BulkUp && finite:
		x = framed(n, small, false) // the response tells that all has arrived
	case kind == BulkUp:
		x = framed(n, 0, false)
	default:
		x = framed(n, n, false)
	}
	x.stream, x.counted = true, finite
	return x
}

// newRun prepares what the loops share. It makes HTTP's first request.
func newRun(ctx context.Context, spec Spec) (*run, error) {
	r := &run{spec: spec, cores: newCores(spec.CPUs), allOpen: make(chan struct{})}
	r.begin.Store(never)
	r.end.Store(never)
	closing := spec.connects() && spec.Close == CloseServer
	switch {
	case spec.Protocol == HTTP:
		request := httpRequest(&spec)
		response, err := learn(ctx, &spec, request)
		if err != nil {
			return nil, err
		}
		r.small = exchange{template: request, request: int64(len(request)), response: response, tag: []byte("200"), skip: len("HTTP/1.1 "), counted: true}
	case spec.Kind == SlowReaders:
		r.small = framed(frame.Header, frame.Endless, false)
		r.small.quiet, r.small.counted = true, false
	case spec.Kind == ConnectClose:
		r.small = exchange{counted: true}
	default:
		r.small = framed(uint32(spec.RequestBytes), uint32(spec.ResponseBytes), closing)
	}
	r.small.short = r.small.response < shortest
	if spec.Bulk != "" {
		r.bulk = bulkExchange(spec.Bulk, spec.BulkBytes)
		r.bulk.counted = r.bulk.counted && spec.Kind != Mixed
	}
	if !spec.connects() {
		r.toOpen = int64(spec.Connections + spec.BulkConnections)
	}
	return r, nil
}

// wasOpened is called once for each connection that is kept.
func (r *run) wasOpened() {
	if r.opened.Add(1) == r.toOpen {
		close(r.allOpen)
	}
}
