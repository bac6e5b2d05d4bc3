package balance

import (
	"fmt"
	"testing"
)

// What building the tables costs: at start, and for maglev where a weight grows beyond its nominal one.
func BenchmarkNew(b *testing.B) {
	for _, c := range every {
		for _, n := range sizesOfFarms {
			members := equal(n, 1)
			for i := range members {
				members[i].Weight = 1 + i%256
			}
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				for b.Loop() {
					must(b, c.o, members, nil)
				}
			})
		}
	}
}
