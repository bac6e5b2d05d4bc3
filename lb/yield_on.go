//go:build queuestep

package lb

import (
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/sluice-lb/sluice/lb/queue"
)

// longestYield is the most that one step of the queue is held up.
const longestYield = 50 * time.Microsecond

// yieldInQueue holds up one in so many of the queue's atomic steps, at random, so that what happens once in a million
// times between two of them happens often. Call it before any loop runs.
func yieldInQueue(every int) error {
	if every == 0 {
		return nil
	}
	queue.Step = func(queue.Access, any) {
		if rand.IntN(every) != 0 {
			return
		}
		for end := time.Now().Add(rand.N(longestYield)); time.Now().Before(end); {
			runtime.Gosched()
		}
	}
	return nil
}
