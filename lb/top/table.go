package top

import "strings"

// tableHeading is the line above the table.
func tableHeading(p paint, c *selection, width int) string {
	shown, first := fit(width)
	var b strings.Builder
	b.WriteString(" ")
	for i, column := range shown {
		w := column.width
		if i == 0 {
			w = first
		} else {
			b.WriteString(" ")
		}
		title := column.title
		style := p.heading
		if column == &columns[c.sort] {
			style = p.sorted
			if column.less != nil && len(title) < w {
				title += map[bool]string{false: "↓", true: "↑"}[c.reverse]
			}
		}
		b.WriteString(style(cell(title, w, column.left)))
	}
	return clip(b.String(), width)
}

// tableLine is one row of the table.
func tableLine(p paint, l *line, chosen bool, width int) string {
	shown, first := fit(width)
	var b strings.Builder
	for i, column := range shown {
		w := column.width
		if i == 0 {
			w = first
		} else {
			b.WriteString(" ")
		}
		b.WriteString(cell(column.text(l), w, column.left))
	}
	text := clip(l.severity.mark()+b.String(), width)
	switch {
	case chosen:
		return p.chosen(text)
	case l.severity == bad:
		return p.bad(text)
	case l.severity == warning:
		return p.warn(text)
	}
	return text
}
