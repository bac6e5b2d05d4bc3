package admin

import (
	"os"
	"strings"
	"time"
)

// listings are the commands that only look.
func listings() []*command {
	return []*command{
		{"get weight", "<backend>/<server>", "a server's weight now, and as it was configured", User, (*session).getWeight},
		{"show activity", "", "what each loop has done, in numbers", Operator, (*session).showActivity},
		{"show backend", "", "names of the backends", User, (*session).showBackend},
		{"show cli level", "", "the level of this connection", User, func(s *session, _ []string) { s.answer.message(severityInfo, "%v", s.level) }},
		{"show cli sockets", "", "the sockets of this command line", Operator, (*session).showSockets},
		{"show ebpf", "", "what the kernel programs have done", User, (*session).showEBPF},
		{"show env", "[<name>]", "variables of the environment", Operator, (*session).showEnv},
		{"show errors", "[<proxy>]", "requests and answers that could not be understood: none, nothing above TCP is read", Operator, (*session).showErrors},
		{"show events", "[<ring>] [-w] [-n]", "lines of a ring; without a name, the rings", Operator, (*session).showEvents},
		{"show fd", "[<number>]", "the descriptors, and the flows that they belong to", Operator, (*session).showFD},
		{"show guard", "[deny]", "what the source guard has dropped, or its deny list", User, (*session).showGuard},
		{"show info", "[typed|json] [desc] [float]", "the process as a whole", User, (*session).showInfo},
		{"show loops", "", "flows and load of each loop", User, (*session).showLoops},
		{"show namespaces", "", "network namespaces, and their sockets", User, (*session).showNamespaces},
		{"show pools", "", "what memory is used for", User, (*session).showPools},
		{"show profiling", "[all|status|tasks|memory]", "what is measured, and the loops' turns", Operator, (*session).showProfiling},
		{"show queue", "[<backend>]", "who waits for a slot, and what the queues have counted", User, (*session).showQueue},
		{"show resolvers", "[<section>]", "counters of the name servers", User, (*session).showResolvers},
		{"show sched", "", "how long the loops' turns take", User, (*session).showSched},
		{"show servers conn", "[<backend>]", "connections to each server", Operator, (*session).showServersConn},
		{"show servers state", "[<backend>]", "the servers' states, as a state file has them", User, (*session).showServersState},
		{"show sess", "[<id>|all]", "the open flows: a line each, or everything", Operator, (*session).showSess},
		{"show startup-logs", "", "what was said while the process started", User, (*session).showStartupLogs},
		{"show stat", "[{<iid>|<proxy>} <type> <sid>] [typed|json] [desc] [up|no-maint]", "counters of each proxy and server", User, (*session).showStat},
		{"show tenants", "", "budgets of tenants, and what is used of them", User, (*session).showTenants},
		{"show threads", "", "the loops' threads, and what they have used", Operator, (*session).showThreads},
		{"show version", "", "the version of this process", User, func(s *session, _ []string) { s.answer.printf("%s\n", s.process.Info().Version) }},
	}
}

func (s *session) showBackend([]string) {
	s.answer.printf("# name\n")
	for _, p := range s.process.Proxies() {
		if p.Backend != nil {
			s.answer.printf("%s\n", p.Name)
		}
	}
}

func (s *session) showSockets([]string) {
	s.answer.printf("# socket lvl processes\n")
	for _, socket := range s.cli.sockets {
		s.answer.printf("%s %v all\n", socket.Name, socket.Level)
	}
}

func (s *session) showEnv(arguments []string) {
	if len(arguments) > 0 {
		value, found := os.LookupEnv(arguments[0])
		if !found {
			s.answer.fail("Variable not found")
			return
		}
		s.answer.printf("%s=%s\n", arguments[0], value)
		return
	}
	for _, variable := range os.Environ() {
		s.answer.printf("%s\n", variable)
	}
}

func (s *session) showStartupLogs([]string) {
	for _, line := range s.process.StartupLogs() {
		s.answer.printf("%s\n", line)
	}
}

// backendsOf gives the backends that an optional argument names; false: there is none of the name, and that was told.
func (s *session) backendsOf(arguments []string) ([]*Proxy, bool) {
	if len(arguments) > 0 {
		p := s.backendNamed(arguments[0])
		if p == nil {
			s.answer.fail("Can't find backend.")
			return nil, false
		}
		return []*Proxy{p}, true
	}
	var all []*Proxy
	for _, p := range s.process.Proxies() {
		if p.Backend != nil {
			all = append(all, p)
		}
	}
	return all, true
}

func (s *session) showServersState(arguments []string) {
	name := ""
	if len(arguments) > 0 {
		p := s.backendNamed(arguments[0])
		if p == nil {
			s.answer.fail("Can't find backend.")
			return
		}
		name = p.Name
	}
	if err := s.process.WriteServerState(s.answer, name); err != nil && s.answer.err == nil {
		s.answer.fail("%v", err)
	}
}

// showServersConn has HAProxy's columns. No connection is kept for other flows here: what is about idle ones is 0.
func (s *session) showServersConn(arguments []string) {
	backends, ok := s.backendsOf(arguments)
	if !ok {
		return
	}
	a, loops := s.answer, len(s.process.Loops())
	a.printf("# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb idle_lim idle_cur idle_per_thr[%d]\n", loops)
	for _, p := range backends {
		for _, server := range p.Backend.Servers() {
			address, unix := s.process.Address(server)
			host := "-"
			switch {
			case unix != "":
				host = unix
			case address.IsValid():
				host = address.Addr().String()
			}
			now := server.Flows.Value()
			a.printf("%s/%s %d/%d %s %d - 5000 %d %d %d 0 0 -1 0%s\n", p.Name, server.Name, p.ID, server.ID, host, address.Port(),
				now, server.Flows.Highest(), now, strings.Repeat(" 0", loops))
			if a.err != nil {
				return
			}
		}
	}
}

