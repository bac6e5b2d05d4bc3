package load

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what a run was.
type Result struct {
	// Requests are units of work finished within the measured time: exchanges; with the kinds that connect, whole
	// connections; with BulkBytes, transfers. Open loop: those that were due within it, and were answered.
	Requests uint64
	// Connections are those established within the measured time; with Idle and SlowReaders, those open at its end.
	Connections uint64
	// BytesIn and BytesOut are received and sent within the measured time. BulkIn and BulkOut are the bulk streams' part.
	// A byte is sent when the kernel has taken it.
	BytesIn, BytesOut, BulkIn, BulkOut uint64
	// Errors counts what went wrong from the first connection to the last, warm-up included, by kind: refused, reset,
	// closed (before the response was whole), dropped (closed while no request was on it), timeout, unanswered (open loop: due within the measured time, not
	// answered within Drain), ports (none left: give Sources), descriptors, garbled (not the response to this request),
	// status (HTTP, other than 200), or the errno's name.
	Errors map[string]uint64
	// Duration is the measured time as it was: shorter than asked for if the run was ended early, 0 if it had not begun.
	Duration time.Duration

	// Latency is that of Requests, and of open-loop requests that were unanswered the time that they were waited for.
	Latency Latency
	// PerTarget is Latency of each target apart, in the order of Target and Targets. Only with Spec.PerTarget, and without what was unanswered.
	PerTarget []Latency `json:",omitempty"`
	// Lateness (open loop) is by how much the generator itself looked at its schedule too late. Latency contains it.
	Lateness Latency
	// Queued (open loop) are requests that had to wait because every connection was in use.
	Queued uint64

	// User and System are the CPU seconds of this process within the measured time.
	User, System float64
	// Busy is the part of the measured time for which the busiest thread was on a CPU: 1 is its limit.
	Busy float64
	// CoresBusy is the part of the measured time for which the CPUs that the load may use were busy, with whatever.
	CoresBusy float64
	// Saturated tells that the generator was at its limit, or had no CPU left: Busy or CoresBusy is 0.95 or more. The run says nothing about its
	// target then.
	Saturated bool

	// Timeline counts per tenth of a second of the measured time, to see what a moment did: a restart, a storm.
	Timeline []Tick
}

// Tick is a tenth of a second: what finished in it, failed in it, was established in it.
type Tick struct{ Requests, Errors, Connections uint32 }

const tick = 100 * time.Millisecond

// Latency is a distribution, in nanoseconds.
type Latency struct {
	Count                    int64
	Mean                     float64
	P50, P90, P99, P999, Max int64
	// Histogram is an HdrHistogram in its V2 compressed encoding, in base64: 100 ns to 100 s, three digits. Empty if Count is 0.
	Histogram string `json:",omitempty"`
}

const longest = int64(100 * time.Second)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(100, longest, 3) }

// record adds nanoseconds to h. Longer than h can hold counts as its longest.
func record(h *hdrhistogram.Histogram, nanoseconds int64) {
	_ = h.RecordValue(min(max(nanoseconds, 0), longest)) // in range: no error
}

func distribution(h *hdrhistogram.Histogram) (Latency, error) {
	if h.TotalCount() == 0 {
		return Latency{}, nil
	}
	encoded, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	return Latency{
		Count: h.TotalCount(), Mean: math.Round(h.Mean()),
		P50: h.ValueAtQuantile(50), P90: h.ValueAtQuantile(90), P99: h.ValueAtQuantile(99), P999: h.ValueAtQuantile(99.9), Max: h.Max(),
		Histogram: string(encoded),
	}, err
}

// Decode gives the histogram of l, in nanoseconds: an empty one if Count is 0.
func (l Latency) Decode() (*hdrhistogram.Histogram, error) {
	if l.Histogram == "" {
		return newHistogram(), nil
	}
	return hdrhistogram.Decode([]byte(l.Histogram))
}

// Merge is the distribution of several runs together.
func Merge(parts ...Latency) (Latency, error) {
	all := newHistogram()
	for _, part := range parts {
		h, err := part.Decode()
		if err != nil {
			return Latency{}, err
		}
		all.Merge(h)
	}
	return distribution(all)
}
