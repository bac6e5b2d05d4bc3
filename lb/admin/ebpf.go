package admin

// Steering is what "ebpf-steering" did since the start.
type Steering struct {
	Mode    string
	Groups  int    // addresses with a program
	Hashed  uint64 // connections that were left to the kernel's hash
	Stalled uint64 // of these: every loop was in a long turn
	Gone    uint64 // of these: the chosen loop's socket was not there
	Loops   []SteeredLoop
}

// SteeredLoop is what one loop was given.
type SteeredLoop struct {
	Given    uint64
	ByCPU    uint64 // because it runs on the CPU that received the packet
	ByLeast  uint64 // because it had the fewest flows
	PassedBy uint64 // times that it was not considered, because of a long turn
}

// Lookup is what VIP lookup did since the start.
type Lookup struct {
	Rules, Targets int
	Given          uint64 // connections brought to a listener
	Passed         uint64 // left to a listener on the very address
	Refused        uint64 // to a listener's own address, by which nobody is meant to come
	Gone           uint64 // for a listener that does not listen now
}

func (s *session) showEBPF([]string) {
	if x := s.process.Lookup(); x == nil {
		s.answer.printf("lookup: off\n")
	} else {
		s.answer.printf("lookup: rules %d, targets %d, given %d, passed %d, refused %d, gone %d\n", x.Rules, x.Targets, x.Given, x.Passed, x.Refused, x.Gone)
	}
	x := s.process.Steering()
	if x == nil {
		s.answer.printf("steering: off\n")
		return
	}
	s.answer.printf("steering: %s, groups %d, hashed %d, stalled %d, gone %d\n", x.Mode, x.Groups, x.Hashed, x.Stalled, x.Gone)
	s.answer.printf("# loop given by_cpu by_least passed_by\n")
	for i, l := range x.Loops {
		s.answer.printf("%d %d %d %d %d\n", i+1, l.Given, l.ByCPU, l.ByLeast, l.PassedBy)
	}
}
