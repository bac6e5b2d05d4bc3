package admin

import "github.com/sluice-lb/sluice/lb/stats"

// average of a histogram of microseconds, in milliseconds.
func average(_ [stats.Classes]uint64, count, sum uint64) uint64 {
	if count == 0 {
		return 0
	}
	return sum / count / 1000
}

// below gives the bound of the class up to which so many of 1000 values are, in the unit of the classes: class n holds values of n
// bits.
func below(classes []uint64, share uint64) uint64 {
	var all, sum uint64
	for _, n := range classes {
		all += n
	}
	for i, n := range classes {
		if sum += n; all > 0 && sum*1000 >= all*share {
			return 1 << i
		}
	}
	return 0
}

// longest is the bound of the highest class of a histogram of microseconds that has a value, in milliseconds rounded up: no
// waiter has waited longer, and one at least half as long. The last class has no bound.
func longest(classes [stats.Classes]uint64, _, _ uint64) uint64 {
	for i := len(classes) - 1; i > 0; i-- {
		if classes[i] > 0 {
			return (1<<i + 999) / 1000
		}
	}
	return 0
}
