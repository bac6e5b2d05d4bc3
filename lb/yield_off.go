//go:build !queuestep

package lb

import "errors"

// yieldInQueue is for builds whose queue has steps.
func yieldInQueue(every int) error {
	if every > 0 {
		return errors.New("'tune.queue-yield' needs a program that was built with -tags queuestep")
	}
	return nil
}
