package top

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// sample is what one look at the socket has shown.
type sample struct {
	at     time.Time
	info   map[string]string
	rows   []row
	level  string // user, operator or admin; empty: the process does not say
	loops  []loop
	queues map[key]queue
}

// ours tells whether the process is sluice.
func (s *sample) ours() bool { return s.info["Name"] == "sluice" }

// number gives a field of "show info"; 0: it has none.
func (s *sample) number(name string) int64 {
	n, _ := strconv.ParseInt(s.info[name], 10, 64)
	return n
}

// loop is a line of "show loops".
type loop struct {
	flows, busy, waiting, longestGap int64 // number, ms, ms, µs
}

// queue is a line of "show queue".
type queue struct {
	waiting, highest, lookedAgain, atRisk, requeued, granted, sentBack, averageWait, longestWait int64 // waits in ms
}

// flow is a line of "show sess".
type flow struct {
	id, client, frontend, backend, server, stage, age, in, out, expires string
}

// newSample reads the answers to what Client.Look asks.
func newSample(at time.Time, answers []string) (*sample, error) {
	s := &sample{at: at, info: make(map[string]string), level: strings.TrimSpace(answers[2])}
	for line := range strings.Lines(answers[0]) {
		if name, value, found := strings.Cut(line, ":"); found {
			s.info[name] = strings.TrimSpace(value)
		}
	}
	if s.info["Pid"] == "" {
		return nil, errors.New("this is not a stats socket: " + firstLine(answers[0]))
	}
	if s.level != "user" && s.level != "operator" && s.level != "admin" {
		s.level = ""
	}
	var err error
	if s.rows, err = parseRows(answers[1]); err != nil {
		return nil, err
	}
	if s.ours() && len(answers) > 3 {
		s.addOwn(answers[3:])
	}
	return s, nil
}

// addOwn takes the answers to "show loops" and "show queue".
func (s *sample) addOwn(answers []string) {
	s.loops, s.queues = parseLoops(answers[0]), parseQueues(answers[1])
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if line == "" {
		return "it answers nothing"
	}
	return "it answers " + strconv.Quote(line)
}

// table calls do for each line of a listing whose first line, behind a #, names its columns.
func table(text string, do func(field func(string) string, number func(string) int64)) {
	var names map[string]int
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if fields[0] == "#" {
			names = make(map[string]int)
			for i, name := range fields[1:] {
				names[name] = i
			}
			continue
		}
		field := func(name string) string {
			if i, found := names[name]; found && i < len(fields) {
				return fields[i]
			}
			return ""
		}
		do(field, func(name string) int64 {
			n, _ := strconv.ParseInt(field(name), 10, 64)
			return n
		})
	}
}

func parseLoops(text string) (loops []loop) {
	table(text, func(_ func(string) string, n func(string) int64) {
		loops = append(loops, loop{n("flows"), n("busy_ms"), n("wait_ms"), n("longest_gap_us")})
	})
	return loops
}

// parseQueues: a backend's own queue has the server "-".
func parseQueues(text string) map[key]queue {
	queues := make(map[key]queue)
	table(text, func(field func(string) string, n func(string) int64) {
		name := field("server")
		if name == "-" {
			name = backendName
		}
		queues[key{field("backend"), name}] = queue{
			n("waiting"), n("highest"), n("looked_again"), n("at_risk"), n("requeued"), n("granted"), n("sent_back"), n("avg_wait_ms"), n("max_wait_ms"),
		}
	})
	return queues
}

// parseFlow reads "ID: name=value …". HAProxy and sluice have the same names for what is shown, HAProxy without a stage and bytes.
func parseFlow(line string) (flow, bool) {
	id, rest, found := strings.Cut(line, ": ")
	if !found || !strings.HasPrefix(id, "0x") {
		return flow{}, false
	}
	values := make(map[string]string)
	for word := range strings.FieldsSeq(rest) {
		name, value, _ := strings.Cut(word, "=")
		values[name] = value
	}
	return flow{
		id: id, client: values["src"], frontend: values["fe"], backend: values["be"], server: values["srv"], stage: values["st"],
		age: values["age"], in: values["in"], out: values["out"], expires: values["exp"],
	}, true
}

// parseRows reads "show stat" as CSV. HAProxy quotes a field that has a comma or a quote in it.
func parseRows(text string) ([]row, error) {
	var places map[string]int
	var rows []row
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if header, found := strings.CutPrefix(line, "# "); found {
			places = make(map[string]int)
			for i, name := range strings.Split(header, ",") {
				places[name] = i
			}
			continue
		}
		fields := splitCSV(line)
		if len(fields) < 2 {
			continue
		}
		if places == nil {
			return nil, fmt.Errorf("a listing without a heading: %q", line)
		}
		rows = append(rows, newRow(places, fields))
	}
	return rows, nil
}

// splitCSV cuts a line at its commas, those within quotes excepted.
func splitCSV(line string) []string {
	if !strings.Contains(line, `"`) {
		return strings.Split(line, ",")
	}
	var fields []string
	var field strings.Builder
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"' && quoted && i+1 < len(line) && line[i+1] == '"':
			field.WriteByte('"')
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			fields = append(fields, field.String())
			field.Reset()
		default:
			field.WriteByte(c)
		}
	}
	return append(fields, field.String())
}
