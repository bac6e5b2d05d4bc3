package top

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// recorded gives what a socket answered to each command: testdata has it as it came.
func recorded(t *testing.T, name string) map[string]string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	answers := make(map[string]string)
	for part := range strings.SplitSeq(string(data), "### ") {
		command, answer, _ := strings.Cut(part, "\n")
		answers[command] = strings.TrimSuffix(answer, "\n")
	}
	return answers
}

// recording is a process that answers what was recorded, with what the test changes in it.
type recording struct {
	answers map[string]string
	at      time.Time
	failure error
	sent    []string
	answer  string // to commands
}

func record(t *testing.T, name string) *recording {
	return &recording{answers: recorded(t, name), at: time.Unix(1_800_000_000, 0)}
}

func (r *recording) Look() (*sample, error) {
	if r.failure != nil {
		return nil, r.failure
	}
	r.at = r.at.Add(2 * time.Second)
	a := r.answers
	return newSample(r.at, []string{a["show info"], a["show stat"], a["show cli level"], a["show loops"], a["show queue"]})
}

func (r *recording) Do(command string) (string, error) {
	r.sent = append(r.sent, command)
	return r.answer, r.failure
}

func (r *recording) Flows(backend, server string, most int) ([]flow, error) {
	var flows []flow
	for line := range strings.Lines(r.answers["show sess"]) {
		if f, ok := parseFlow(line); ok && f.backend == backend && (server == "" || f.server == server) {
			flows = append(flows, f)
		}
	}
	return flows, nil
}

// change replaces text in an answer, which must have it.
func (r *recording) change(t *testing.T, command, pattern, with string) {
	t.Helper()
	changed := regexp.MustCompile(`(?m)`+pattern).ReplaceAllString(r.answers[command], with)
	if changed == r.answers[command] {
		t.Fatalf("%s has no %q", command, pattern)
	}
	r.answers[command] = changed
}

// player plays a model without a terminal: what it wants done is done at once, but for alarms, which the test lets go off.
type player struct {
	*testing.T
	*model
	source *recording
	ended  bool
}

func play(t *testing.T, name string, width, height int) *player {
	t.Helper()
	p := &player{T: t, source: record(t, name)}
	p.model = newModel(p.source, "/run/test.sock", time.Millisecond, selection{}, plain())
	p.send(tea.WindowSizeMsg{Width: width, Height: height})
	p.run(p.model.Init())
	return p
}

func (p *player) send(message tea.Msg) { p.run(p.second(p.model.Update(message))) }

func (*player) second(_ tea.Model, cmd tea.Cmd) tea.Cmd { return cmd }

func (p *player) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch message := cmd().(type) {
	case alarm: // tick lets it go off
	case tea.QuitMsg:
		p.ended = true
	default:
		p.send(message)
	}
}

// tick is the time for the next look.
func (p *player) tick() { p.send(alarm{p.generation}) }

// keys presses keys: names of several letters, or single characters.
func (p *player) keys(names ...string) {
	special := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "up": tea.KeyUp, "down": tea.KeyDown, "end": tea.KeyEnd, "home": tea.KeyHome,
		"pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp, "tab": tea.KeyTab, "backspace": tea.KeyBackspace, "space": tea.KeySpace}
	for _, name := range names {
		key := tea.KeyPressMsg{Code: special[name]}
		if name == "space" {
			key.Text = " "
		}
		if key.Code == 0 {
			key = tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
		}
		p.send(key)
	}
}

func (p *player) screen() string { return strings.Join(p.picture(), "\n") }

// shows fails unless the screen has all of the texts.
func (p *player) shows(texts ...string) {
	p.Helper()
	for _, text := range texts {
		if !strings.Contains(p.screen(), text) {
			p.Fatalf("the screen lacks %q:\n%s", text, p.screen())
		}
	}
}

func (p *player) hides(texts ...string) {
	p.Helper()
	for _, text := range texts {
		if strings.Contains(p.screen(), text) {
			p.Fatalf("the screen has %q:\n%s", text, p.screen())
		}
	}
}

// order fails unless the texts stand on the screen in this order.
func (p *player) order(texts ...string) {
	p.Helper()
	rest := p.screen()
	for _, text := range texts {
		_, after, found := strings.Cut(rest, text)
		if !found {
			p.Fatalf("%q is not where %q should have it:\n%s", text, texts, p.screen())
		}
		rest = after
	}
}

// Whatever the size of the terminal, the picture has just its lines, and none is wider.
func TestPictureFits(t *testing.T) {
	for _, name := range []string{"sluice", "haproxy"} {
		p := play(t, name, 80, 24)
		for _, width := range []int{1, 20, 60, 80, 132, 300} {
			for _, height := range []int{1, 3, 10, 24} {
				p.send(tea.WindowSizeMsg{Width: width, Height: height})
				for _, keys := range []string{"", "/", "esc", "f", "enter", "enter", "f", "?", "?", "esc", "esc", "end", "d", "n"} {
					if keys != "" {
						p.keys(keys)
					}
					picture := p.picture()
					if len(picture) != height && height > 1 {
						t.Fatalf("%s, %dx%d, after %q: %d lines", name, width, height, keys, len(picture))
					}
					for _, line := range picture {
						if ansi.StringWidth(line) > width {
							t.Fatalf("%s, %dx%d, after %q: %q is %d wide", name, width, height, keys, line, ansi.StringWidth(line))
						}
					}
				}
			}
		}
	}
}

var errGone = errors.New("dial unix /run/test.sock: connect: no such file or directory")
