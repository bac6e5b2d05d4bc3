package top

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// line is one row as the table shows it.
type line struct {
	*row
	*track
	name     string
	severity severity
}

// ifKnown writes a rate that takes two samples.
func (l *line) ifKnown(rate float64) string {
	if !l.known {
		return "-"
	}
	return short(rate)
}

// column of the table.
type column struct {
	title    string
	width    int // cells
	priority int // the highest are left out first where the terminal is narrow; 0: always there
	left     bool
	text     func(l *line) string
	less     func(a, b *line) int // what stands first when sorted by this column; nil: the order of the configuration
}

// most puts the highest number first.
func most(number func(l *line) float64) func(a, b *line) int {
	return func(a, b *line) int { return cmp.Compare(number(b), number(a)) }
}

// nameWidth is what the first column has at least; it takes what others leave.
const nameWidth = 14

// columns in their order. The first one is as wide as there is room.
var columns = []column{
	{title: "NAME", width: nameWidth, left: true, text: func(l *line) string { return l.name }},
	{title: "STATUS", width: 12, left: true, text: func(l *line) string { return l.status }, less: func(a, b *line) int {
		return cmp.Or(cmp.Compare(b.severity, a.severity), strings.Compare(a.status, b.status))
	}},
	{title: "SESS/S", width: 6, priority: 2, text: func(l *line) string { return short(l.sessions) }, less: most(func(l *line) float64 { return l.sessions })},
	{title: "CONN", width: 6, text: func(l *line) string { return count(l.current) }, less: most(func(l *line) float64 { return float64(l.current) })},
	{title: "LIMIT", width: 6, priority: 5, text: func(l *line) string { return some(l.limit) }, less: most(fullness)},
	{title: "QUEUE", width: 5, priority: 1, text: func(l *line) string {
		if l.kind == frontend || l.kind == listener {
			return ""
		}
		return count(l.queued)
	}, less: most(func(l *line) float64 { return float64(l.queued) })},
	{title: "IN/S", width: 6, priority: 3, text: func(l *line) string { return l.ifKnown(l.in) }, less: most(func(l *line) float64 { return l.in })},
	{title: "OUT/S", width: 6, priority: 3, text: func(l *line) string { return l.ifKnown(l.out) }, less: most(func(l *line) float64 { return l.out })},
	{title: "ERR/S", width: 6, priority: 4, text: func(l *line) string { return l.ifKnown(l.track.errors) }, less: most(func(l *line) float64 { return l.track.errors })},
	{title: "TOTAL", width: 6, priority: 7, text: func(l *line) string { return count(l.total) }, less: most(func(l *line) float64 { return float64(l.total) })},
	{title: "WEIGHT", width: 6, priority: 6, text: func(l *line) string {
		if l.kind == frontend || l.kind == listener {
			return ""
		}
		return l.field("weight")
	}, less: most(func(l *line) float64 { return float64(l.weight) })},
	{title: "CHECK", width: 8, priority: 8, left: true, text: func(l *line) string { return strings.TrimPrefix(l.field("check_status"), "* ") },
		less: func(a, b *line) int { return strings.Compare(b.field("check_status"), a.field("check_status")) }},
	{title: "SINCE", width: 7, priority: 9, text: func(l *line) string {
		if d, ok := seconds(l.field("lastchg")); ok {
			return age(d)
		}
		return ""
	}, less: func(a, b *line) int { return cmp.Compare(sinceChange(a), sinceChange(b)) }},
	{title: "SESS/S SO FAR", width: 24, priority: 10, left: true, text: func(l *line) string { return spark(l.history, 24) },
		less: most(func(l *line) float64 { return slices.Max(append([]float64{0}, l.history...)) })},
}

// some writes a limit; none is empty.
func some(n int64) string {
	if n == 0 {
		return ""
	}
	return count(n)
}

func fullness(l *line) float64 {
	if l.limit == 0 {
		return 0
	}
	return float64(l.current) / float64(l.limit)
}

// sinceChange puts what has no time last.
func sinceChange(l *line) time.Duration {
	if d, ok := seconds(l.field("lastchg")); ok {
		return d
	}
	return 1<<63 - 1
}

// fit chooses the columns that a width has room for, and gives the width of the first one.
func fit(width int) (shown []*column, first int) {
	worst := 0
	for i := range columns {
		worst = max(worst, columns[i].priority)
	}
	for ; ; worst-- {
		shown, first = nil, width-1 // the mark
		for i := range columns {
			if columns[i].priority > worst {
				continue
			}
			shown = append(shown, &columns[i])
			if i > 0 {
				first -= columns[i].width + 1
			}
		}
		if first >= nameWidth || worst == 0 {
			return shown, max(first, 1)
		}
	}
}
