// Package result is what a benchmark run leaves behind: a JSON file that says what was measured, on what, with which
// configurations, and every single run. Medians, ratios and intervals are computed from it, never stored in it.
package result

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Version of the format. It grows when an old reader would misunderstand a new file.
const Version = 1

// File is a benchmark run.
type File struct {
	Version     int           `json:"version"`
	Started     time.Time     `json:"started"`
	Ended       time.Time     `json:"ended"`
	Interrupted bool          `json:"interrupted,omitempty"`
	Command     []string      `json:"command"`
	Machine     Machine       `json:"machine"`
	Rounds      int           `json:"rounds"`   // of scenarios with a target; others can have fewer
	Length      time.Duration `json:"length"`   // measured time of a run, ns
	Warmup      time.Duration `json:"warmup"`   // before it, ns
	Tolerate    float64       `json:"tolerate"` // share of a run that a subject may have waited for its core, or the hypervisor taken
	Cores       Cores         `json:"cores"`
	Subjects    []Subject     `json:"subjects"`
	Missing     []Missing     `json:"missing,omitempty"`
	Scenarios   []Scenario    `json:"scenarios"`
	Comparisons []Comparison  `json:"comparisons,omitempty"` // of the generator with others' generators
}

// Machine is where it was measured.
type Machine struct {
	Processor string            `json:"processor"`
	Cores     int               `json:"cores"`
	Memory    int64             `json:"memory"` // bytes
	Virtual   bool              `json:"virtual"`
	Kernel    string            `json:"kernel"`
	System    string            `json:"system"`
	Go        string            `json:"go"`
	Revision  string            `json:"revision,omitempty"` // of the tree that it was started in
	Settings  map[string]string `json:"settings"`           // of the kernel, those that matter
	Load      float64           `json:"load"`               // average of the minute before the start
}

// Cores are what was pinned where.
type Cores struct {
	Load     []int         `json:"load"`     // and the origins
	Subjects map[int][]int `json:"subjects"` // by number of loops
}

// Subject is what was measured.
type Subject struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Feature string `json:"feature,omitempty"` // of the kernel's, that sets it apart from plain sluice
	Path    string `json:"path,omitempty"`
	Version string `json:"version,omitempty"`
}

// Comparison is one metric of the generator beside another's, in turn, without a balancer.
type Comparison struct {
	Other  string    `json:"other"` // whose: wrk, iperf3
	What   string    `json:"what"`
	Metric string    `json:"metric"`
	Unit   string    `json:"unit"`
	Theirs []float64 `json:"theirs"` // round by round
	Ours   []float64 `json:"ours"`
}

// Ratios are those of the rounds, ours / theirs.
func (c *Comparison) Ratios() (ratios []float64) {
	for i := range min(len(c.Ours), len(c.Theirs)) {
		if c.Theirs[i] > 0 {
			ratios = append(ratios, c.Ours[i]/c.Theirs[i])
		}
	}
	return ratios
}

// Missing is a subject or scenario that was left out.
type Missing struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Scenario is all runs of one kind of work.
type Scenario struct {
	Name           string            `json:"name"`
	Title          string            `json:"title"`
	Why            string            `json:"why"`
	Unit           string            `json:"unit"`
	Main           []string          `json:"main"` // metrics; the first is the scenario's own
	Target         float64           `json:"target,omitempty"`
	Loops          int               `json:"loops"`
	Network        string            `json:"network"`
	Load           json.RawMessage   `json:"load"`                     // as the generator was told, without addresses
	Configurations map[string]string `json:"configurations,omitempty"` // by subject
	Missing        []Missing         `json:"missing,omitempty"`
	Runs           []Run             `json:"runs"`
	// Latency is the distribution over all of a subject's runs that count: an HdrHistogram of ns, V2 compressed, in base64.
	Latency map[string]string `json:"latency,omitempty"`
}

// Run is one subject under load once.
type Run struct {
	Round   int                `json:"round"` // from 0; -1 is a look that is not timed: system calls, or a profile
	Subject string             `json:"subject"`
	Started time.Time          `json:"started"`
	Length  time.Duration      `json:"length"` // ns
	Units   float64            `json:"units"`
	Values  map[string]float64 `json:"values"`          // by metric; one that could not be had is not there
	Marks   []string           `json:"marks,omitempty"` // why it is in no median and no ratio
	// Limited: load or origins were at their limit, and the balancer was not (open loop: whether it was or not). The rate and the
	// latency are those of the generator then, and the run is in no ratio.
	Limited bool `json:"limited,omitempty"`
	// Timeline counts units per tenth of a second, where moments differ.
	Timeline []uint32 `json:"timeline,omitempty"`
	// Calls are system calls by name, of a look that counts them. Values has "calls", all of them per unit; those of other names are not here.
	Calls map[string]int64 `json:"calls,omitempty"`
	// Profile is that of a look that samples.
	Profile *Profile `json:"profile,omitempty"`
}

// Profile is where a subject was while it ran on a core.
type Profile struct {
	Samples int64    `json:"samples"`
	Outside int64    `json:"outside"` // of them, outside the kernel
	Top     []Symbol `json:"top"`     // those with the most samples
}

// Symbol is a function.
type Symbol struct {
	Name    string `json:"name"`
	Kernel  bool   `json:"kernel,omitempty"`
	Samples int64  `json:"samples"`
}

// Read reads a file, and refuses one of another version.
func Read(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &File{}
	if err := json.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if f.Version != Version {
		return nil, fmt.Errorf("%s: version %d of the format, this reads %d", path, f.Version, Version)
	}
	return f, nil
}

// Write replaces a file in one step.
func (f *File) Write(path string) error {
	text, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(append(text, '\n'))
	if err2 := temporary.Close(); err == nil {
		err = err2
	}
	if err == nil {
		err = os.Chmod(temporary.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	return err
}

// Scenario gives a scenario by name, or nil.
func (f *File) Scenario(name string) *Scenario {
	i := slices.IndexFunc(f.Scenarios, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &f.Scenarios[i]
}
