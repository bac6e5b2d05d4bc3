package top

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// action is a command that changes something in the process.
type action struct {
	command string
	what    string // in words: what comes about
}

// escape takes the meaning from characters that would end a word or a command.
var escape = strings.NewReplacer(`\`, `\\`, ` `, `\ `, `;`, `\;`)

// actionFor gives what a key does to a row: d, D and e. An error says why it does nothing.
func actionFor(name string, r *row) (action, error) {
	full := escape.Replace(r.proxy + "/" + r.key.name)
	switch r.kind {
	case server:
		switch name {
		case "d":
			return action{"set server " + full + " state maint", full + " goes into maintenance: no new connections, no checks"}, nil
		case "D":
			return action{"set server " + full + " state drain", full + " drains: its connections stay, no new ones come"}, nil
		case "e":
			return action{"set server " + full + " state ready", full + " is ready for connections again"}, nil
		}
	case frontend:
		switch name {
		case "d":
			return action{"disable frontend " + escape.Replace(r.proxy), r.proxy + " stops listening; its connections stay"}, nil
		case "e":
			return action{"enable frontend " + escape.Replace(r.proxy), r.proxy + " listens again"}, nil
		}
		return action{}, fmt.Errorf("a frontend can be disabled and enabled only")
	}
	return action{}, fmt.Errorf("choose a server or a frontend: a %s has no state of its own", map[kind]string{backend: "backend", listener: "listener"}[r.kind])
}

// propose asks whether the key's action is meant, unless it cannot be carried out.
func (m *model) propose(name string) {
	r := m.chosen()
	if r == nil {
		return
	}
	if level := m.sample.level; level != "" && level != "admin" {
		m.say(fmt.Sprintf("Not allowed: this socket has the level '%s', and changes need 'admin'.", level), true)
		return
	}
	if name == "w" {
		if r.kind != server {
			m.say("Only a server has a weight.", true)
			return
		}
		m.mode, m.input = weighing, ""
		return
	}
	a, err := actionFor(name, r)
	if err != nil {
		m.say("Nothing to do: "+err.Error()+".", true)
		return
	}
	m.mode, m.pending = confirming, &a
}

// weigh takes the typed weight.
func (m *model) weigh() {
	r, weight := m.chosen(), m.input
	m.mode, m.input = looking, ""
	digits := strings.TrimSuffix(weight, "%")
	if r == nil || digits == "" || strings.Trim(digits, "0123456789") != "" {
		m.say("A weight is a number from 0 to 256, or a percentage of the configured one, such as 50%.", true)
		return
	}
	full := escape.Replace(r.proxy + "/" + r.key.name)
	m.mode, m.pending = confirming, &action{"set weight " + full + " " + weight, full + " gets the weight " + weight}
}

// decide carries the pending action out, or not.
func (m *model) decide(name string) tea.Cmd {
	switch name {
	case "y", "Y":
		a, source := *m.pending, m.source
		m.mode, m.pending = looking, nil
		m.say("Sent: "+a.command, false)
		return func() tea.Msg {
			answer, err := source.Do(a.command)
			return done{a, answer, err}
		}
	case "n", "N", "esc", "q":
		m.mode, m.pending = looking, nil
		m.say("Nothing was sent.", false)
	}
	return nil
}

// tell shows what came of an action.
func (m *model) tell(d done) {
	switch {
	case d.failure != nil:
		m.say(fmt.Sprintf("%s: %v", d.action.command, d.failure), true)
	case d.answer != "":
		m.say(fmt.Sprintf("%s: it answers '%s'", d.action.command, firstOf(d.answer)), true)
	default:
		m.say("Done: "+d.action.what+".", false)
	}
}

func firstOf(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
