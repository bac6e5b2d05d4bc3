package admin

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// docs/operate.md has every command, and no other ones in its tables.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, c := range commands {
		if !strings.Contains(page, "`"+c.name) {
			t.Errorf("docs/operate.md does not have %q", c.name)
		}
	}
	_, tables, _ := strings.Cut(page, "## Looking")
	tables, _, _ = strings.Cut(tables, "## Where it differs")
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]*)`").FindAllStringSubmatch(tables, -1) {
		if c, _ := find(strings.Fields(row[1])); c == nil && !strings.HasPrefix(row[1], "set server … ") {
			t.Errorf("docs/operate.md has %q, and that is no command", row[1])
		}
	}
	for what := range setters {
		if !strings.Contains(page, what+" ") {
			t.Errorf("docs/operate.md does not have 'set server … %s'", what)
		}
	}
}
