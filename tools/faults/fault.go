package main

import (
	"syscall"
	"time"
)

// fault is one kind of failure, and the way back.
type fault struct {
	name   string
	reason string // what a check must say of it
	begin  func(*server) error
	end    func(*server) error
	fails  func(settings) time.Duration // how long a check takes to fail
	cabled bool                         // its servers have a network of their own
}

func atOnce(settings) time.Duration         { return 0 }
func byConnect(s settings) time.Duration    { return min(s.connect, s.inter) }
func byAnswer(s settings) time.Duration     { return s.check }
func order(text string) func(*server) error { return func(s *server) error { return s.order(text) } }

// faults are all of them, in the order of the table.
var faults = []fault{
	{
		name: "killed: the process ends", reason: "Layer4 connection problem", fails: atOnce,
		begin: (*server).kill, end: (*server).start,
	},
	{ // the kernel still accepts for it
		name: "frozen: SIGSTOP", reason: "Layer7 timeout", fails: byAnswer,
		begin: func(s *server) error { return s.signal(syscall.SIGSTOP) },
		end:   func(s *server) error { return s.signal(syscall.SIGCONT) },
	},
	{
		name: "slow: answers after 2 s", reason: "Layer7 timeout", fails: byAnswer,
		begin: order("delay 2s"), end: order("delay 0s"),
	},
	{ // the other end of the cable is down: what is sent vanishes
		name: "cut off: its link is down", reason: "Layer4 timeout", fails: byConnect, cabled: true,
		begin: (*server).unplug, end: (*server).plug,
	},
	{
		name: "unreachable: the route says so", reason: "Layer4 connection problem", fails: atOnce, cabled: true,
		begin: func(s *server) error { return run("ip", "route", "add", "unreachable", s.address+"/32") },
		end:   func(s *server) error { return run("ip", "route", "del", "unreachable", s.address+"/32") },
	},
}

// flapped is the fault of a server that goes and comes: its port is closed and opened.
var flapped = fault{
	name: "flapping", reason: "Layer4 connection problem", fails: atOnce,
	begin: func(s *server) error { return s.close(mainPort) },
	end:   func(s *server) error { return s.open(mainPort) },
}
