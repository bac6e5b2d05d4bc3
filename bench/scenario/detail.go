package scenario

import "slices"

// detailed are the scenarios in which it pays to look into the subjects: what they do for one unit, and where their time goes, differs between
// these, and is much the same in the others.
var detailed = []string{"keepalive-10", "keepalive-200", "close", "connect", "bulk-down-1", "bulk-down-8", "bulk-up-1"}

// Detailed tells if a subject's system calls are counted here and its time is sampled, each in a run of its own.
func (s *Scenario) Detailed() bool { return slices.Contains(detailed, s.Name) }
