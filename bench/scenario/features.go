package scenario

import (
	"github.com/sluice-lb/sluice/bench/load"
	"github.com/sluice-lb/sluice/bench/origin"
)

// features are about what the kernel can do for sluice: each compares sluice with itself without it, and with HAProxy. All are over
// veth, where packets pass a device as they do on a network.
var features = []Scenario{
	over(Scenario{
		Name: "steering", Title: "accept steering: connect, request, close, 100 at once, two loops", Loops: 2,
		Why:  "What does it cost to let a program choose the loop, by the packet's CPU or by the fewest flows, rather than the kernel's hash?",
		Load: load.Spec{Kind: load.ConnectRequestClose, Connections: 100}, Unit: Connection, Main: cost,
	}, "sluice-cpu", "sluice-least"),
	over(Scenario{
		Name: "sockmap-1", Title: "socket redirect: keep-alive request, 1 connection",
		Why:  "What does a request gain whose bytes never wake the balancer?",
		Load: load.Spec{Kind: load.Request, Connections: 1}, Unit: Request, Main: []string{"p50", "machine", "cpu", "p99"},
	}, "sluice-sockmap"),
	over(Scenario{
		Name: "sockmap-100", Title: "socket redirect: keep-alive request, 100 connections", Why: "The same with work for the whole machine, whose CPU is what counts.",
		Load: load.Spec{Kind: load.Request, Connections: 100}, Unit: Request, Main: []string{"machine", "rate", "cpu", "p99"},
	}, "sluice-sockmap"),
	over(Scenario{
		Name: "sockmap-bulk", Title: "socket redirect: download, 1 stream", Why: "Does the kernel move bulk cheaper by redirection than by splice?",
		Load: load.Spec{Kind: load.BulkDown, Connections: 1}, Unit: Gigabyte, Main: []string{"machine", "rate", "cpu"},
	}, "sluice-sockmap"),
	over(Scenario{
		Name: "guard", Title: "source guard: connect, request, close, 100 at once", Why: "What does an attached guard cost those that it lets through?",
		Load: load.Spec{Kind: load.ConnectRequestClose, Connections: 100}, Unit: Connection, Main: []string{"machine", "rate", "cpu"},
	}, "sluice-guard"),
	over(Scenario{
		Name: "namespace", Title: "network namespace: connect, request, close, 100 at once",
		Why:  "What does it cost to listen and to connect in a namespace that is not the process's?",
		Load: load.Spec{Kind: load.ConnectRequestClose, Connections: 100}, Unit: Connection, Main: cost,
	}, "sluice-namespace"),
}

func over(s Scenario, kinds ...string) Scenario {
	s.Veth, s.Features = true, kinds
	if s.Unit != Gigabyte {
		s.Origin = origin.Lean
	}
	return s
}
