package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// scenario is one kind of work. Its cost is CPU time per unit.
type scenario struct {
	group  string
	title  string
	unit   string        // what one unit of the load is
	in     time.Duration // the cost is shown in this
	inName string
	target float64 // the ratio sluice/HAProxy must not be above this
	// load puts one run on the balancer that listens on port. It gives the units done and what went wrong, if anything: such
	// a run is not counted. An error ends the whole measurement.
	load   func(ctx context.Context, b *bench, port int, seconds float64) (units float64, wrong string, err error)
	origin func(b *bench) int // the port of the origin behind the balancers
}

const (
	keepAliveConnections = 200
	closeConnections     = 100
)

var scenarios = []*scenario{
	{
		group: "keepalive", title: "keep-alive request, 200 connections", unit: "request",
		in: time.Microsecond, inName: "µs", target: 0.90, origin: (*bench).webPort,
		load: func(ctx context.Context, b *bench, port int, seconds float64) (float64, string, error) {
			return b.wrk(ctx, port, seconds, keepAliveConnections)
		},
	},
	{
		group: "close", title: "connect, request, close, 100 at once", unit: "connection",
		in: time.Microsecond, inName: "µs", target: 0.98, origin: (*bench).webPort,
		load: func(ctx context.Context, b *bench, port int, seconds float64) (float64, string, error) {
			return b.wrk(ctx, port, seconds, closeConnections, "-H", "Connection: close")
		},
	},
	bulk("bulk1", "download, one stream", "down", 1),
	bulk("bulk1", "upload, one stream", "up", 1),
	bulk("bulk8", "download, eight streams", "down", 8),
	bulk("bulk8", "upload, eight streams", "up", 8),
}

func bulk(group, title, direction string, streams int) *scenario {
	return &scenario{
		group: group, title: title, unit: "GB", in: time.Second, inName: "s", target: 0.95, origin: (*bench).bulkPort,
		load: func(ctx context.Context, b *bench, port int, seconds float64) (float64, string, error) {
			bytes := int64(b.options.gib * (1 << 30))
			if seconds < b.options.seconds { // a warm-up
				bytes /= 8
			}
			return b.copy(ctx, port, direction, streams, bytes)
		},
	}
}

func groups() []string {
	var names []string
	for _, s := range scenarios {
		if len(names) == 0 || names[len(names)-1] != s.group {
			names = append(names, s.group)
		}
	}
	return names
}

// configuration is what both balancers read; only the ports differ.
func configuration(listen, origin int) string {
	return fmt.Sprintf(`global
    nbthread 1
    maxconn 5000
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    option splice-auto
listen front
    bind 127.0.0.1:%d
    server origin 127.0.0.1:%d
`, listen, origin)
}

// configurationNote says what the configuration does not.
const configurationNote = "Neither has anything else tuned: buffers (`tune.bufsize`), pipes (`tune.pipesize`) and accept batches are the defaults of each, " +
	"splicing is allowed both ways (`option splice-auto`: each decides when), nothing is logged."

func seconds(s float64) string { return strconv.FormatFloat(s, 'f', -1, 64) + "s" }
