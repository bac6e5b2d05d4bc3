package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The test binary is its own origins, and as root it runs in a network namespace of its own, as the tool does.
func TestMain(m *testing.M) {
	if child() {
		return
	}
	if !inside() && os.Geteuid() == 0 {
		os.Exit(enter())
	}
	os.Exit(m.Run())
}

// programs are sluice and, where it is installed, haproxy.
func programs(t *testing.T) (string, []kind) {
	t.Helper()
	if !inside() {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatal("would be skipped, which CI as root does not accept")
		}
		t.Skip("needs root: to make network namespaces")
	}
	dir := t.TempDir()
	sluice, err := build(dir)
	if err != nil {
		t.Fatal(err)
	}
	kinds := []kind{{"sluice", sluice}}
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		t.Fatalf("haproxy, which tools/setup installs: %v", err)
	}
	return dir, append(kinds, kind{"haproxy", haproxy})
}

// One kind of fault, few servers, a second or two: the logs say DOWN and UP when the arithmetic says so, and requests are lost
// only where there is no redispatch.
func TestFaultRun(t *testing.T) {
	dir, kinds := programs(t)
	p := plan{
		settings: settings{
			inter: 300 * time.Millisecond, fast: 200 * time.Millisecond, down: 200 * time.Millisecond, rise: 2, fall: 3,
			connect: 300 * time.Millisecond, check: 400 * time.Millisecond,
		},
		faults: faults[:1], each: 1, well: 2, rate: 100, retries: 2, grace: 4 * time.Second, hold: 1200 * time.Millisecond,
	}
	all := p.sides(kinds)
	if err := arrive(); err != nil {
		t.Fatal(err)
	}
	results, flaps, err := p.suffer(dir, kinds, all)
	if err := finish(all); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		r.count(all)
	}
	text, err := p.report(all, results, flaps)
	if err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	for _, r := range results {
		for k, s := range all {
			if lost := r.sides[k].tallies[1].lost; lost > 2 { // who was connected already when the process was killed
				t.Errorf("%s, %s: %d requests lost in spite of redispatch", s.name, r.name, lost)
			}
			if lost := r.sides[k].tallies[0].lost; lost == 0 {
				t.Errorf("%s, %s: no request lost without redispatch: was there a fault?", s.name, r.name)
			}
		}
	}
}

// A few steps of the comparison: no difference that has no explanation.
func TestComparison(t *testing.T) {
	dir, kinds := programs(t)
	var some []step
	for _, s := range script {
		switch s.what {
		case "web/a refuses", "web/a is back", "the agent says: drain", "the agent says: ready up":
			some = append(some, s)
		}
	}
	if len(some) != 4 {
		t.Fatalf("%d steps of the script are known here", len(some))
	}
	text, err := comparison(dir, kinds, some)
	if err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	for _, want := range []string{"Server follow/b is DOWN via follow/a.", "Backup Server agent/b enters drain state via agent/a.", "backend gone has no server available!"} {
		if !strings.Contains(text, want) {
			t.Errorf("not logged: %s\n%s", want, text)
		}
	}
}

