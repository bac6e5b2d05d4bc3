package config

// parseHTTPSend reads "http-check send".
func parseHTTPSend(s *statement) {
	r := &CheckRule{Action: ActionSend, Send: &CheckRuleSend{}}
	for i := 0; i < len(s.args); i += 2 {
		word, value := s.text(i), s.text(i+1)
		switch word {
		case "meth", "uri", "uri-lf", "ver", "hdr", "body", "body-lf", "comment":
		default:
			s.unknownWord(word, "meth", "uri", "uri-lf", "ver", "hdr", "body", "body-lf", "comment")
			return
		}
		if value == "" {
			s.alert("'%s' needs an argument", word)
			return
		}
		if word == "hdr" {
			i++
			if s.text(i+1) == "" {
				s.alert("'hdr' needs a name and a value")
				return
			}
		}
		if !s.requestPart(r, word, value, s.text(i+1)) {
			return
		}
	}
	s.addRule(r)
}

// requestPart fills one part of a request in. header is the value of a "hdr".
func (s *statement) requestPart(r *CheckRule, word, value, header string) bool {
	q := r.Send
	switch word {
	case "comment":
		r.Comment = value
	case "meth":
		q.Method = value
		return s.validRequestWord("method", value)
	case "uri":
		q.URI, q.URIFormat = value, ""
		return s.validRequestWord("URI", value)
	case "uri-lf":
		q.URI, q.URIFormat = "", value
		return s.validFormat(value, false) && s.validRequestWord("URI", value)
	case "ver":
		q.Version = value
		return s.validVersion(value)
	case "body":
		q.Body, q.BodyFormat = value, ""
	case "body-lf":
		q.Body, q.BodyFormat = "", value
		return s.validFormat(value, false)
	case "hdr":
		for _, c := range []byte(value) {
			if c <= ' ' || c >= 0x7f || c == ':' {
				s.alert("'%s' is not the name of a header", value)
				return false
			}
		}
		for _, c := range []byte(header) {
			if c < ' ' && c != '\t' || c == 0x7f {
				s.alert("the value of header '%s' holds a control character", value)
				return false
			}
		}
		q.Headers = append(q.Headers, CheckHeader{value, header})
		return s.validFormat(header, false)
	}
	return true
}

// words gives the arguments of a rule, behind its name.
func (r *CheckRule) words(kind CheckKind) (name string, words []string) {
	switch r.Action {
	case ActionConnect:
		name, words = "connect", r.Connect.words()
	case ActionSend:
		name, words = r.Send.words(kind)
	case ActionExpect:
		name, words = "expect", r.Expect.words()
	case ActionComment:
		return "comment", []string{r.Comment}
	case ActionUnsetVar:
		return "unset-var(" + r.Variable + ")", nil
	case ActionSetVar:
		name = "set-var"
		if r.Format {
			name = "set-var-fmt"
		}
		name += "(" + r.Variable
		for _, c := range r.Conditions {
			name += "," + c
		}
		return name + ")", []string{r.Expression}
	}
	if r.Comment != "" && r.Action == ActionExpect {
		words = append([]string{"comment", r.Comment}, words...)
	} else if r.Comment != "" {
		words = append(words, "comment", r.Comment)
	}
	return name, words
}

func (c *CheckRuleConnect) words() []string {
	var w []string
	flag := func(name string, on bool) {
		if on {
			w = append(w, name)
		}
	}
	flag("default", c.Default)
	if c.Port != "" {
		w = append(w, "port", c.Port)
	}
	if c.Address != nil {
		w = append(w, "addr", c.Address.String())
	}
	flag("send-proxy", c.SendProxy)
	flag("via-socks4", c.ViaSOCKS4)
	flag("linger", c.Linger)
	return w
}

const hexDigits = "0123456789abcdef"

func hexText(b []byte) string {
	text := make([]byte, 0, 2*len(b))
	for _, c := range b {
		text = append(text, hexDigits[c>>4], hexDigits[c&15])
	}
	return string(text)
}

// words chooses "send" for text, and "send-binary" for what a file cannot hold as text.
func (q *CheckRuleSend) words(kind CheckKind) (string, []string) {
	if kind == CheckHTTP {
		return "send", q.requestWords()
	}
	switch {
	case q.Format != "" && q.Hex:
		return "send-binary-lf", []string{q.Format}
	case q.Format != "":
		return "send-lf", []string{q.Format}
	}
	for _, c := range q.Data {
		if c == 0 || c >= 0x7f || c < ' ' && c != '\r' && c != '\n' && c != '\t' {
			return "send-binary", []string{hexText(q.Data)}
		}
	}
	return "send", []string{string(q.Data)}
}

func (q *CheckRuleSend) requestWords() []string {
	var w []string
	for _, part := range [][2]string{{"meth", q.Method}, {"uri", q.URI}, {"uri-lf", q.URIFormat}, {"ver", q.Version}} {
		if part[1] != "" {
			w = append(w, part[0], part[1])
		}
	}
	for _, h := range q.Headers {
		w = append(w, "hdr", h.Name, h.Value)
	}
	for _, part := range [][2]string{{"body", q.Body}, {"body-lf", q.BodyFormat}} {
		if part[1] != "" {
			w = append(w, part[0], part[1])
		}
	}
	return w
}
