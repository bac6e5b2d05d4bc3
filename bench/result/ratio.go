package result

import (
	"math"
	"math/rand/v2"
)

// Values gives a metric of a subject's runs that count, in the order of the rounds.
func (s *Scenario) Values(subject, metric string) []float64 {
	var values []float64
	for _, r := range s.Runs {
		if v, there := r.Values[metric]; there && r.Subject == subject && r.Counts(metric) {
			values = append(values, v)
		}
	}
	return values
}

// Counts tells if a metric of the run is to be shown. What a unit cost is, of a limited run too; its rate and its latency are not.
func (r *Run) Counts(metric string) bool {
	return r.Round >= 0 && len(r.Marks) == 0 && !(r.Limited && MetricOf(metric).OfGenerator)
}

// Compares tells if the run may be one side of a ratio. A limited one may not, whatever it cost: a balancer that had time left
// takes its work in smaller batches than one at its limit, so that the two were not at the same work.
func (r *Run) Compares() bool {
	return r.Round >= 0 && len(r.Marks) == 0 && !r.Limited
}

// Ratio is a comparison.
type Ratio struct {
	Value     float64 // the median of the pairs; NaN if there is no pair
	Low, High float64 // its 95 % interval
	Pairs     int
	Left      int // pairs that were left out because one of their runs is marked or limited
}

// Certain tells if the interval has enough pairs behind it.
func (r Ratio) Certain() bool { return r.Pairs >= Enough }

// confidence of ratios.
const confidence = 0.95

// Ratio compares two subjects round by round: a's value divided by b's. What slowly changes on the machine is in both, and cancels out.
func (s *Scenario) Ratio(a, b, metric string) Ratio {
	type pair struct {
		values [2]float64
		there  [2]bool
		marked bool
	}
	rounds := map[int]*pair{}
	var order []int
	for _, r := range s.Runs {
		for i, subject := range []string{a, b} {
			if r.Subject != subject || r.Round < 0 {
				continue
			}
			p := rounds[r.Round]
			if p == nil {
				p = &pair{}
				rounds[r.Round] = p
				order = append(order, r.Round)
			}
			p.values[i], p.there[i] = r.Values[metric]
			p.marked = p.marked || !r.Compares()
		}
	}
	out := Ratio{Value: math.NaN(), Low: math.NaN(), High: math.NaN()}
	var ratios []float64
	for _, n := range order {
		switch p := rounds[n]; {
		case !p.there[0] || !p.there[1]:
		case p.marked:
			out.Left++
		case p.values[1] > 0:
			ratios = append(ratios, p.values[0]/p.values[1])
		}
	}
	if out.Pairs = len(ratios); out.Pairs > 0 {
		out.Value = Median(ratios)
		out.Low, out.High = bootstrap(confidence, resample(ratios))
	}
	return out
}

// Change is a metric in two files.
type Change struct {
	Scenario, Subject string
	Metric            Metric
	Old, New          float64 // medians
	Ratio             Ratio   // new / old
	// Beyond the noise: enough runs, and an interval without 1.
	Beyond bool
}

// diffConfidence is that of Diff's intervals. It is high, since many comparisons are made: of a hundred without a change one
// is expected to be told as one.
const diffConfidence = 0.99

// Diff compares what two files have in common, the scenarios' main metrics. With a reference, each value is divided by that of the
// reference subject in the same round first: what makes the two machines or days different is in both, then.
func Diff(old, new *File, reference string) []Change {
	var changes []Change
	for i := range new.Scenarios {
		s := &new.Scenarios[i]
		before := old.Scenario(s.Name)
		if before == nil {
			continue
		}
		for _, subject := range new.Subjects {
			if subject.Name == reference {
				continue
			}
			for _, metric := range s.Main {
				a, b := before.relative(subject.Name, reference, metric), s.relative(subject.Name, reference, metric)
				if len(a) > 0 && len(b) > 0 {
					changes = append(changes, compare(s.Name, subject.Name, metric, a, b))
				}
			}
		}
	}
	return changes
}

func compare(scenario, subject, metric string, old, new []float64) Change {
	c := Change{Scenario: scenario, Subject: subject, Metric: MetricOf(metric), Old: Median(old), New: Median(new)}
	c.Ratio = Ratio{Value: c.New / c.Old, Pairs: min(len(old), len(new))}
	drawOld, drawNew := resample(old), resample(new)
	c.Ratio.Low, c.Ratio.High = bootstrap(diffConfidence, func(r *rand.Rand) float64 { return drawNew(r) / drawOld(r) })
	c.Beyond = c.Ratio.Certain() && (c.Ratio.Low > 1 || c.Ratio.High < 1)
	return c
}

// relative gives a subject's values of the runs that compare, divided by the reference's of the same round if there is one.
func (s *Scenario) relative(subject, reference, metric string) []float64 {
	of := map[int]float64{}
	for _, r := range s.Runs {
		if reference == "" {
			of[r.Round] = 1
		} else if r.Subject == reference && r.Compares() && r.Values[metric] > 0 {
			of[r.Round] = r.Values[metric]
		}
	}
	var values []float64
	for _, r := range s.Runs {
		if v, there := r.Values[metric]; there && r.Subject == subject && r.Compares() && of[r.Round] > 0 {
			values = append(values, v/of[r.Round])
		}
	}
	return values
}

// Count gives how many timed runs a subject has, how many of them are marked, and how many of the others limited.
func (s *Scenario) Count(subject string) (runs, marked, limited int) {
	for _, r := range s.Runs {
		if r.Subject == subject && r.Round >= 0 {
			runs++
			if len(r.Marks) > 0 {
				marked++
			} else if r.Limited {
				limited++
			}
		}
	}
	return runs, marked, limited
}