func (s *session) showResolvers(arguments []string) {
	found := len(arguments) == 0
	for _, section := range s.process.Resolvers() {
		if len(arguments) > 0 && section.Name != arguments[0] {
			continue
		}
		found = true
		s.answer.printf("Resolvers section %s\n", section.Name)
		for _, server := range section.Servers {
			s.answer.printf(" nameserver %s:\n", server.Name)
			for _, c := range server.Counters {
				s.answer.printf("  %-13s%d\n", c.Name+":", c.Value)
			}
		}
	}
	if !found {
		s.answer.fail("Can't find that resolvers section")
	}
}

// showQueue lists the queue of each backend, and those of its servers that have a limit or had a waiter.
func (s *session) showQueue(arguments []string) {
	backends, ok := s.backendsOf(arguments)
	if !ok {
		return
	}
	a := s.answer
	a.printf("# backend server waiting highest served limit looked_again at_risk requeued granted sent_back avg_wait_ms max_wait_ms\n")
	for _, p := range backends {
		b := p.Backend
		c := b.QueueCounts()
		served := 0
		for _, server := range b.Servers() {
			served += server.Served()
		}
		a.printf("%s - %d %d %d - %d %d %d %d %d %d %d\n", p.Name, b.Queued(), b.HighestQueue(), served,
			c.LookedAgain, c.AtRisk, c.Requeued, c.Direct, c.SentBack, average(b.Waited.Sum()), longest(b.Waited.Sum()))
		for _, server := range b.Servers() {
			c := server.QueueCounts()
			if server.MaxConn() == 0 && server.HighestQueue() == 0 {
				continue
			}
			a.printf("%s %s %d %d %d %d %d %d %d %d %d %d %d\n", p.Name, server.Name, server.Queued(), server.HighestQueue(), server.Served(), server.MaxConn(),
				c.LookedAgain, c.AtRisk, c.Requeued, c.Direct, c.SentBack, average(server.Waited.Sum()), longest(server.Waited.Sum()))
			if a.err != nil {
				return
			}
		}
	}
}

// showNamespaces has a line for each network namespace of the configuration.
func (s *session) showNamespaces([]string) {
	s.answer.printf("# name state inode since_s binds servers waiting taken missed failed came went\n")
	for _, n := range s.process.Namespaces() {
		state := "ABSENT"
		switch {
		case n.Present:
			state = "UP"
		case n.Problem != "":
			state = "REFUSED"
		}
		s.answer.printf("%s %s %d %d %d %d %d %d %d %d %d %d\n", n.Name, state, n.Inode, int64(n.Since.Seconds()), n.Binds, n.Servers,
			n.Waiting, n.Taken, n.Missed, n.Failed, n.Came, n.Went)
	}
}

func (s *session) showLoops([]string) {
	s.answer.printf("# loop flows accepted turns events busy_ms wait_ms busy_pct longest_gap_us\n")
	for i, l := range s.process.Loops() {
		percent := int64(0)
		if all := l.Busy + l.Waiting; all > 0 {
			percent = int64(l.Busy * 100 / all)
		}
		s.answer.printf("%d %d %d %d %d %d %d %d %d\n", i+1, l.Flows, l.Accepted, l.Turns, l.Events, l.Busy.Milliseconds(), l.Waiting.Milliseconds(), percent, l.LongestGap.Microseconds())
	}
}

// showSched tells of each loop below which time half of its turns stay, and so on: how long an event may have to wait for those
// before it. The times are rounded up to the next power of two.
func (s *session) showSched([]string) {
	s.answer.printf("# loop turns avg_us p50_us p90_us p99_us p999_us max_us\n")
	for i, l := range s.process.Loops() {
		s.answer.printf("%d %d %d %d %d %d %d %d\n", i+1, l.Turns, uint64(l.Busy.Microseconds())/max(l.Turns, 1),
			below(l.Gaps, 500), below(l.Gaps, 900), below(l.Gaps, 990), below(l.Gaps, 999), l.LongestGap.Microseconds())
	}
}

// showActivity has one number per line: the sum, and each loop's.
func (s *session) showActivity([]string) {
	loops := s.process.Loops()
	s.answer.printf("date_now: %.6f\n", float64(time.Now().UnixMicro())/1e6)
	for _, line := range []struct {
		name string
		of   func(Loop) uint64
	}{
		{"loops", func(l Loop) uint64 { return l.Turns }},
		{"poll_io", func(l Loop) uint64 { return l.Events }},
		{"accepted", func(l Loop) uint64 { return l.Accepted }},
		{"flows", func(l Loop) uint64 { return uint64(l.Flows) }},
		{"busy_ms_tot", func(l Loop) uint64 { return uint64(l.Busy.Milliseconds()) }},
		{"avg_loop_us", func(l Loop) uint64 {
			return uint64(l.Busy.Microseconds()) / max(l.Turns, 1)
		}},
		{"max_loop_us", func(l Loop) uint64 { return uint64(l.LongestGap.Microseconds()) }},
	} {
		var sum uint64
		each := ""
		for _, l := range loops {
			n := line.of(l)
			each += " " + u64(n).String()
			switch line.name {
			case "avg_loop_us":
				sum += n / uint64(len(loops))
			case "max_loop_us":
				sum = max(sum, n)
			default:
				sum += n
			}
		}
		s.answer.printf("%s: %d [%s ]\n", line.name, sum, each)
	}
}
