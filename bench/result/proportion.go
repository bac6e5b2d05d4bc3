package result

import "math"

// Proportion is where a probability lies that showed itself k times in n trials, by Clopper and Pearson (1934): exact, so
// never too narrow, and meaningful for k = 0, where it ends at about 3.7/n: the 95 % interval. The trials must be independent of each other.
func Proportion(k, n uint64) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	high = 1
	tail := (1 - confidence) / 2
	a, b := float64(k), float64(n-k)
	if k > 0 {
		low = betaQuantile(tail, a, b+1)
	}
	if k < n {
		high = betaQuantile(1-tail, a+1, b)
	}
	return low, high
}

// betaQuantile is the x at which the regularised incomplete beta function has the value p: found by halving, since the
// function rises.
func betaQuantile(p, a, b float64) float64 {
	low, high := 0.0, 1.0
	for high-low > 1e-12*high {
		middle := (low + high) / 2
		if incompleteBeta(middle, a, b) < p {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

// incompleteBeta is the regularised incomplete beta function I_x(a,b), by the continued fraction of DLMF 8.17.22.
func incompleteBeta(x, a, b float64) float64 {
	if x <= 0 || x >= 1 {
		return min(max(x, 0), 1)
	}
	if x > (a+1)/(a+b+2) { // the fraction converges quickly only below
		return 1 - incompleteBeta(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a
	// Lentz's method: the fraction is the product of the ratios c*d of neighbouring convergents.
	const tiny = 1e-300
	value, c, d := 1.0, 1.0, 0.0
	for i := range 10000 {
		m := float64(i / 2)
		var term float64
		switch {
		case i == 0:
			term = 1
		case i%2 == 0:
			term = m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		default:
			term = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		}
		if d = 1 + term*d; math.Abs(d) < tiny {
			d = tiny
		}
		d = 1 / d
		if c = 1 + term/c; math.Abs(c) < tiny {
			c = tiny
		}
		value *= c * d
		if math.Abs(1-c*d) < 1e-14 {
			break
		}
	}
	return front * (value - 1)
}