func TestAlign(t *testing.T) {
	began := time.Now()
	log := func(texts ...string) (lines []line) {
		for i, text := range texts {
			lines = append(lines, line{at: began.Add(time.Duration(i) * time.Second), severity: 5, text: text})
		}
		return lines
	}
	for _, test := range []struct {
		one, two []line
		want     string
	}{
		{log("a", "b"), log("a", "b"), "a 0.0 0.0; b 1.0 1.0"},
		{log("a", "b"), log("b"), "a 0.0 –; b 1.0 0.0"},
		{log("a"), nil, "a 0.0 –"},
		{nil, log("a"), "a – 0.0"},
		{log("a", "b"), log("b", "a"), "a 0.0 –; b 1.0 0.0; a – 1.0"},
		{log("a", "x", "c"), log("a", "y", "c"), "a 0.0 0.0; x 1.0 –; y – 1.0; c 2.0 2.0"},
		{log("in check duration: 17ms."), log("in check duration: 3ms."), "in check duration: Nms. 0.0 0.0"},
		{
			log("127.0.0.3:4 [22/Nov/2026:19:00:00.000] f b/s 0/0/7 5 D- 1/1/0/0/0 0/0"),
			log("127.0.0.9:5 [22/Nov/2026:19:00:00.100] f b/s 0/1/8 9 D- 2/2/1/0/0 0/0"), "a client: f b/s D- 0.0 0.0",
		},
	} {
		var rows []string
		for _, r := range align(began, test.one, test.two) {
			rows = append(rows, strings.TrimPrefix(r.text, "notice|")+" "+strings.Join(r.at, " "))
		}
		if got := strings.Join(rows, "; "); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

// A difference that nobody has explained is an error, another severity is a difference, and an explanation is numbered once.
func TestCompareMoments(t *testing.T) {
	began := time.Now()
	one := line{began, 1, "Server web/a is DOWN"}
	two := line{began, 5, "Server web/a is DOWN"}
	byAgent := line{began, 5, "Server agent/a is UP, reason: Layer7 check passed, code: 0"}
	byCheck := line{began, 5, "Server agent/a is UP, reason: Layer4 check passed"}
	kinds := []kind{{"one", ""}, {"two", ""}}
	if text, err := compareMoments(kinds, []moment{{"same", began, [][]line{{one}, {one}}}, {"none", began, [][]line{nil, nil}}}); err != nil ||
		!strings.HasPrefix(text, "1 lines are the same") || !strings.Contains(text, "nothing, by either") {
		t.Errorf("%v\n%s", err, text)
	}
	text, err := compareMoments(kinds, []moment{{"other", began, [][]line{{one, byAgent}, {two}}}})
	if err == nil || strings.Count(err.Error(), "not explained") != 3 || !strings.Contains(text, "3 are in one of them only") {
		t.Errorf("%v\n%s", err, text)
	}
	if text, err = compareMoments(kinds, []moment{{"known", began, [][]line{{byAgent}, {byCheck}}}}); err != nil || strings.Count(text, "\n1. ") != 1 || strings.Contains(text, "\n2. ") {
		t.Errorf("%v\n%s", err, text)
	}
	if text, err = compareMoments(kinds, []moment{{"lost", began, [][]line{{byAgent}, nil}}}); err == nil {
		t.Errorf("a line that the other does not have at all is explained:\n%s", text)
	}
}

func TestArithmetic(t *testing.T) {
	s := wholeRun.settings // 1s, 250ms, 500ms, rise 2, fall 3
	for _, test := range []struct {
		got  span
		want string
	}{
		{s.untilDown(0), "0.50–1.50"},
		{s.untilDown(byAnswer(s)), "2.30–3.30"},
		{s.untilDown(byConnect(s)), "1.70–2.70"},
		{s.untilUp(0), "0.25–0.75"},
		{s.untilUp(byAnswer(s)), "0.25–1.35"},
	} {
		if test.got.String() != test.want {
			t.Errorf("got %v, want %s", test.got, test.want)
		}
	}
	down := s.untilDown(0)
	for d, want := range map[time.Duration]bool{
		down.least - time.Second/2: false, down.least: true, down.most + time.Second: true, down.most + 2*time.Second: false,
	} {
		if down.holds(d, time.Second) != want {
			t.Errorf("%v within %v: %v", d, down, !want)
		}
	}
}

func TestTally(t *testing.T) {
	at := time.Now()
	l := load{requests: []request{
		{at.Add(-1), 0, false}, {at, 0, true}, {at, 2 * late, true}, {at, 2 * late, false}, {at.Add(time.Second), 0, false},
	}}
	if got, want := l.between(at, at.Add(time.Second)), (tally{all: 3, lost: 1, late: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// What is out of its bounds fails the run, and the table is there nevertheless.
func TestReportTellsWhatIsWrong(t *testing.T) {
	p := plan{settings: wholeRun.settings, faults: faults[:1], each: 1, rate: 1, grace: time.Second}
	all := p.sides([]kind{{"sluice", ""}})
	all[0].program = &program{kind: kind{"sluice", ""}}
	good := outcome{down: []time.Duration{time.Second}, up: []time.Duration{time.Second / 2}, tallies: [2]tally{{all: 1}, {all: 1}}}
	for name, test := range map[string]struct {
		spoil func(*outcome)
		want  string
	}{
		"nothing":     {func(o *outcome) {}, ""},
		"late":        {func(o *outcome) { o.down[0] = 9 * time.Second }, "DOWN after 9.00 s"},
		"early":       {func(o *outcome) { o.up[0] = 0 }, "UP after 0.00 s"},
		"missing":     {func(o *outcome) { o.down, o.missing = nil, []string{"Server x"} }, "never said"},
		"other":       {func(o *outcome) { o.wrong = []string{"Layer7"} }, "not 'Layer4"},
		"no requests": {func(o *outcome) { o.tallies[1].all = 0 }, "no requests"},
	} {
		o := good
		o.down, o.up = append([]time.Duration(nil), good.down...), append([]time.Duration(nil), good.up...)
		test.spoil(&o)
		text, err := p.report(all, []*result{{fault: faults[0], sides: []outcome{o}}}, nil)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) || !strings.Contains(text, faults[0].name) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

func TestFilled(t *testing.T) {
	page := "before\n<!-- faults: run -->\nold\n<!-- end of run -->\nafter\n"
	if got, err := filled(page, "run", " new\n"); err != nil || got != "before\n<!-- faults: run -->\n\nnew\n\n<!-- end of run -->\nafter\n" {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"", "<!-- faults: run -->\n", "<!-- end of run -->", page + page} {
		if got, err := filled(bad, "run", "new"); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

// The page's places are there, filled by a run of both, and its differences are explained.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/health.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"run", "compare"} {
		if _, err := filled(string(page), part, ""); err != nil {
			t.Error(err)
		}
	}
	for _, want := range append([]string{"| sluice |", "| haproxy |", "lines are the same in both logs"}, names()...) {
		if !strings.Contains(string(page), want) {
			t.Errorf("not on the page: %s", want)
		}
	}
	if strings.Contains(string(page), "not explained") {
		t.Error("the page has a difference that is not explained")
	}
}

func names() (all []string) {
	for _, f := range faults {
		all = append(all, fmt.Sprintf("| %s |", f.name))
	}
	return all
}
