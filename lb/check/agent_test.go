package check

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
)

// The vocabulary, one word after the other. Texts are those that HAProxy gives in "last_agt".
func TestParseAgent(t *testing.T) {
	type report = backend.AgentReport
	for _, test := range []struct {
		line   string
		want   report // Weight and MaxConn: 0 stands for -1, -1 for 0
		status backend.CheckStatus
		text   string
	}{
		{"75%", report{Weight: 75, Percent: true}, backend.CheckNoted, ""},
		{"0%", report{Weight: -1, Percent: true}, backend.CheckNoted, ""},
		{"200%", report{Weight: 200, Percent: true}, backend.CheckNoted, ""},
		{"maxconn:30", report{MaxConn: 30}, backend.CheckNoted, ""},
		{"MAXCONN:5", report{MaxConn: 5}, backend.CheckNoted, ""},
		{"ready", report{Admin: backend.AgentReady}, backend.CheckNoted, ""},
		{"drain", report{Admin: backend.AgentDrain}, backend.CheckNoted, ""},
		{"maint", report{Admin: backend.AgentMaint}, backend.CheckNoted, ""},
		{"ready drain", report{Admin: backend.AgentDrain}, backend.CheckNoted, ""},
		{"up", report{Health: backend.AgentUp}, backend.CheckL7OK, "via agent : up"},
		{"down", report{Health: backend.AgentDown}, backend.CheckL7Failed, "via agent : down"},
		{"fail", report{Health: backend.AgentFailed}, backend.CheckL7Failed, "via agent : fail"},
		{"stopped", report{Health: backend.AgentStopped}, backend.CheckL7Failed, "via agent : stopped"},
		{"up down", report{Health: backend.AgentDown}, backend.CheckL7Failed, "via agent : down"},
		{"fail #reason here", report{Health: backend.AgentFailed, Text: "reason here"}, backend.CheckL7Failed, "via agent : fail (reason here)"},
		{"down #", report{Health: backend.AgentDown}, backend.CheckL7Failed, "via agent : down"},
		{"up #expl", report{Health: backend.AgentUp, Text: "expl"}, backend.CheckL7OK, "via agent : up (expl)"},
		{"up,ready\t20% maxconn:30", report{Health: backend.AgentUp, Admin: backend.AgentReady, Weight: 20, Percent: true, MaxConn: 30}, backend.CheckL7OK, "via agent : up"},
		{"drain 30%", report{Admin: backend.AgentDrain, Weight: 30, Percent: true}, backend.CheckNoted, ""},
		{"", report{}, backend.CheckNoted, ""},
		{"garbage", report{}, backend.CheckNoted, "agent reports an error : garbage"},
		{"75% garbage", report{Weight: 75, Percent: true}, backend.CheckNoted, "agent reports an error : garbage"},
		{"down#why not", report{}, backend.CheckNoted, "agent reports an error : down#why"},
		{"100", report{}, backend.CheckNoted, "agent reports an error : 100"},
		{"x75%", report{}, backend.CheckNoted, "agent reports an error : x75%"},
		{"75x", report{}, backend.CheckNoted, "agent reports an error : 75x"},
		{"-5%", report{}, backend.CheckNoted, "agent reports an error : -5%"},
		{"maxconn:x", report{}, backend.CheckNoted, "agent reports an error : maxconn:x"},
	} {
		want := test.want
		for _, n := range []*int{&want.Weight, &want.MaxConn} {
			*n = map[int]int{0: -1, -1: 0}[*n] + min(max(*n, 0), 1)*(*n)
		}
		want.Result.Status, want.Result.Text = test.status, test.text
		if got := parseAgent(test.line); got != want {
			t.Errorf("%q\ngot  %+v\nwant %+v", test.line, got, want)
		}
	}
}

func TestAgentConversation(t *testing.T) {
	for _, test := range []struct {
		name  string
		agent func(testing.TB) int
		send  string
		want  string
	}{
		{"a line", says("75%\n"), "", "CHECKED/"},
		{"a line with CR", says("up\r\nmore"), "", "L7OK/0 via agent : up"},
		{"no line's end, but the end", says("up", "!"), "", "L7OK/0 via agent : up"},
		{"no line's end", says("up"), "", "L7TOUT/"},
		{"nothing", says("!"), "", "L7RSP/"},
		{"silence", silent, "", "L7TOUT/"},
		{"resets", says("<", "!!"), "hello\\n", "SOCKERR/ Connection reset by peer"},
		{"is asked first", says("<", "down\n"), "hello\\n", "L7STS/0 via agent : down"},
		{"refused", closedPort, "", "L4CON/ Connection refused"},
		{"no answer", silentPort, "", "L4TOUT/"},
		{"one byte after the other", does(drips("up and more and more", 100*time.Millisecond)), "", "L7TOUT/"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := ""
			if test.send != "" {
				args = "agent-send " + test.send
			}
			s := newBed(t, fmt.Sprintf("backend b\n  mode tcp\n  timeout connect 1s\n  timeout server 1s\n  server s 127.0.0.1:1 send-proxy agent-check agent-inter 250ms agent-port %d %s\n",
				test.agent(t), args), Options{}).servers["b"]
			told, got := 0, ""
			s.ask(s.conversation.Load(), s.agent, func(r backend.AgentReport) { told, got = told+1, shown(r.Result) })
			if got != test.want || told != 1 {
				t.Errorf("got %q (%d times), want %q", got, told, test.want)
			}
		})
	}
}
