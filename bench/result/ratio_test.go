package result

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// runs makes a scenario of subjects a and b whose values of "cpu" are given round by round.
func runs(a, b []float64) *Scenario {
	s := &Scenario{Name: "s", Main: []string{"cpu"}}
	for i := range max(len(a), len(b)) {
		if i < len(a) {
			s.Runs = append(s.Runs, Run{Round: i, Subject: "a", Values: map[string]float64{"cpu": a[i], "rate": 1 / a[i]}})
		}
		if i < len(b) {
			s.Runs = append(s.Runs, Run{Round: i, Subject: "b", Values: map[string]float64{"cpu": b[i], "rate": 1 / b[i]}})
		}
	}
	return s
}

func TestRatioIsTakenWithinRounds(t *testing.T) {
	// The machine becomes slower by half in each round; a needs 0.8 of b throughout.
	s := runs([]float64{8, 12, 18, 27, 40.5}, []float64{10, 15, 22.5, 33.75, 50.625})
	r := s.Ratio("a", "b", "cpu")
	if math.Abs(r.Value-0.8) > 1e-9 || math.Abs(r.Low-0.8) > 1e-9 || math.Abs(r.High-0.8) > 1e-9 || r.Pairs != 5 || !r.Certain() {
		t.Errorf("%+v", r)
	}
}

func TestMarkedRunsTakeTheirPartnersWithThem(t *testing.T) {
	s := runs([]float64{1, 100, 1, 1}, []float64{2, 2, 2})
	s.Runs[2].Marks = []string{"the load met errors"} // a's second, with 100
	r := s.Ratio("a", "b", "cpu")
	if r.Value != 0.5 || r.Pairs != 2 || r.Left != 1 || r.Certain() {
		t.Errorf("%+v", r)
	}
	if v := s.Values("a", "cpu"); !reflect.DeepEqual(v, []float64{1, 1, 1}) {
		t.Errorf("values of a: %v", v)
	}
}

func TestLimitedRunsAreInNoRatio(t *testing.T) {
	s := runs([]float64{1, 3}, []float64{2, 2})
	s.Runs[2].Limited = true // a's second
	for metric, value := range map[string]float64{"rate": 2, "cpu": 0.5} {
		if r := s.Ratio("a", "b", metric); r.Pairs != 1 || r.Left != 1 || r.Value != value {
			t.Errorf("%s: %+v", metric, r)
		}
		if r := s.Ratio("b", "a", metric); r.Pairs != 1 || r.Left != 1 || r.Value != 1/value {
			t.Errorf("%s, turned: %+v", metric, r)
		}
		for _, reference := range []string{"", "b"} {
			if v := s.relative("a", reference, metric); len(v) != 1 {
				t.Errorf("%s, in a diff against %q: %v", metric, reference, v)
			}
		}
	}
	// What it cost is shown.
	if v := s.Values("a", "cpu"); !reflect.DeepEqual(v, []float64{1, 3}) {
		t.Errorf("cpu: %v", v)
	}
	if v := s.Values("a", "rate"); !reflect.DeepEqual(v, []float64{1}) {
		t.Errorf("rate: %v", v)
	}
}

func TestRatioOfNothing(t *testing.T) {
	r := runs([]float64{1}, nil).Ratio("a", "b", "cpu")
	if r.Pairs != 0 || !math.IsNaN(r.Value) || r.Certain() {
		t.Errorf("%+v", r)
	}
}

// Of intervals said to hold the true ratio with 95 %, about so many do. A bootstrap of ten values is a little too sure of itself.
func TestIntervalHoldsTheTruth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const trials = 100
	held := 0
	for range trials {
		var a, b []float64
		for range 10 {
			common := math.Exp(0.3 * random.NormFloat64())
			a = append(a, 0.9*common*math.Exp(0.05*random.NormFloat64()))
			b = append(b, common*math.Exp(0.05*random.NormFloat64()))
		}
		if r := runs(a, b).Ratio("a", "b", "cpu"); r.Low <= 0.9 && 0.9 <= r.High {
			held++
		}
	}
	if held < 85 || held > trials-1 {
		t.Errorf("%d of %d intervals hold the true value", held, trials)
	}
}

func file(values ...float64) *File {
	s := runs(values, []float64{10, 11, 10, 9, 10, 10})
	return &File{Version: Version, Subjects: []Subject{{Name: "a"}, {Name: "b"}}, Scenarios: []Scenario{*s}}
}

func TestDiff(t *testing.T) {
	old := file(10, 11, 10, 9, 10, 11)
	for _, c := range []struct {
		name   string
		new    *File
		beyond bool
	}{
		{"nothing", file(10, 10, 11, 10, 9, 10), false},
		{"a quarter more", file(12.5, 13, 12.4, 12.6, 12.5, 13), true},
		{"half", file(5, 5.5, 5, 4.9, 5, 5.2), true},
		{"too few rounds", file(5, 5.5, 5), false},
	} {
		for _, reference := range []string{"", "b"} {
			found := false
			for _, change := range Diff(old, c.new, reference) {
				if change.Subject == "a" {
					found = true
					if change.Beyond != c.beyond {
						t.Errorf("%s, against %q: beyond the noise is %v: %+v", c.name, reference, change.Beyond, change.Ratio)
					}
				} else if change.Beyond || reference == "b" {
					t.Errorf("%s, against %q: b: %+v", c.name, reference, change)
				}
			}
			if !found {
				t.Errorf("%s, against %q: a is not compared", c.name, reference)
			}
		}
	}
}

func TestWriteAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	f := file(1, 2, 3)
	f.Started = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := f.Write(path); err != nil {
		t.Fatal(err)
	}
	back, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	back.Scenarios[0].Load = nil // "null" in the file
	if !reflect.DeepEqual(f, back) {
		t.Errorf("written\n%+v\nread\n%+v", f, back)
	}
	f.Version++
	if err := f.Write(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil {
		t.Error("a file of another version was read")
	}
}
