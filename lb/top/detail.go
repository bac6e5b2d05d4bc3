package top

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// detail is what is told of the proxy or the server that the screen is about, over its table.
func (m *model) detail() []string {
	name, about := backendName, printable(strings.TrimSuffix(m.proxy+"/"+m.server, "/"))
	if m.server != "" {
		name = m.server
	}
	var r *row
	if m.sample != nil {
		for i := range m.sample.rows {
			if one := &m.sample.rows[i]; one.proxy == m.proxy && (one.key.name == name || r == nil && one.kind == frontend && m.server == "") {
				r = one
			}
		}
	}
	if r == nil {
		return []string{clip(m.paint.bad(about+" is not there any more"), m.width)}
	}
	lines := []string{"", m.paint.title(about) + "  " + m.state(r)}
	lines = append(lines, counts(r)...)
	if q, found := m.sample.queues[r.key]; found {
		lines = append(lines, fmt.Sprintf("queue: %d now, %d highest; waited %d ms on average, %d ms at most; looked again %d, at risk %d, requeued %d, granted directly %d, sent back %d",
			q.waiting, q.highest, q.averageWait, q.longestWait, q.lookedAgain, q.atRisk, q.requeued, q.granted, q.sentBack))
	}
	if k := m.tracker.rows[r.key]; k != nil {
		lines = append(lines, fmt.Sprintf("sessions/s %s %s   in %sB/s  out %sB/s  errors %s/s", spark(k.history, min(historyLength, max(m.width-60, 10))), short(k.sessions), short(k.in), short(k.out), short(k.errors)))
	}
	var wrapped []string
	for _, line := range lines {
		wrapped = append(wrapped, strings.Split(ansi.Wordwrap(line, m.width, ""), "\n")...)
	}
	return wrapped
}

// state is the status of a row with what led to it.
func (m *model) state(r *row) string {
	text := r.status
	if d, ok := seconds(r.field("lastchg")); ok {
		text += " for " + age(d)
	}
	switch r.severity() {
	case bad:
		text = m.paint.bad(text)
	case warning:
		text = m.paint.warn(text)
	}
	if addr := r.field("addr"); addr != "" {
		text += "  at " + printable(addr)
	}
	if algorithm := r.field("algo"); algorithm != "" {
		text += "  balance " + printable(algorithm)
	}
	return text
}

// counts are lines of what the process has counted of a row; what it does not have is left out.
func counts(r *row) []string {
	groups := [][][2]string{
		{{"now", "scur"}, {"highest", "smax"}, {"limit", "slim"}, {"total", "stot"}, {"queued", "qcur"}, {"queued at most", "qmax"}, {"weight", "weight"}, {"last session, seconds ago", "lastsess"}},
		{{"connect errors", "econ"}, {"response errors", "eresp"}, {"request errors", "ereq"}, {"retries", "wretr"}, {"redispatches", "wredis"}, {"client aborts", "cli_abrt"}, {"server aborts", "srv_abrt"},
			{"average ms: queue", "qtime"}, {"connect", "ctime"}, {"session", "ttime"}},
		{{"check", "check_status"}, {"took ms", "check_duration"}, {"says", "last_chk"}, {"failed checks", "chkfail"}, {"went down", "chkdown"}, {"down for seconds", "downtime"}, {"agent", "agent_status"}},
	}
	var lines []string
	for _, group := range groups {
		var words []string
		for _, field := range group {
			if value := r.field(field[1]); value != "" {
				words = append(words, field[0]+" "+printable(value))
			}
		}
		if len(words) > 0 {
			lines = append(lines, strings.Join(words, ", "))
		}
	}
	return lines
}

// flowLines lists flows under a heading, in so many lines at most.
func flowLines(p paint, flows []flow, failure error, width, room int) []string {
	if failure != nil {
		return []string{clip(p.bad("Flows cannot be listed: "+printable(failure.Error())), width)}
	}
	row := func(f flow) string {
		return fmt.Sprintf(" %s %s %s %s %s %s %s", cell(f.id, 20, true), cell(f.client, 24, true), cell(f.server, 14, true), cell(f.stage, 10, true), cell(f.age, 7, false), cell(f.in, 9, false), cell(f.out, 9, false))
	}
	lines := []string{clip(p.heading(row(flow{"FLOW", "CLIENT", "", "", "SERVER", "STAGE", "AGE", "IN", "OUT", ""})), width)}
	for i, f := range flows {
		if len(lines)+1 >= room && i+1 < len(flows) {
			lines = append(lines, p.dim(fmt.Sprintf(" and %d more%s", len(flows)-i, map[bool]string{true: " at least"}[len(flows) == mostFlows])))
			break
		}
		lines = append(lines, clip(row(f), width))
	}
	if len(flows) == 0 {
		lines = append(lines, p.dim(" none"))
	}
	return lines
}
