package top

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

func TestOverview(t *testing.T) {
	p := play(t, "sluice", 160, 30)
	p.shows("sluice 0.1-dev on vm", "of 1000", "/run/test.sock, level admin", "queued 1", "loops 2  ")
	p.order("web (frontend)", "~pool (backend)", "~  a", "~  b", "!  gone", "DOWN", "L4CON", "db (frontend)", "db (backend)", "   two")
	p = play(t, "haproxy", 160, 30)
	p.shows("haproxy 2.6.12", "on lb7", "threads 2  idle 100%", "queued 1")
	p.order("web (frontend)", "pool (backend)", "  a", "L4OK")
}

// Rates are differences of counters between two looks, which are two seconds apart here.
func TestRates(t *testing.T) {
	p := play(t, "haproxy", 160, 30)
	k := key{"web", "FRONTEND"}
	if track := p.tracker.rows[k]; track.known || track.sessions != 5 {
		t.Errorf("first look: %+v", track)
	}
	p.shows("     -      -")
	p.source.change(t, "show stat", `^web,FRONTEND,,,5,5,9984,5,\d+,\d+`, "web,FRONTEND,,,5,5,9984,25,3000,5000000")
	p.tick()
	if track := p.tracker.rows[k]; !track.known || track.sessions != 10 || track.in != 1500 || track.out != 2.5e6 {
		t.Errorf("second look: %+v", track)
	}
	p.shows("in 1.50kB/s  out 2.50MB/s", "2.50M")
	p.source.change(t, "show stat", `^web,FRONTEND,,,5,5,9984,25,3000`, "web,FRONTEND,,,5,5,9984,1,3000") // clear counters all
	p.tick()
	if track := p.tracker.rows[k]; track.sessions != 0 {
		t.Errorf("after clearing: %+v", track)
	}
	if got := spark(p.tracker.rows[k].history, 5); got != "  ▄█ " {
		t.Errorf("history %q", got)
	}
}

// A process that goes is told of, what was seen stays, and the next process is noticed.
func TestRestart(t *testing.T) {
	p := play(t, "sluice", 160, 30)
	p.tick()
	p.source.failure = errGone
	p.tick()
	p.shows("No answer: dial unix /run/test.sock", "Trying again", "pool (backend)")
	p.source.failure = nil
	p.source.change(t, "show info", `^Pid: \d+`, "Pid: 4242")
	p.tick()
	p.hides("No answer")
	p.shows("process 4242", "The process was restarted")
	if track := p.tracker.rows[key{"web", "FRONTEND"}]; track.known || len(track.history) != 1 {
		t.Errorf("rates go over the restart: %+v", track)
	}
	p.tick()
	if !p.tracker.rows[key{"web", "FRONTEND"}].known {
		t.Error("no rates after the restart")
	}
}

// An alarm or an answer of an earlier look does not begin a second series of looks.
func TestOneSeriesOfLooks(t *testing.T) {
	p := play(t, "sluice", 160, 30)
	before := p.generation
	p.send(alarm{before - 1})
	p.send(seen{generation: before - 1, failure: errGone})
	if p.generation != before || p.failure != nil {
		t.Error("an earlier look is heeded")
	}
	p.keys("space")
	p.shows("PAUSED")
	p.tick()
	if p.generation != before {
		t.Error("it looks while paused")
	}
	p.keys("space")
	p.tick()
	if p.generation != before+1 {
		t.Error("it does not look any more")
	}
}

func TestSortAndFilter(t *testing.T) {
	p := play(t, "sluice", 160, 30)
	p.keys("s") // by status: problems first
	p.order("STATUS↓", "!pool/gone", "pool (backend)", "web (frontend)")
	p.keys("R")
	p.order("STATUS↑", "web (frontend)", "!pool/gone")
	p.keys("R", "S", "p")
	p.shows("!pool/gone", "~pool/a", "with problems")
	p.hides("db (frontend)", "web (frontend)")
	p.keys("p", "/", "G", "O", "N", "E", "enter")
	p.shows("!pool/gone", "1 rows: everything with 'GONE'")
	p.hides("pool (backend)")
	p.keys("/", "x")
	p.shows("Filter: GONEx_", "nothing to show")
	p.keys("backspace", "enter", "esc")
	p.shows("db (frontend)")
	p.keys("tab")
	p.hides("pool/a")
	p.shows("frontends and backends")
	p.keys("tab")
	p.shows("pool/a", "db/two")
	p.hides("(backend)")
	if p.keys("q"); !p.ended {
		t.Error("q does not end it")
	}
}

