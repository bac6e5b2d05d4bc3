package result

import (
	"math"
	"testing"
)

// Values from tables, and those that have a closed form.
func TestProportion(t *testing.T) {
	closed := func(n float64) float64 { return 1 - math.Pow(0.025, 1/n) }
	for _, test := range []struct {
		k, n      uint64
		low, high float64
	}{
		{0, 0, 0, 1},
		{0, 10, 0, closed(10)},
		{10, 10, 1 - closed(10), 1},
		{0, 20_000_000, 0, closed(20e6)},
		{1, 1, 0.025, 1},
		{3, 10, 0.066739, 0.652453},
		{5, 100, 0.016432, 0.112835},
		{50, 100, 0.398321, 0.601679},
	} {
		low, high := Proportion(test.k, test.n)
		if math.Abs(low-test.low) > 1e-6 || math.Abs(high/test.high-1) > 1e-4 {
			t.Errorf("%d of %d: %g to %g, want %g to %g", test.k, test.n, low, high, test.low, test.high)
		}
	}
}

// The ends are where the binomial distribution leaves the half of what confidence allows, and rare events are Poisson's.
func TestProportionCoversItsTails(t *testing.T) {
	for _, test := range []struct{ k, n uint64 }{{1, 7}, {2, 30}, {29, 30}, {40, 300}, {7, 2000}} {
		low, high := Proportion(test.k, test.n)
		if above, below := 1-binomialBelow(test.k, test.n, low), binomialBelow(test.k+1, test.n, high); math.Abs(above-0.025) > 1e-8 || math.Abs(below-0.025) > 1e-8 {
			t.Errorf("%d of %d: tails %g and %g", test.k, test.n, above, below)
		}
	}
	// 4 events of a Poisson process: 1.0899 to 10.2416.
	if low, high := Proportion(4, 5_000_000); math.Abs(low*5e6-1.0899) > 1e-3 || math.Abs(high*5e6-10.2416) > 1e-3 {
		t.Errorf("4 in 5 million: %g to %g per 5 million", low*5e6, high*5e6)
	}
	if low, high := Proportion(400_000, 20_000_000); low > 0.02 || high < 0.02 || high-low > 2e-4 {
		t.Errorf("many of many: %g to %g", low, high)
	}
}

// binomialBelow is the probability of fewer than k of n, added up.
func binomialBelow(k, n uint64, p float64) float64 {
	sum := 0.0
	ln, _ := math.Lgamma(float64(n + 1))
	for i := range k {
		li, _ := math.Lgamma(float64(i + 1))
		lr, _ := math.Lgamma(float64(n - i + 1))
		sum += math.Exp(ln - li - lr + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return sum
}
