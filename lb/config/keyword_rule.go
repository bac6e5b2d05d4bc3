package config

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Limits of the queue's priorities, as HAProxy has them.
const (
	maxPriorityClass  = 2047   // and as much below zero
	maxPriorityOffset = 524287 // ms, about 8 minutes and 44 seconds
)

// ruleKeywords are rules that are applied to each connection. As long as rules have no conditions each says what holds for all
// connections of its proxy, and the last one wins.
func ruleKeywords() []Keyword {
	return []Keyword{
		{Name: "tcp-request content", Sections: inRuns, Syntax: "{ set-priority-class | set-priority-offset } int(<number>)", Unit: "ms of an offset", Default: "class 0, offset 0",
			Summary: "The place of the proxy's connections in a queue for servers. Those of a lower class (-2047 to 2047) come first; within a class, the offset (-524287 to 524287) " +
				"is added to the time of arrival. A backend's rule overrides a frontend's, and a later one an earlier. There are no conditions yet: give each class a `bind` in a `frontend` of its own.",
			Example: "tcp-request content set-priority-class int(-1)", minimum: 1, maximum: -1, strict: true, behaviour: behaviour{parse: parseContentRule, print: printContentRules}},
	}
}

// priorityOf gives the field that an action sets, and the most that it may hold.
func (p *Proxy) priorityOf(action string) (field **int, limit int) {
	switch action {
	case "set-priority-class":
		return &p.PriorityClass, maxPriorityClass
	case "set-priority-offset":
		return &p.PriorityOffset, maxPriorityOffset
	}
	return nil, 0
}

// priorityActions are what "tcp-request content" can do here.
var priorityActions = []string{"set-priority-class", "set-priority-offset"}

// contentActions are what else it can do in HAProxy up to 3.2; some have arguments in parentheses.
var contentActions = []string{"accept", "reject", "capture", "do-resolve", "expect-netscaler-cip", "expect-proxy", "ot-group", "sc-add-gpc", "sc-inc-gpc",
	"sc-inc-gpc0", "sc-inc-gpc1", "sc-set-gpt", "sc-set-gpt0", "send-spoe-group", "set-bandwidth-limit", "set-bc-mark", "set-bc-tos", "set-dst",
	"set-dst-port", "set-fc-mark", "set-fc-tos", "set-log-level", "set-mark", "set-nice", "set-retries", "set-src", "set-src-port", "set-tos", "set-var",
	"set-var-fmt", "silent-drop", "switch-mode", "track-sc0", "track-sc1", "track-sc2", "unset-var", "use-service"}

func parseContentRule(s *statement) {
	action := s.text(0)
	field, limit := s.proxy.priorityOf(action)
	if field == nil {
		if name, _, _ := strings.Cut(action, "("); slices.Contains(contentActions, name) {
			s.alert("'%s' %s, only %s are", action, notYet, quoteAll(priorityActions))
		} else {
			s.one(0, priorityActions...)
		}
		return
	}
	if len(s.args) < 2 {
		s.alert("%s expects int(<number>)", action)
		return
	}
	n, err := constant(s.text(1))
	if err != nil {
		s.alert("%s expects int(<number>), not '%s': %v", action, s.text(1), err)
		return
	}
	if len(s.args) > 2 {
		if word := s.text(2); word == "if" || word == "unless" {
			s.alert("%s with a condition %s: give each class a 'frontend' of its own", action, notYet)
		} else {
			s.alert("%s has an unexpected argument '%s' after '%s'", action, word, s.text(1))
		}
		return
	}
	if cut := max(-int64(limit), min(n, int64(limit))); cut != n {
		s.warn("%s is from %d to %d: %d is taken for %d", action, -limit, limit, n, cut)
		n = cut
	}
	value := int(n)
	*field = &value
}

// constant reads the one sample expression that needs no connection to look at: "int(N)", with what HAProxy takes for N.
func constant(text string) (int64, error) {
	inner, ok := strings.CutPrefix(text, "int(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !ok || !closed {
		return 0, errors.New("other expressions are not supported yet")
	}
	n, err := strconv.ParseInt(inner, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range it is the nearest, which is then cut
		return 0, errors.New("'" + inner + "' is not a whole number")
	}
	return n, nil
}

func printContentRules(p *printer) {
	for _, action := range priorityActions {
		if field, _ := p.proxy.priorityOf(action); *field != nil {
			p.write(action, "int("+strconv.Itoa(**field)+")")
		}
	}
}
