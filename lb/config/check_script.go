package config

import "slices"

// Script gives the steps of a check of kind CheckTCP or CheckHTTP, with what HAProxy adds to the lines: a connection at the
// start, the request of "option httpchk" where no line sends one first, and an answer of 200 to 399 after a last request.
// An http-check "send" has its method, URI and version filled in. A comment line is gone, and its text stands in the connect,
// send or expect that follows it, unless that has one of its own. Steps that stand in the file keep their Pos, added ones
// have that of the option. It is nil for other kinds.
func (h *HealthCheck) Script() []*CheckRule {
	if h.Kind != CheckTCP && h.Kind != CheckHTTP {
		return nil
	}
	rules := h.withoutComments()
	if h.Kind == CheckHTTP {
		rules = h.withRequest(rules)
		if last := rules[lastStep(rules)]; last.Action == ActionSend {
			expect := &CheckRuleExpect{Match: MatchStatus, Codes: [][2]int{{200, 399}}, MinRecv: -1}
			rules = append(rules, &CheckRule{Pos: h.Pos, Action: ActionExpect, Expect: expect})
		}
	}
	if first := nextStep(rules, 0); first == len(rules) || rules[first].Action != ActionConnect {
		connect := &CheckRule{Pos: h.Pos, Action: ActionConnect, Connect: &CheckRuleConnect{Default: true}}
		rules = slices.Insert(rules, 0, connect)
	}
	return rules
}

// withoutComments copies the rules, and gives each comment line's text to the step that it is about.
func (h *HealthCheck) withoutComments() []*CheckRule {
	var rules []*CheckRule
	comment := ""
	for _, rule := range h.Rules {
		step := *rule
		switch {
		case step.Action == ActionComment:
			comment = step.Comment
			continue
		case isStep(&step):
			if step.Comment == "" {
				step.Comment = comment
			}
			comment = ""
		}
		rules = append(rules, &step)
	}
	return rules
}

// withRequest joins the request of the option with the first "send", or puts it behind the first connection where an
// "expect" would come without a request. The rules are copies, their Sends are not.
func (h *HealthCheck) withRequest(rules []*CheckRule) []*CheckRule {
	request := CheckRuleSend{Method: h.Method, URI: h.URI, Version: h.Version}
	at := nextStep(rules, 0)
	if at < len(rules) && rules[at].Action == ActionConnect {
		at = nextStep(rules, at+1)
	}
	if at < len(rules) && rules[at].Action == ActionSend {
		rules[at].Send = request.with(rules[at].Send)
	} else {
		rules = slices.Insert(rules, at, &CheckRule{Pos: h.Pos, Action: ActionSend, Send: &request})
	}
	for _, rule := range rules {
		if rule.Action == ActionSend {
			rule.Send = standardRequest.with(rule.Send)
		}
	}
	return rules
}

// standardRequest is what a request says of which nothing is said.
var standardRequest = CheckRuleSend{Method: "OPTIONS", URI: "/", Version: "HTTP/1.0"}

// with gives a request in which what the other one says takes the place of what this one says.
func (s CheckRuleSend) with(other *CheckRuleSend) *CheckRuleSend {
	if other.Method != "" {
		s.Method = other.Method
	}
	if other.URI != "" || other.URIFormat != "" {
		s.URI, s.URIFormat = other.URI, other.URIFormat
	}
	if other.Version != "" {
		s.Version = other.Version
	}
	s.Headers, s.Body, s.BodyFormat = other.Headers, other.Body, other.BodyFormat
	return &s
}

// isStep tells a rule that talks to the server from one that does not.
func isStep(r *CheckRule) bool {
	return r.Action == ActionConnect || r.Action == ActionSend || r.Action == ActionExpect
}

// nextStep finds the first step from an index on, and lastStep the last one; the end and -1 stand for none.
func nextStep(rules []*CheckRule, from int) int {
	for from < len(rules) && !isStep(rules[from]) {
		from++
	}
	return from
}

func lastStep(rules []*CheckRule) int {
	for i, r := range slices.Backward(rules) {
		if isStep(r) {
			return i
		}
	}
	return -1
}
