package report

import (
	"fmt"
	"math"
	"strconv"

	"github.com/sluice-lb/sluice/bench/result"
)

// scale is a unit and how many of the metric's own it is.
type scale struct {
	unit   string
	factor float64
}

var scales = map[result.Kind][]scale{ // largest first
	result.Nanoseconds: {{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}, {"ns", 1}},
	result.Bytes:       {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}},
	result.PerSecond:   {{"M/s", 1e6}, {"k/s", 1e3}, {"/s", 1}},
	result.Number:      {{"", 1}},
	result.Share:       {{"%", 0.01}},
}

// scaleFor gives the largest unit in which v is at least 1.
func scaleFor(kind result.Kind, v float64) scale {
	list := scales[kind]
	for _, s := range list {
		if math.Abs(v) >= s.factor {
			return s
		}
	}
	return list[len(list)-1]
}

func show(kind result.Kind, v float64) string {
	s := scaleFor(kind, v)
	return s.number(v) + s.space()
}

func (s scale) number(v float64) string { return digits(v / s.factor) }

func (s scale) space() string {
	if s.unit == "" {
		return ""
	}
	return " " + s.unit
}

// digits shows three of them.
func digits(v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprint(v)
	}
	after := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	return strconv.FormatFloat(v, 'f', min(after, 6), 64)
}

const nothing = "–"

// spread shows the median of values, and between which they lie.
func spread(kind result.Kind, values []float64) string {
	if len(values) == 0 {
		return nothing
	}
	middle := result.Median(values)
	s := scaleFor(kind, middle)
	if len(values) == 1 {
		return s.number(middle) + s.space()
	}
	return fmt.Sprintf("%s%s (%s–%s)", s.number(middle), s.space(), s.number(result.Quantile(values, 0)), s.number(result.Quantile(values, 1)))
}

// ratio shows a comparison with its interval. A question mark: too few pairs to believe the interval.
func ratio(r result.Ratio) string {
	if r.Pairs == 0 {
		return nothing
	}
	doubt := ""
	if !r.Certain() {
		doubt = " ?"
	}
	return fmt.Sprintf("%.3f (%.3f–%.3f)%s", r.Value, r.Low, r.High, doubt)
}

// title is a metric's, with its unit of work.
func title(m result.Metric, unit string) string {
	if m.PerOne {
		return m.Title + " per " + unit
	}
	return m.Title
}