// The cursor stays on its row when the order changes, and near its place when the row goes.
func TestCursor(t *testing.T) {
	p := play(t, "sluice", 160, 30)
	p.keys("end")
	want := key{"db", "two"}
	if p.cursor != want {
		t.Fatalf("the cursor is on %v", p.cursor)
	}
	p.keys("R")
	if p.cursor != want || p.index != 0 {
		t.Errorf("on %v, line %d", p.cursor, p.index)
	}
	p.keys("R")
	p.source.change(t, "show stat", `^db,two,.*\n`, "")
	p.tick()
	if p.cursor != (key{"db", "one"}) {
		t.Errorf("on %v after its row went", p.cursor)
	}
	p.send(tea.WindowSizeMsg{Width: 80, Height: 8})
	if lines := p.lines(); p.first+p.room() < len(lines) || p.index < p.first {
		t.Errorf("line %d is not among the %d from %d on", p.index, p.room(), p.first)
	}
	p.keys("home")
	if p.first != 0 || p.index != 0 {
		t.Errorf("line %d, from %d on", p.index, p.first)
	}
}

func TestLookInto(t *testing.T) {
	p := play(t, "sluice", 160, 40)
	p.keys("down", "enter")
	p.shows("pool  UP for", "balance leastconn", "queue: 1 now, ", "~  a")
	p.hides("db (frontend)")
	p.keys("f")
	p.order("FLOW", "CLIENT", "STAGE", "127.0.0.1:", "forwarding")
	p.shows("queued")
	p.keys("down", "down", "enter")
	p.shows("pool/b  UP", "at 127.0.0.1:28122", "check L4OK", "limit 2")
	p.keys("esc", "esc")
	p.shows("db (frontend)")
	p.hides("balance leastconn")
	if p.cursor != (key{"pool", "BACKEND"}) {
		t.Errorf("back on %v", p.cursor)
	}
	p.source.change(t, "show stat", `^pool,.*\n`, "")
	p.tick()
	if p.cursor.proxy == "pool" {
		t.Error("the cursor is on a row that went")
	}
	p = play(t, "sluice", 160, 40)
	p.keys("down", "enter")
	p.source.change(t, "show stat", `^pool,.*\n`, "")
	p.tick()
	p.shows("pool is not there any more")
}

// What is typed, what is asked, what is sent, and what is said of the answer.
func TestActions(t *testing.T) {
	for _, test := range []struct {
		name        string
		level       string
		keys        string // up to the question
		asked, sent string
		answer      string
		said        string
	}{
		{"maintenance", "admin", "down down d", "pool/a goes into maintenance", "set server pool/a state maint", "", "Done: pool/a goes into maintenance"},
		{"drain", "admin", "down down D", "Send 'set server pool/a state drain'?", "set server pool/a state drain", "", "Done: pool/a drains"},
		{"ready", "admin", "down down e", "pool/a is ready", "set server pool/a state ready", "", "Done: pool/a is ready"},
		{"weight", "admin", "down down w 5 0 % enter", "Send 'set weight pool/a 50%'?", "set weight pool/a 50%", "", "Done: pool/a gets the weight 50%"},
		{"frontend", "admin", "d", "Send 'disable frontend web'?", "disable frontend web", "", "Done: web stops listening"},
		{"refused", "admin", "down down d", "Send", "set server pool/a state maint", "Permission denied\n", "answers 'Permission denied'"},
		{"from within the server", "admin", "down down enter d", "Send", "set server pool/a state maint", "", "Done"},
		{"operator", "operator", "down down d", "this socket has the level 'operator'", "", "", ""},
		{"user", "user", "down down w", "this socket has the level 'user'", "", "", ""},
		{"unknown level", "what?", "down down d", "Send", "set server pool/a state maint", "Permission denied\n", "answers 'Permission denied'"},
		{"backend", "admin", "down d", "choose a server or a frontend", "", "", ""},
		{"drained frontend", "admin", "D", "can be disabled and enabled only", "", "", ""},
		{"weight of a backend", "admin", "down w", "Only a server has a weight", "", "", ""},
		{"no weight", "admin", "down down w % enter", "A weight is a number", "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := play(t, "sluice", 200, 30)
			p.source.answers["show cli level"] = test.level + "\n"
			p.source.answer = test.answer
			p.tick()
			p.keys(strings.Fields(test.keys)...)
			p.shows(test.asked)
			if len(p.source.sent) > 0 {
				t.Fatalf("sent %q unasked", p.source.sent)
			}
			if test.sent == "" {
				if p.keys("y"); len(p.source.sent) > 0 {
					t.Errorf("sent %q", p.source.sent)
				}
				return
			}
			p.keys("x", "enter") // neither yes nor no
			p.shows("Send")
			p.keys("y")
			if len(p.source.sent) != 1 || p.source.sent[0] != test.sent {
				t.Errorf("sent %q, want %q", p.source.sent, test.sent)
			}
			p.shows(test.said)
		})
	}
}

