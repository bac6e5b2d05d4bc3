package top

import (
	"time"

	tea "charm.land/bubbletea/v2"
)

// source is a process that is looked at: a Client.
type source interface {
	Look() (*sample, error)
	Do(command string) (string, error)
	Flows(backend, server string, most int) ([]flow, error)
}

// place is what the screen shows: everything, one proxy, or one server of it.
type place struct {
	proxy, server string // empty: none in particular
}

// visit is a place with how it is looked at, so that going back finds it as it was left.
type visit struct {
	place
	choice selection
	cursor key
}

// mode is who gets the keys.
type mode int

const (
	looking    mode = iota
	filtering       // a line is typed
	weighing        // a line is typed
	confirming      // yes or no
	helping         // any key ends it
)

// model is the state of the screen. Only bubbletea's goroutine touches it; what takes time runs in commands, which get what they need when they are
// made and answer by a message.
type model struct {
	source   source
	address  string
	interval time.Duration
	paint    paint
	width    int
	height   int

	sample     *sample // nil: nothing was seen yet
	tracker    tracker
	failure    error // of the last look; what was seen before stays on the screen
	generation int   // of looks: an answer or an alarm of an earlier one is not heeded
	paused     bool

	visit
	before    []visit
	first     int // the first line of the table that is on the screen
	index     int // the chosen line's, to stay near when it goes
	showFlows bool
	flows     []flow
	flowsFail error

	mode    mode
	input   string
	pending *action
	notice  string
	alarmed bool // the notice is bad news
}

func newModel(s source, address string, interval time.Duration, choice selection, p paint) *model {
	return &model{source: s, address: address, interval: interval, paint: p, width: 80, height: 24, visit: visit{choice: choice}}
}

// seen is the answer to a look.
type seen struct {
	generation int
	sample     *sample
	failure    error
	flows      []flow
	flowsFail  error
}

// alarm is the time for the next look.
type alarm struct{ generation int }

// done is the answer to an action.
type done struct {
	action  action
	answer  string
	failure error
}

// mostFlows is how many flows are listed.
const mostFlows = 200

func (m *model) Init() tea.Cmd { return m.look() }

// look begins a new look, in place of any that is under way.
func (m *model) look() tea.Cmd {
	m.generation++
	source, generation, at, flows := m.source, m.generation, m.place, m.showFlows && m.proxy != ""
	return func() tea.Msg {
		s := seen{generation: generation}
		if s.sample, s.failure = source.Look(); s.failure == nil && flows {
			s.flows, s.flowsFail = source.Flows(at.proxy, at.server, mostFlows)
		}
		return s
	}
}

// later sets the alarm for the next look.
func (m *model) later() tea.Cmd {
	generation := m.generation
	return tea.Tick(m.interval, func(time.Time) tea.Msg { return alarm{generation} })
}

func (m *model) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch message := message.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = message.Width, message.Height
		m.scroll()
	case seen:
		if message.generation != m.generation {
			break
		}
		m.take(message)
		return m, m.later()
	case alarm:
		if message.generation != m.generation {
			break
		}
		if m.paused {
			return m, m.later()
		}
		return m, m.look()
	case done:
		m.tell(message)
		return m, m.look()
	case tea.KeyPressMsg:
		return m, m.press(message.String(), message.Text)
	case tea.PasteMsg:
		if m.mode == filtering || m.mode == weighing {
			m.typed(message.Content)
		}
	}
	return m, nil
}

// take puts what was seen on the screen.
func (m *model) take(s seen) {
	m.failure = s.failure
	if s.failure != nil {
		return
	}
	restarts := m.tracker.restarted
	m.tracker.add(s.sample)
	m.sample, m.flows, m.flowsFail = s.sample, s.flows, s.flowsFail
	if m.tracker.restarted > restarts {
		m.say("The process was restarted: it is number "+s.sample.info["Pid"]+" now.", true)
	}
	m.scroll()
}

func (m *model) say(text string, alarmed bool) { m.notice, m.alarmed = text, alarmed }

// lines are the rows of the table.
func (m *model) lines() []line {
	choice := m.choice
	choice.only = m.proxy
	return choice.choose(m.sample, &m.tracker)
}

// scroll keeps the chosen line on the screen: the same row if it is still there, else the one that has its place.
func (m *model) scroll() {
	lines := m.lines()
	found := -1
	for i := range lines {
		if lines[i].row.key == m.cursor {
			found = i
		}
	}
	if found < 0 {
		found = max(min(m.index, len(lines)-1), 0)
	}
	m.choosing(lines, found)
}

// choosing puts the cursor on a line.
func (m *model) choosing(lines []line, index int) {
	m.index = max(min(index, len(lines)-1), 0)
	if len(lines) > 0 {
		m.cursor = lines[m.index].row.key
	}
	room := m.room()
	m.first = max(min(m.first, m.index), m.index-room+1, 0)
	m.first = max(min(m.first, len(lines)-room), 0)
}

// chosen is the row that the cursor is on, or that has the screen to itself; nil: none.
func (m *model) chosen() *row {
	at := m.cursor
	if m.server != "" {
		at = key{m.proxy, m.server}
	}
	if m.sample == nil {
		return nil
	}
	for i := range m.sample.rows {
		if m.sample.rows[i].key == at {
			return &m.sample.rows[i]
		}
	}
	return nil
}
