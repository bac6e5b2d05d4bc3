package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-lb/sluice/lb/admin"
)

// actions are what can be done to servers, under the names that HAProxy's page has for them, as commands of the runtime command
// line; % is the server.
var actions = map[string]string{
	"ready": "set server % state ready", "drain": "set server % state drain", "maint": "set server % state maint",
	"hrunn": "set server % health up", "hnolb": "set server % health stopping", "hdown": "set server % health down",
	"ehlth": "enable health %", "dhlth": "disable health %",
	"arunn": "set server % agent up", "adown": "set server % agent down",
	"eagent": "enable agent %", "dagent": "disable agent %",
	"shutdown": "shutdown sessions server %",
}

// TokenHeader is where a change carries its token. A form of another page cannot set it, and its script must ask first.
const TokenHeader = "X-Sluice-Token"

// mostBody bounds the body of a change, in bytes: the names of some ten thousand servers.
const mostBody = 1 << 20

// result is what became of one server's change.
type result struct {
	Server string `json:"server"` // backend/server
	OK     bool   `json:"ok"`
	Text   string `json:"text,omitempty"` // what the command answered
}

// change carries an action out: the form's fields are "action" and one "s" for each server, "backend/server".
func (s *Site) change(w http.ResponseWriter, r *http.Request, v visitor) {
	refuse := func(code int, why string) {
		w.Header().Set("Connection", "close")
		text(w, code, why+"\n")
	}
	if !v.admin {
		refuse(http.StatusForbidden, "This page may only be looked at.")
		return
	}
	if err := s.origin.Check(r); err != nil || !s.token.valid(v.user, r.Header.Get(TokenHeader)) {
		s.forged.Add(1)
		s.options.Say(true, fmt.Sprintf("Statistics page: refused a change that did not come from the page (client %s, origin %s).", v, quoteHeader(r.Header.Get("Origin"))))
		refuse(http.StatusForbidden, "This change did not come from the page.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, mostBody)
	if err := r.ParseForm(); err != nil {
		refuse(http.StatusBadRequest, "The request cannot be read.")
		return
	}
	command, known := actions[r.PostForm.Get("action")]
	servers := r.PostForm["s"]
	if !known || len(servers) == 0 {
		refuse(http.StatusBadRequest, "There is no such action, or no server to do it to.")
		return
	}
	results := make([]result, 0, len(servers))
	for _, name := range servers {
		results = append(results, s.do(v, command, name))
	}
	s.data.forget()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(results)
}

// do changes one server.
func (s *Site) do(v visitor, command, name string) result {
	backend, _, _ := strings.Cut(name, "/")
	if len(s.page.Scope) > 0 && !slices.Contains(s.page.Scope, backend) {
		return result{name, false, "No such backend."}
	}
	words := strings.Fields(command)
	words[slices.Index(words, "%")] = name
	var answer bytes.Buffer
	s.options.CLI.Execute(&answer, admin.Admin, "number", words...)
	said := strings.TrimSpace(answer.String())
	failed := strings.HasPrefix(said, "[3]: ") // syslog's number of an error
	if _, after, marked := strings.Cut(said, "]: "); marked && said[0] == '[' {
		said = after
	}
	if !failed {
		s.options.Say(false, fmt.Sprintf("Statistics page: %s did '%s'.", v, strings.Join(words, " ")))
	}
	return result{name, !failed, said}
}

// String names a visitor, for logs.
func (v visitor) String() string {
	where := "a unix socket"
	if v.source.IsValid() {
		where = v.source.String()
	}
	if v.user == "" {
		return where
	}
	return fmt.Sprintf("%s@%s", v.user, where)
}

// quoteHeader makes something that a stranger wrote fit for a log line.
func quoteHeader(text string) string { return fmt.Sprintf("%.100q", text) }
