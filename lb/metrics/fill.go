package metrics

import (
	"bufio"
	"bytes"
	"io"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// filler makes the samples of one family after the other, and of some entities after the other, in the same memory. A scrape of
// thousands of servers has half a million samples; a few thousand of them are there at once.
type filler struct {
	family     dto.MetricFamily
	metrics    []*dto.Metric
	used       int
	numbers    []*sample // but for 0 and 1, which all share: most are one of these
	taken      int
	zero, one  *sample
	histograms []*spread        // as many as metrics, in a family of them
	labels     []*dto.LabelPair // of all metrics that have one more than their entity, one after the other
	classes    []uint64
	named      map[[2]string]*dto.LabelPair // of the fixed lists
}

// sample is a value in both forms that it may have.
type sample struct {
	value   float64
	gauge   dto.Gauge
	counter dto.Counter
}

func newSample(v float64) *sample {
	n := &sample{value: v}
	n.gauge.Value, n.counter.Value = &n.value, &n.value
	return n
}

// spread is a histogram with what it points to.
type spread struct {
	dto.Histogram
	sum     float64
	count   uint64
	buckets []bucket
}

type bucket struct {
	count uint64
	bound float64
	dto.Bucket
}

func newFiller() *filler {
	return &filler{zero: newSample(0), one: newSample(1), named: make(map[[2]string]*dto.LabelPair)}
}

// atOnce is how many entities' samples are made before they are written.
const atOnce = 256

// write writes a family. What expfmt writes before the samples comes once.
func (b *filler) write(out *bufio.Writer, f *family, all []entity) error {
	begun := false
	for some := range slices.Chunk(all, atOnce) {
		filled := b.fill(f, some)
		if filled == nil {
			continue
		}
		var to io.Writer = out
		if begun {
			filled.Help, to = nil, &headless{to: out}
		}
		if _, err := expfmt.MetricFamilyToText(to, filled); err != nil {
			return err
		}
		begun = true
	}
	return nil
}

// headless leaves out the first line: the type, which expfmt writes before any samples.
type headless struct {
	to   io.Writer
	past bool
}

func (h *headless) Write(p []byte) (int, error) {
	rest := p
	if !h.past {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			return len(p), nil
		}
		h.past, rest = true, p[end+1:]
	}
	if _, err := h.to.Write(rest); err != nil {
		return 0, err
	}
	return len(p), nil
}

// fill makes the samples of f for some entities, until it is called again; nil: there are none.
func (b *filler) fill(f *family, all []entity) *dto.MetricFamily {
	b.used, b.taken, b.labels = 0, 0, b.labels[:0]
	for i := range all {
		e := &all[i]
		switch {
		case f.column != nil:
			if v := e.values[f.slot]; v != absent {
				b.put(f.kind, v, e.labels, nil)
			}
		case f.state != nil:
			if is := e.values[f.slot]; is != absent {
				for j, name := range f.names {
					v := 0.0
					if j == int(is) {
						v = 1
					}
					b.put(f.kind, v, e.labels, b.label(f.label, name))
				}
			}
		case f.spread != nil:
			b.putHistogram(f, e)
		case f.names == nil:
			if v := f.count(e, 0); v != absent {
				b.put(f.kind, v, e.labels, nil)
			}
		default:
			for j, name := range f.names {
				if v := f.count(e, j); v != absent {
					b.put(f.kind, v, e.labels, b.label(f.label, name))
				}
			}
		}
	}
	if b.used == 0 {
		return nil
	}
	b.family.Name, b.family.Help, b.family.Type, b.family.Metric = &f.name, &f.help, &f.kind, b.metrics[:b.used]
	return &b.family
}

// label gives a pair of a fixed list.
func (b *filler) label(name, value string) *dto.LabelPair {
	key := [2]string{name, value}
	if b.named[key] == nil {
		b.named[key] = pair(name, value)
	}
	return b.named[key]
}

// metric gives the next sample's place.
func (b *filler) metric(labels []*dto.LabelPair, more *dto.LabelPair) *dto.Metric {
	if b.used == len(b.metrics) {
		b.metrics = append(b.metrics, &dto.Metric{})
	}
	m := b.metrics[b.used]
	b.used++
	m.Label = labels
	if more != nil {
		from := len(b.labels)
		b.labels = append(append(b.labels, labels...), more)
		m.Label = b.labels[from:]
	}
	m.Gauge, m.Counter, m.Histogram = nil, nil, nil
	return m
}

func (b *filler) put(kind dto.MetricType, v float64, labels []*dto.LabelPair, more *dto.LabelPair) {
	m, n := b.metric(labels, more), b.zero
	switch v {
	case 0:
	case 1:
		n = b.one
	default:
		if b.taken == len(b.numbers) {
			b.numbers = append(b.numbers, newSample(0))
		}
		n = b.numbers[b.taken]
		b.taken++
		n.value = v
	}
	if kind == counter {
		m.Counter = &n.counter
	} else {
		m.Gauge = &n.gauge
	}
}

func (b *filler) putHistogram(f *family, e *entity) {
	b.classes = append(b.classes[:0], make([]uint64, len(f.bounds)+1)...)
	sum := f.spread(e, b.classes)
	m := b.metric(e.labels, nil)
	if b.used > len(b.histograms) {
		b.histograms = append(b.histograms, &spread{})
	}
	h := b.histograms[b.used-1]
	h.sum, h.count, h.Bucket = sum, 0, h.Bucket[:0]
	if len(h.buckets) < len(f.bounds) {
		h.buckets = make([]bucket, len(f.bounds))
	}
	for i, bound := range f.bounds {
		x := &h.buckets[i]
		h.count += b.classes[i]
		x.count, x.bound = h.count, bound
		x.CumulativeCount, x.UpperBound = &x.count, &x.bound
		h.Bucket = append(h.Bucket, &x.Bucket)
	}
	h.count += b.classes[len(f.bounds)]
	h.SampleCount, h.SampleSum = &h.count, &h.sum
	m.Histogram = &h.Histogram
}
