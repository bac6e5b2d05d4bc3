//go:build !queuestep

package queue

import "sync"

// step marks the place before an atomic step, and says what the step does to which object. It is free but in builds with the
// tag queuestep, in which tests decide there who goes on (see explore_test.go).
func step(Access, any) {}

type lock = sync.Mutex

// No mistakes are made on purpose, but in tests with the tag queuestep.
func seeded(fault) bool           { return false }
func allBusy(*Pool, *Server) bool { return false }
