//go:build !queuestep

package queue

import "testing"

const stepped = false

func yieldAtRandom(*testing.T) {}
