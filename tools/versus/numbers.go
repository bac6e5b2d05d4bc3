package main

import (
	"math"
	"math/rand/v2"
	"slices"
)

// quantile gives the q-quantile (0 to 1) of values, between two of them by linear interpolation; NaN of nothing.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return quantileSorted(sorted, q)
}

func quantileSorted(sorted []float64, q float64) float64 {
	place := q * float64(len(sorted)-1)
	below := int(place)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[below] + (place-float64(below))*(sorted[below+1]-sorted[below])
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// resamples of the bootstrap.
const resamples = 10000

// bootstrap gives the 95 % interval of the median: the 2.5 and 97.5 % quantiles of the medians of samples drawn with
// replacement (Efron's percentile method). The same seed gives the same interval.
func bootstrap(values []float64, seed uint64) (low, high float64) {
	if len(values) == 0 {
		return math.NaN(), math.NaN()
	}
	random := rand.New(rand.NewPCG(seed, 0))
	medians, sample := make([]float64, resamples), make([]float64, len(values))
	for i := range medians {
		for j := range sample {
			sample[j] = values[random.IntN(len(values))]
		}
		slices.Sort(sample)
		medians[i] = quantileSorted(sample, 0.5)
	}
	slices.Sort(medians)
	return quantileSorted(medians, 0.025), quantileSorted(medians, 0.975)
}
