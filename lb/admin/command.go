package admin

import (
	"slices"
	"sort"
	"strings"
)

// command is one entry of the table.
type command struct {
	name  string // its first words
	usage string // the rest
	help  string
	level Level // the least that may run it
	run   func(s *session, arguments []string)
}

func (c *command) syntax() string { return strings.TrimSpace(c.name + " " + c.usage) }

// commands in the order of the list, which is that of their names; what belongs to the connection itself comes last.
var commands []*command

func init() { // it is used by what it lists
	commands = slices.Concat(listings(), changes())
	sort.SliceStable(commands, func(i, j int) bool { return commands[i].name < commands[j].name })
	commands = append(commands,
		&command{"help", "[<command>]", "list the commands, or those that begin like this", User, (*session).help},
		&command{"prompt", "[timed]", "switch between one line and a dialogue", User, (*session).togglePrompt},
		&command{"quit", "", "end the connection", User, func(s *session, _ []string) { s.quit = true }})
}

// find gives the command whose name is the beginning of words, the longest of several, and the words behind its name.
func find(words []string) (*command, []string) {
	var best *command
	length := 0
	for _, c := range commands {
		name := strings.Fields(c.name)
		if len(name) > length && len(name) <= len(words) && slices.Equal(name, words[:len(name)]) {
			best, length = c, len(name)
		}
	}
	return best, words[length:]
}

func (s *session) help(arguments []string) {
	if len(arguments) == 0 {
		s.answer.printf("The following commands are valid at this level:\n")
		s.list(nil)
		return
	}
	near := resembling(arguments)
	if len(near) == 0 {
		s.answer.printf("No command begins like this. These are valid at this level:\n")
	} else {
		s.answer.printf("The following commands are valid at this level:\n")
	}
	s.list(near)
}

// unknown answers to what is no command: with those that begin with the same words, or else with all.
func (s *session) unknown(words []string) {
	near := resembling(words)
	if len(near) == 0 {
		s.answer.message(severityInfo, "Unknown command. Please enter one of the following commands only:")
	} else {
		s.answer.message(severityInfo, "Unknown command, but these begin alike:")
	}
	s.list(near)
}

// resembling gives the commands that share the most of their first words with the given ones, one at least.
func resembling(words []string) []*command {
	var near []*command
	most := 1
	for _, c := range commands {
		name, common := strings.Fields(c.name), 0
		for common < len(name) && common < len(words) && name[common] == words[common] {
			common++
		}
		if common < len(words) && common < len(name) && words[common] != "" && strings.HasPrefix(name[common], words[common]) {
			common++
		}
		if common > most {
			near, most = nil, common
		}
		if common == most {
			near = append(near, c)
		}
	}
	return near
}

// helpColumn is where the explanations begin.
const helpColumn = 41

// list shows commands, as far as the level allows them; nil: all.
func (s *session) list(some []*command) {
	if some == nil {
		some = commands
	}
	for _, c := range some {
		if c.level <= s.level {
			s.answer.printf("  %-*s: %s\n", helpColumn-1, c.syntax(), c.help)
		}
	}
}

func (s *session) togglePrompt(arguments []string) {
	switch {
	case len(arguments) > 0 && arguments[0] == "timed":
		s.prompt, s.timed = true, !s.timed
	case len(arguments) > 0:
		s.answer.fail("'prompt' takes nothing, or 'timed'.")
	default:
		s.prompt = !s.prompt
	}
}
