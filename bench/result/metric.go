package result

// Metric is something that is measured of a run.
type Metric struct {
	Name   string
	Title  string
	Kind   Kind
	PerOne bool // divided by the scenario's unit
	// HigherIsBetter: a ratio above 1 is an advantage.
	HigherIsBetter bool
	// OfGenerator: it says nothing about the balancer if the generator was at its limit, and is not even shown then. What a unit of
	// work costs is shown: it is the cost at the rate that the generator reached.
	OfGenerator bool
}

// Kind says how values are shown.
type Kind int

const (
	Nanoseconds Kind = iota
	Bytes
	Number
	PerSecond
	Share
)

// Metrics are all, in the order in which they are shown.
var Metrics = []Metric{
	{Name: "rate", Title: "rate", Kind: PerSecond, HigherIsBetter: true, OfGenerator: true},
	{Name: "time", Title: "time", Kind: Nanoseconds, PerOne: true, OfGenerator: true},
	{Name: "cpu", Title: "CPU of the balancer", Kind: Nanoseconds, PerOne: true},
	{Name: "cpu_user", Title: "of it, user", Kind: Nanoseconds, PerOne: true},
	{Name: "cpu_system", Title: "of it, system", Kind: Nanoseconds, PerOne: true},
	{Name: "machine", Title: "CPU of the whole machine", Kind: Nanoseconds, PerOne: true},
	{Name: "p50", Title: "latency, median", Kind: Nanoseconds, OfGenerator: true},
	{Name: "p90", Title: "latency, 90 %", Kind: Nanoseconds, OfGenerator: true},
	{Name: "p99", Title: "latency, 99 %", Kind: Nanoseconds, OfGenerator: true},
	{Name: "p999", Title: "latency, 99.9 %", Kind: Nanoseconds, OfGenerator: true},
	{Name: "max", Title: "latency, longest", Kind: Nanoseconds, OfGenerator: true},
	{Name: "urgent_mean", Title: "latency of the urgent, mean", Kind: Nanoseconds, OfGenerator: true},
	{Name: "urgent_p99", Title: "latency of the urgent, 99 %", Kind: Nanoseconds, OfGenerator: true},
	{Name: "patient_mean", Title: "latency of the patient, mean", Kind: Nanoseconds, OfGenerator: true},
	{Name: "patient_p99", Title: "latency of the patient, 99 %", Kind: Nanoseconds, OfGenerator: true},
	{Name: "recovery", Title: "time until the rate is back", Kind: Nanoseconds, OfGenerator: true},
	{Name: "process_per_flow", Title: "memory of the process", Kind: Bytes, PerOne: true},
	{Name: "kernel_per_flow", Title: "memory of the kernel, all ends", Kind: Bytes, PerOne: true},
	{Name: "rss", Title: "resident memory", Kind: Bytes},
	{Name: "pss", Title: "proportional memory", Kind: Bytes},
	{Name: "switches", Title: "context switches", Kind: Number, PerOne: true},
	{Name: "calls", Title: "system calls", Kind: Number, PerOne: true},
	{Name: "load_cpu", Title: "CPU of the load", Kind: Nanoseconds, PerOne: true},
	{Name: "origin_cpu", Title: "CPU of the origin", Kind: Nanoseconds, PerOne: true},
	{Name: "offered", Title: "rate offered", Kind: PerSecond},
	{Name: "errors", Title: "errors", Kind: Number},
	{Name: "subject_busy", Title: "the balancer was busy", Kind: Share},
	{Name: "load_busy", Title: "cores of load and origin busy", Kind: Share},
	{Name: "waited", Title: "the balancer waited while others had its core", Kind: Share},
	{Name: "stolen", Title: "taken by the hypervisor", Kind: Share},
}

// MetricOf gives a metric by name. An unknown one is shown as a number.
func MetricOf(name string) Metric {
	for _, m := range Metrics {
		if m.Name == name {
			return m
		}
	}
	return Metric{Name: name, Title: name, Kind: Number}
}
