package result

// Calls is the number of system calls per unit, from the look that is not timed.
func (s *Scenario) Calls(subject string) (float64, bool) {
	for _, r := range s.Runs {
		if v, there := r.Values["calls"]; there && r.Subject == subject {
			return v, true
		}
	}
	return 0, false
}

// CallsByName are system calls per unit, of which those that were not told apart are "others"; nil if they were not counted.
func (s *Scenario) CallsByName(subject string) map[string]float64 {
	for _, r := range s.Runs {
		if r.Subject != subject || len(r.Calls) == 0 || r.Units <= 0 {
			continue
		}
		named := map[string]float64{}
		others := r.Values["calls"]
		for name, n := range r.Calls {
			named[name] = float64(n) / r.Units
			others -= named[name]
		}
		named[Others] = max(0, others) // the counters do not start in the very same moment
		return named
	}
	return nil
}

// Others is the name of the calls that are not told apart.
const Others = "others"

// Profile is where a subject was, or nil if it was not sampled.
func (s *Scenario) Profile(subject string) *Profile {
	for _, r := range s.Runs {
		if r.Subject == subject && r.Profile != nil {
			return r.Profile
		}
	}
	return nil
}
