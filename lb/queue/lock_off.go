//go:build !queuestep

package queue

import "sync"

// step marks a place between two atomic steps. It is free but in builds with the tag queuestep, in which tests decide
// there who goes on (see explore_test.go).
func step() {}

type lock = sync.Mutex
