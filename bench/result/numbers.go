package result

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Quantile gives the q-quantile (0 to 1) of values, between two of them by linear interpolation; NaN of nothing.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return quantileSorted(slices.Sorted(slices.Values(values)), q)
}

func quantileSorted(sorted []float64, q float64) float64 {
	place := q * float64(len(sorted)-1)
	below := int(place)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[below] + (place-float64(below))*(sorted[below+1]-sorted[below])
}

// Median is the 0.5-quantile.
func Median(values []float64) float64 { return Quantile(values, 0.5) }

const (
	resamples = 10000
	seed      = 1 // the same file gives the same interval
)

// Enough is the number of pairs below which an interval is not taken at its word: the widest that a bootstrap can give, from the
// least to the largest value, holds the median with a probability of 1-2^(1-n), and that is 94 % for five.
const Enough = 5

// bootstrap gives the interval that holds a statistic with the given confidence: quantiles of what it is for samples drawn with
// replacement (Efron's percentile method). draw gives the statistic of one such sample.
func bootstrap(confidence float64, draw func(r *rand.Rand) float64) (low, high float64) {
	r := rand.New(rand.NewPCG(seed, 0))
	found := make([]float64, resamples)
	for i := range found {
		found[i] = draw(r)
	}
	slices.Sort(found)
	tail := (1 - confidence) / 2
	return quantileSorted(found, tail), quantileSorted(found, 1-tail)
}

// resample gives a function that draws a sample of values with replacement and gives its median.
func resample(values []float64) func(r *rand.Rand) float64 {
	sample := make([]float64, len(values))
	return func(r *rand.Rand) float64 {
		for i := range sample {
			sample[i] = values[r.IntN(len(values))]
		}
		slices.Sort(sample)
		return quantileSorted(sample, 0.5)
	}
}
