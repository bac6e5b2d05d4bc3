package config

import (
	"slices"
	"strconv"
	"strings"
)

// maxThreads bounds the number of loops; open ranges of loops end here.
const maxThreads = 256

// maxCPU bounds the numbers of CPUs: what CONFIG_NR_CPUS allows at most.
const maxCPU = 8191

func parseNbproc(s *statement) {
	if s.text(0) != "1" {
		s.alert("is '%s', but sluice is one process: use 'nbthread'", s.text(0))
		return
	}
	s.warn("is deprecated: there is only ever one process, use 'nbthread'")
}

func parseThreadGroups(s *statement) {
	if s.text(0) != "1" {
		s.alert("is '%s', but there is only one thread group", s.text(0))
		return
	}
	s.global.ThreadGroups = 1
}

func printThreadGroups(p *printer) {
	if p.global.ThreadGroups == 1 {
		p.write("1")
	}
}

// parseSet reads "all", "odd", "even", "n", "n-m" or "n-". all is true for "all".
func parseSet(text string, low, high int) (set []int, all, ok bool) {
	span := func(from, to, step int) {
		for n := from; n <= to; n += step {
			set = append(set, n)
		}
	}
	switch text {
	case "all":
		return nil, true, true
	case "odd":
		span(1, high, 2)
		return set, false, true
	case "even":
		span(2, high, 2)
		return set, false, true
	}
	first, last, ranged := strings.Cut(text, "-")
	from, err := strconv.ParseUint(first, 10, 31)
	to := from
	if err == nil && ranged && last == "" {
		to = uint64(high)
	} else if err == nil && ranged {
		to, err = strconv.ParseUint(last, 10, 31)
	}
	if to < from {
		from, to = to, from
	}
	if err != nil || int(from) < low || int(to) > high {
		return nil, false, false
	}
	span(int(from), int(to), 1)
	return set, false, true
}

// formatSets writes ascending numbers as ranges that parseSet reads.
func formatSets(set []int) []string {
	var list []string
	for i := 0; i < len(set); {
		j := i
		for j+1 < len(set) && set[j+1] == set[j]+1 {
			j++
		}
		text := strconv.Itoa(set[i])
		if j > i {
			text += "-" + strconv.Itoa(set[j])
		}
		list = append(list, text)
		i = j + 1
	}
	return list
}

// union adds to an ascending set.
func union(set, more []int) []int {
	set = append(slices.Clone(set), more...)
	slices.Sort(set)
	return slices.Compact(set)
}

func parseCPUMap(s *statement) {
	where, auto := strings.CutPrefix(s.text(0), "auto:")
	group, threads, ranged := strings.Cut(where, "/")
	m := CPUMap{Group: 1, Auto: auto}
	groups, all, ok := parseSet(group, 1, maxThreads)
	if !ok {
		s.alert("expects [auto:]1[/<thread-set>], not '%s'", s.text(0))
		return
	}
	if !all && !slices.Contains(groups, 1) {
		s.warn("'%s' has no effect, since there is only thread group 1", s.text(0))
		return
	}
	if ranged {
		if m.Threads, _, ok = parseSet(threads, 1, maxThreads); !ok {
			s.alert("expects a set of threads from 1 to %d, not '%s'", maxThreads, threads)
			return
		}
	}
	for _, word := range s.args[1:] {
		for _, part := range strings.Split(word.Text, ",") {
			cpus, all, ok := parseSet(part, 0, maxCPU)
			if !ok || all {
				s.alert("expects sets of CPU numbers such as 0-3, not '%s'", part)
				return
			}
			m.CPUs = union(m.CPUs, cpus)
		}
	}
	if auto && !ranged && len(m.CPUs) != 1 {
		s.alert("with 'auto:' needs a set of threads, such as auto:1/1-%d", len(m.CPUs))
		return
	}
	if auto && len(m.Threads) != 0 && len(m.Threads) != len(m.CPUs) {
		s.alert("with 'auto:' needs as many CPUs as threads, not %d for %d", len(m.CPUs), len(m.Threads))
		return
	}
	s.global.CPUMap = append(s.global.CPUMap, m)
}

func printCPUMap(p *printer) {
	for _, m := range p.global.CPUMap {
		sets := []string{"all"}
		if len(m.Threads) > 0 {
			sets = formatSets(m.Threads)
		}
		if len(sets) > 1 { // "odd" and "even" are the only sets that are no range
			sets = []string{parity(m.Threads)}
		}
		prefix := ""
		if m.Auto {
			prefix = "auto:"
		}
		p.write(append([]string{prefix + "1/" + sets[0]}, formatSets(m.CPUs)...)...)
	}
}

func parity(set []int) string {
	if set[0]%2 == 1 {
		return "odd"
	}
	return "even"
}

func parseLocalPeer(s *statement) {
	if !s.validName(s.text(0)) {
		return
	}
	s.global.LocalPeer = s.text(0)
	s.check(s.env.Set("HAPROXY_LOCALPEER", s.text(0)))
}

func parseUnsetenv(s *statement) {
	for _, name := range s.args {
		s.env.Unset(name.Text)
	}
}

func parseDefaultPath(s *statement) {
	policy, ok := s.one(0, "current", "config", "parent", "origin")
	if !ok {
		return
	}
	switch given := len(s.args) == 2; {
	case policy == "origin" && !given:
		s.alert("'origin' needs a directory")
		return
	case policy != "origin" && given:
		s.alert("'%s' takes no directory, but there is '%s'", policy, s.text(1))
		return
	}
	s.global.DefaultPath, s.global.DefaultPathOrigin = policy, s.text(1)
}

func printDefaultPath(p *printer) {
	switch g := p.global; g.DefaultPath {
	case "", "current":
	case "origin":
		p.write("origin", g.DefaultPathOrigin)
	default:
		p.write(g.DefaultPath)
	}
}

// sentence fills a string with all the words of the line, one blank between them.
func sentence(at func(target) *string) behaviour {
	return behaviour{
		parse: func(s *statement) { *at(s.target()) = strings.Join(s.texts(), " ") },
		print: func(p *printer) {
			if v := *at(p.target); v != "" {
				p.write(v)
			}
		},
	}
}
