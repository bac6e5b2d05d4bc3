package top

import (
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
)

// intervals that + and - go through.
var intervals = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

// press obeys a key: its name, and what it types.
func (m *model) press(name, text string) tea.Cmd {
	if name == "ctrl+c" {
		return tea.Quit
	}
	switch m.mode {
	case helping:
		m.mode = looking
		return nil
	case filtering, weighing:
		return m.edit(name, text)
	case confirming:
		return m.decide(name)
	}
	m.notice = ""
	switch name {
	case "ctrl+z":
		return tea.Suspend
	case "q":
		return tea.Quit
	case "?", "f1":
		m.mode = helping
	case "enter", "right", "l":
		return m.enter()
	case "esc", "left", "h", "backspace":
		return m.leave()
	case "/":
		m.mode, m.input = filtering, m.choice.filter
	case "f":
		m.showFlows = !m.showFlows
		return m.look()
	case "space", " ":
		m.paused = !m.paused
	case "+", "-":
		return m.quicken(name == "+")
	case "d", "D", "e", "w":
		m.propose(name)
	default:
		m.move(name)
	}
	return nil
}

// move obeys the keys that change what is seen of the table.
func (m *model) move(name string) {
	lines := m.lines()
	switch name {
	case "up", "k":
		m.choosing(lines, m.index-1)
	case "down", "j":
		m.choosing(lines, m.index+1)
	case "pgup":
		m.choosing(lines, m.index-m.room())
	case "pgdown":
		m.choosing(lines, m.index+m.room())
	case "home", "g":
		m.choosing(lines, 0)
	case "end", "G":
		m.choosing(lines, len(lines)-1)
	case "s":
		m.choice.sort = (m.choice.sort + 1) % len(columns)
		m.scroll()
	case "S":
		m.choice.sort = (m.choice.sort + len(columns) - 1) % len(columns)
		m.scroll()
	case "R":
		m.choice.reverse = !m.choice.reverse
		m.scroll()
	case "p":
		m.choice.problems = !m.choice.problems
		m.scroll()
	case "tab":
		m.choice.kinds = (m.choice.kinds + 1) % kindsCount
		m.scroll()
	}
}

// enter looks into what the cursor is on.
func (m *model) enter() tea.Cmd {
	r := m.chosen()
	if r == nil || m.server != "" {
		return nil
	}
	next := visit{place: place{proxy: r.proxy}, cursor: m.cursor}
	switch {
	case r.kind == server:
		next.server = r.key.name
	case m.proxy != "":
		return nil // it is here already
	}
	m.before = append(m.before, m.visit)
	m.visit, m.flows = next, nil
	m.scroll()
	return m.look()
}

// leave goes back, or takes away what hides rows.
func (m *model) leave() tea.Cmd {
	if len(m.before) > 0 {
		m.visit, m.before = m.before[len(m.before)-1], m.before[:len(m.before)-1]
		m.flows = nil
	} else {
		m.choice.filter, m.choice.problems = "", false
	}
	m.scroll()
	return nil
}

// quicken goes to the next shorter or longer interval.
func (m *model) quicken(shorter bool) tea.Cmd {
	if shorter {
		for i := len(intervals) - 1; i >= 0; i-- {
			if intervals[i] < m.interval {
				m.interval = intervals[i]
				return m.look()
			}
		}
		return nil
	}
	for _, interval := range intervals {
		if interval > m.interval {
			m.interval = interval
			return m.look()
		}
	}
	return nil
}

// edit obeys keys while a line is typed. A filter counts at once.
func (m *model) edit(name, text string) tea.Cmd {
	switch name {
	case "esc":
		if m.mode == filtering {
			m.choice.filter = ""
		}
		m.mode, m.input = looking, ""
		m.scroll()
	case "enter":
		if m.mode == weighing {
			m.weigh()
			return nil
		}
		m.mode, m.input = looking, ""
	case "backspace":
		if runes := []rune(m.input); len(runes) > 0 {
			m.input = string(runes[:len(runes)-1])
			m.filterNow()
		}
	case "ctrl+u":
		m.input = ""
		m.filterNow()
	default:
		m.typed(text)
	}
	return nil
}

func (m *model) typed(text string) {
	for _, r := range text {
		if unicode.IsPrint(r) {
			m.input += string(r)
		}
	}
	m.filterNow()
}

func (m *model) filterNow() {
	if m.mode == filtering {
		m.choice.filter = m.input
		m.scroll()
	}
}
