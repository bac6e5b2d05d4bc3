package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// moment is what both programs logged in one step.
type moment struct {
	what  string
	began time.Time
	lines [][]line // in the order of the sides
}

// quiet is how long both logs must have nothing new before the next step: more than the longest pause within one, which is
// an interval and a time limit.
const quiet = 1200 * time.Millisecond

// comparison takes both programs through the steps and returns the table. An error that comes with it names differences that
// nobody has explained.
func comparison(dir string, kinds []kind, steps []step) (string, error) {
	if err := arrive(); err != nil {
		return "", err
	}
	var all []*side
	for k := range kinds {
		s := &side{host: fmt.Sprintf("127.0.0.%d", k+2)}
		for range comparedServers {
			s.add(k, false)
		}
		s.servers[3].ports = []string{mainPort, agentPort}
		s.servers[4].ports = []string{mainPort, agentPort}
		s.servers[8].ports = []string{mainPort, checkPort}
		s.servers[11].ports, s.servers[12].ports = nil, nil
		all = append(all, s)
	}
	moments, err := goThrough(dir, kinds, all, steps)
	if err := errors.Join(err, finish(all)); err != nil {
		return "", err
	}
	return compareMoments(kinds, moments)
}

func goThrough(dir string, kinds []kind, all []*side, steps []step) ([]moment, error) {
	configs := make([]string, len(all))
	for k, s := range all {
		for _, o := range s.servers {
			if err := o.start(); err != nil {
				return nil, err
			}
		}
		var err error
		if s.program, configs[k], err = receive(kinds[k]); err != nil {
			return nil, err
		}
	}
	steps = append([]step{{"both start", nil}}, steps...)
	var moments []moment
	for _, st := range steps {
		m := moment{what: st.what, began: time.Now()}
		failed := make(chan error, len(all))
		for k, s := range all { // at the same time
			go func() {
				if st.do == nil {
					failed <- s.start(dir, comparedConfig(s, configs[k]), s.host+":8004")
				} else {
					failed <- st.do(s)
				}
			}()
		}
		for range all {
			if err := <-failed; err != nil {
				return nil, fmt.Errorf("%s: %w", st.what, err)
			}
		}
		await(all)
		for _, s := range all {
			lines := s.since(m.began)
			if st.do == nil { // the flow with which the start was awaited
				lines = slices.DeleteFunc(lines, func(l line) bool { return flowLine.MatchString(l.text) })
			}
			m.lines = append(m.lines, lines)
		}
		moments = append(moments, m)
	}
	return moments, nil
}

// await returns when nobody has logged anything for a while.
func await(all []*side) {
	for from := time.Now(); time.Since(from) < quiet; time.Sleep(20 * time.Millisecond) {
		for _, s := range all {
			if later := s.since(from); len(later) > 0 {
				from = later[len(later)-1].at
			}
		}
	}
}

// What differs from run to run is not compared: how long a check took, and of a flow all but its listener, its server and how
// it ended.
var (
	duration = regexp.MustCompile(`check duration: \d+ms`)
	flowLine = regexp.MustCompile(`^127\.\S+ \[\S+\] (\S+) (\S+) \S+ \d+ (\S\S) \S+ \S+$`)
)

func comparable(l line) string {
	text := duration.ReplaceAllString(l.text, "check duration: Nms")
	text = flowLine.ReplaceAllString(text, "a client: $1 $2 $3")
	return fmt.Sprintf("%s|%s", severities[l.severity], text)
}

var severities = map[int]string{-1: "?", 0: "emerg", 1: "alert", 2: "crit", 3: "err", 4: "warning", 5: "notice", 6: "info", 7: "debug"}

// row is a line that one or both have.
type row struct {
	text string
	at   []string // seconds into the step, in the order of the sides; "–": it has no such line
}

func (r row) differs() bool {
	for _, at := range r.at {
		if at == none {
			return true
		}
	}
	return false
}

const none = "–"

// align puts the lines of both side by side: the longest common sequence, and between its lines what only one of them has.
func align(began time.Time, one, two []line) []row {
	when := func(l line) string { return fmt.Sprintf("%.1f", l.at.Sub(began).Seconds()) }
	length := make([][]int, len(one)+1) // of the common sequence from there on
	for i := range length {
		length[i] = make([]int, len(two)+1)
	}
	for i := len(one) - 1; i >= 0; i-- {
		for j := len(two) - 1; j >= 0; j-- {
			if comparable(one[i]) == comparable(two[j]) {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var rows []row
	for i, j := 0, 0; i < len(one) || j < len(two); {
		switch {
		case i < len(one) && j < len(two) && comparable(one[i]) == comparable(two[j]):
			rows = append(rows, row{comparable(one[i]), []string{when(one[i]), when(two[j])}})
			i, j = i+1, j+1
		case j == len(two) || i < len(one) && length[i+1][j] >= length[i][j+1]:
			rows = append(rows, row{comparable(one[i]), []string{when(one[i]), none}})
			i++
		default:
			rows = append(rows, row{comparable(two[j]), []string{none, when(two[j])}})
			j++
		}
	}
	return rows
}

// compareMoments writes the table.
func compareMoments(kinds []kind, moments []moment) (string, error) {
	var b strings.Builder
	var unexplained []error
	var used []string
	same, different := 0, 0
	fmt.Fprintf(&b, "| step | %s | %s | severity | line | why |\n|---|---|---|---|---|---|\n", kinds[0].name, kinds[1].name)
	for _, m := range moments {
		what := m.what
		rows := align(m.began, m.lines[0], m.lines[1])
		if len(rows) == 0 {
			fmt.Fprintf(&b, "| %s | | | | nothing, by either | |\n", what)
		}
		for i, r := range rows {
			why := ""
			if r.differs() {
				different++
				explanation, known := explain(rows, i)
				if !known {
					unexplained = append(unexplained, fmt.Errorf("%s: not explained: %s: %s", m.what, strings.Join(r.at, " | "), r.text))
				}
				why, used = reference(used, explanation)
			} else {
				same++
			}
			severity, text, _ := strings.Cut(r.text, "|")
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", what, r.at[0], r.at[1], severity, cell(text), why)
			what = ""
		}
	}
	head := fmt.Sprintf("%d lines are the same in both logs, in text, severity and order; %d are in one of them only, or in another place. "+
		"Times are seconds from the beginning of the step.\n\n", same, different)
	var notes strings.Builder
	for i, text := range used {
		fmt.Fprintf(&notes, "\n%d. %s", i+1, text)
	}
	if len(used) > 0 {
		notes.WriteString("\n")
	}
	return head + b.String() + notes.String(), errors.Join(unexplained...)
}

// reference is the number of an explanation.
func reference(used []string, text string) (string, []string) {
	for i, u := range used {
		if u == text {
			return fmt.Sprint(i + 1), used
		}
	}
	used = append(used, text)
	return fmt.Sprint(len(used)), used
}

// cell keeps a table's own sign out of a cell.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", ">", "&gt;").Replace(text)
}
