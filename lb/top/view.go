package top

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// View makes the picture: the header, what is told of the place, the table, the flows, and two lines below.
func (m *model) View() tea.View {
	v := tea.NewView(strings.Join(m.picture(), "\n"))
	v.AltScreen = true
	v.WindowTitle = "sluice top " + m.address
	return v
}

// picture gives the lines of the screen, as many as it has.
func (m *model) picture() []string {
	if m.mode == helping {
		return m.pad(help(m.paint, m.width), nil)
	}
	top := m.above()
	lines := m.lines()
	if m.server == "" && m.sample != nil {
		choice := m.choice
		choice.only = m.proxy
		top = append(top, tableHeading(m.paint, &choice, m.width))
		last := min(m.first+m.room(), len(lines))
		for i := m.first; i < last; i++ {
			top = append(top, tableLine(m.paint, &lines[i], i == m.index, m.width))
		}
		if len(lines) == 0 {
			top = append(top, m.paint.dim(" nothing to show: "+m.hiding()))
		}
	}
	return m.pad(append(top, m.below()...), m.footer(len(lines)))
}

// above is what stands over the table.
func (m *model) above() []string {
	about := m.address
	if m.sample != nil && m.sample.level != "" {
		about += ", level " + m.sample.level
	}
	about += ", every " + m.interval.String()
	if m.paused {
		about += ", PAUSED"
	}
	top := header(m.paint, m.sample, &m.tracker, about, m.width)
	if m.failure != nil {
		ago := ""
		if m.sample != nil {
			ago = fmt.Sprintf(" What is below is %s old.", age(time.Since(m.sample.at)))
		}
		top = append(top, clip(m.paint.bad("No answer: "+printable(m.failure.Error())+". Trying again."+ago), m.width))
	}
	if m.proxy != "" {
		top = append(top, m.detail()...)
	}
	return append(top, "")
}

// below is what stands under the table: the flows, if they are wanted.
func (m *model) below() []string {
	if !m.showFlows || m.proxy == "" {
		return nil
	}
	return flowLines(m.paint, m.flows, m.flowsFail, m.width, m.flowRoom())
}

// room is the number of lines that the table has.
func (m *model) room() int {
	room := m.height - len(m.above()) - 1 - 2
	if m.showFlows && m.proxy != "" {
		room -= m.flowRoom()
	}
	return max(room, 1)
}

// flowRoom is the number of lines that the flows have, with their heading.
func (m *model) flowRoom() int {
	rest := m.height - len(m.above()) - 2
	if m.server != "" {
		return max(rest, 0)
	}
	return max(rest/2, 0)
}

// hiding tells why rows may not be seen.
func (m *model) hiding() string {
	words := []string{m.choice.kinds.String()}
	if m.choice.filter != "" {
		words = append(words, "with '"+printable(m.choice.filter)+"'")
	}
	if m.choice.problems {
		words = append(words, "with problems")
	}
	return strings.Join(words, " ")
}

// footer is the last two lines: what is asked or told, and the keys.
func (m *model) footer(rows int) []string {
	p := m.paint
	var said string
	switch {
	case m.mode == filtering:
		said = "Filter: " + printable(m.input) + "_"
	case m.mode == weighing:
		said = "New weight (0 to 256, or such as 50%): " + printable(m.input) + "_"
	case m.mode == confirming:
		said = p.warn("Send '"+printable(m.pending.command)+"'?") + " " + p.key("y") + " yes, " + p.key("n") + " no.  " + printable(m.pending.what)
	case m.notice != "" && m.alarmed:
		said = p.bad(printable(m.notice))
	case m.notice != "":
		said = printable(m.notice)
	case m.server == "":
		said = p.dim(fmt.Sprintf("%d rows: %s", rows, m.hiding()))
	}
	keys := "? help  q quit  / filter  p problems  s sort  tab kinds  enter in  esc out  f flows  d disable  D drain  e enable  w weight"
	if m.sample != nil && m.sample.level != "" && m.sample.level != "admin" {
		keys = "? help  q quit  / filter  p problems  s sort  tab kinds  enter in  esc out  f flows  (no changes: level " + m.sample.level + ")"
	}
	return []string{clip(said, m.width), clip(p.dim(keys), m.width)}
}

// pad cuts the lines to the width, and cuts or fills them to the height, the footer at the bottom.
func (m *model) pad(lines, footer []string) []string {
	room := max(m.height-len(footer), 0)
	if len(lines) > room {
		lines = lines[:room]
	}
	for i := range lines {
		lines[i] = clip(lines[i], m.width)
	}
	for len(lines) < room {
		lines = append(lines, "")
	}
	return append(lines, footer...)
}