// A question that is answered with no sends nothing.
func TestNo(t *testing.T) {
	for _, no := range []string{"n", "esc", "q"} {
		p := play(t, "sluice", 200, 30)
		p.keys("d", no)
		p.shows("Nothing was sent")
		if p.keys("y"); len(p.source.sent) > 0 || p.ended {
			t.Errorf("%s: sent %q, ended %v", no, p.source.sent, p.ended)
		}
	}
}

// Names come from elsewhere: they neither move the cursor nor end a command.
func TestNamesAreHarmless(t *testing.T) {
	p := play(t, "sluice", 200, 30)
	p.source.change(t, "show stat", `^pool,a,`, "pool,a;\x1b[2J b,")
	p.tick()
	p.hides("\x1b")
	p.keys("down", "down", "d", "y")
	if want := "set server pool/a\\;\x1b[2J\\ b state maint"; len(p.source.sent) != 1 || p.source.sent[0] != want {
		t.Errorf("sent %q, want %q", p.source.sent, want)
	}
}

// Each of a few loops has a bar; many have a character each.
func TestLoops(t *testing.T) {
	p := play(t, "sluice", 160, 30)
	before := "# loop flows accepted turns events busy_ms wait_ms busy_pct longest_gap_us\n1 3 4 5 6 0 0 0 100\n2 3 4 5 6 0 0 0 20500\n"
	p.source.answers["show loops"] = before
	p.tick()
	p.source.answers["show loops"] = strings.NewReplacer("6 0 0 0 100", "6 500 500 0 100", "6 0 0 0 20500", "6 0 1000 0 20500").Replace(before)
	p.tick()
	p.shows("loops 2  1 [|||   ] 50%  2 [      ]  0% busy  longest turn 20.5ms")
	for _, busy := range []string{"0", "250"} {
		text, _, _ := strings.Cut(before, "1 3")
		for i := range 8 {
			text += fmt.Sprintf("%d 1 1 1 1 %s 1000 0 7\n", i+1, busy)
		}
		p.source.answers["show loops"] = text
		p.tick()
	}
	p.shows("loops 8  ████████  100% busy on average, 100% the busiest")
}

// What a look at five thousand servers costs: reading, sorting and drawing.
func BenchmarkFiveThousandServers(b *testing.B) {
	data, err := os.ReadFile("testdata/sluice.txt")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "### show stat\n")
	text, _, _ := strings.Cut(rest, "\n\n")
	heading, rows, _ := strings.Cut(text, "\n")
	_, one, _ := strings.Cut(rows, "\npool,a,")
	one, _, _ = strings.Cut(one, "\n")
	var all strings.Builder
	all.WriteString(heading + "\n")
	for i := range 5000 {
		fmt.Fprintf(&all, "pool,server%d,%s\n", i, one)
	}
	m := newModel(nil, "x", time.Second, selection{sort: 12}, colours())
	for b.Loop() {
		s, err := newSample(time.Now(), []string{"Pid: 1\nName: sluice\n", all.String(), "admin"})
		if err != nil || len(s.rows) != 5000 {
			b.Fatal(err)
		}
		m.take(seen{sample: s})
		m.picture()
	}
}
