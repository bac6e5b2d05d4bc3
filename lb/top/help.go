package top

import "strings"

// keyHelp is the overlay: a key and what it does; without a key, a heading.
var keyHelp = [][2]string{
	{"", "Looking"},
	{"up down pgup pgdn home end", "move; j k g G too"},
	{"enter, esc", "look into a proxy or a server, and back"},
	{"/", "show only what has this text in its name, state or address"},
	{"p", "show only problems: what is not up, waits, is full, or has just failed"},
	{"tab", "everything, frontends and backends, or servers"},
	{"s S, R", "sort by the next or previous column, reverse"},
	{"f", "list the flows of the proxy or server (level operator)"},
	{"+ -, space", "look more or less often, pause"},
	{"?, q", "this help, quit"},
	{"", "Changing (level admin; each command is shown and must be confirmed)"},
	{"d", "disable: a server goes into maintenance, a frontend stops listening"},
	{"D", "drain: a server gets no new connections"},
	{"e", "enable: the opposite of both"},
	{"w", "a server's weight"},
	{"", "Signs"},
	{"!", "down or stopped"},
	{"~", "in maintenance, draining, on its way up or down, full, or waited for"},
}

func help(p paint, width int) []string {
	lines := []string{p.title("sluice top"), ""}
	for _, k := range keyHelp {
		switch {
		case k[0] == "" && len(lines) > 2:
			lines = append(lines, "", p.heading(k[1]))
		case k[0] == "":
			lines = append(lines, p.heading(k[1]))
		default:
			lines = append(lines, "  "+p.key(k[0])+strings.Repeat(" ", max(28-len(k[0]), 1))+k[1])
		}
	}
	lines = append(lines, "", p.dim("Any key goes back."))
	for i := range lines {
		lines[i] = clip(lines[i], width)
	}
	return lines
}
