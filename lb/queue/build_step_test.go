//go:build queuestep

package queue

import (
	"math/rand/v2"
	"runtime"
	"testing"
)

const stepped = true

// yieldAtRandom lets others go on before one atomic step in eight.
func yieldAtRandom(t *testing.T) {
	Step = func(Access, any) {
		if rand.Uint32()&7 == 0 {
			runtime.Gosched()
		}
	}
	t.Cleanup(func() { Step = nil })
}
