package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const page = "../../docs/configuration.md"

// chapters are the parts of the page that are made from the tables, each between two comments.
var chapters = []struct {
	name     string
	belongs  func(*Keyword) bool
	sections bool // say where the keyword may stand
}{
	{"global", func(k *Keyword) bool { return k.Sections == InGlobal && k.Effect != NoEffect }, false},
	{"proxy", func(k *Keyword) bool { return k.Sections&inProxies != 0 }, true},
	{"bind", func(k *Keyword) bool { return k.Sections&OnBind != 0 && k.Effect != NoEffect }, false},
	{"stats-socket", func(k *Keyword) bool { return k.Sections == OnStatsSocket }, false},
	{"stats-listen", func(k *Keyword) bool { return k.Sections == OnStatsListen }, false},
	{"resolvers", func(k *Keyword) bool { return k.Sections == InResolvers }, false},
	{"mailers", func(k *Keyword) bool { return k.Sections == InMailers }, false},
	{"tenant", func(k *Keyword) bool { return k.Sections == InTenant }, false},
	{"ring", func(k *Keyword) bool { return k.Sections == InRings || k.Sections == OnRingServer }, true},
	{"namespace-list", func(k *Keyword) bool { return k.Sections == InNamespaceList }, false},
	{"server", func(k *Keyword) bool { return k.Sections&onServers != 0 }, true},
	{"no-effect", func(k *Keyword) bool { return k.Effect == NoEffect }, true},
}

// entry is what the page says about a keyword.
func entry(k *Keyword, sections bool) string {
	var b strings.Builder
	head := k.Name
	if strings.HasPrefix(k.Syntax, "(") {
		head += k.Syntax
	} else if k.Syntax != "" {
		head += " " + k.Syntax
	}
	fmt.Fprintf(&b, "#### `%s`\n\n%s\n\n", head, k.Summary)
	if sections {
		names := "`" + strings.Join(k.Sections.Names(), "`, `") + "`"
		fmt.Fprintf(&b, "- In: %s\n", names)
	}
	if k.Unit != "" {
		fmt.Fprintf(&b, "- Unit: %s\n", k.Unit)
	}
	if k.Default != "" {
		fmt.Fprintf(&b, "- Default: %s\n", k.Default)
	}
	if k.negatable {
		b.WriteString("- May follow `no`")
		if strings.HasPrefix(k.Name, "option ") {
			b.WriteString(" and `default`")
		}
		b.WriteByte('\n')
	}
	if k.deprecated != "" {
		fmt.Fprintf(&b, "- Deprecated: %s\n", k.deprecated)
	}
	if k.Effect == Later {
		fmt.Fprintf(&b, "- **Accepted, not acted upon yet**: %s\n", k.reason)
	}
	fmt.Fprintf(&b, "- Example: `%s`\n", k.Example)
	return b.String()
}

// chapter is the text between the comments.
func chapter(belongs func(*Keyword) bool, sections, table bool) string {
	var b strings.Builder
	if table {
		b.WriteString("| keyword | in | why | example |\n|---|---|---|---|\n")
	}
	for _, k := range Keywords() {
		if !belongs(&k) {
			continue
		}
		if table {
			fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` |\n", k.Name, strings.Join(k.Sections.Names(), ", "), k.reason, k.Example)
			continue
		}
		b.WriteString(entry(&k, sections) + "\n")
	}
	return b.String()
}

// TestPage compares docs/configuration.md with the tables. With -update, it writes the parts that come from them.
func TestPage(t *testing.T) {
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	seen := map[string]bool{}
	for _, c := range chapters {
		begin, end := "<!-- begin "+c.name+" -->\n", "<!-- end "+c.name+" -->"
		before, rest, found := strings.Cut(text, begin)
		have, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Fatalf("%s has no part %q", page, c.name)
		}
		want := chapter(c.belongs, c.sections, c.name == "no-effect")
		if have != want {
			if *update {
				text = before + begin + want + end + after
			} else {
				t.Errorf("the part %q of %s differs from the tables; go test ./lb/config -run Page -update writes it", c.name, page)
			}
		}
		for _, k := range Keywords() {
			if c.belongs(&k) {
				seen[k.Name+k.Sections.Names()[0]] = true
			}
		}
	}
	for _, k := range Keywords() {
		if !seen[k.Name+k.Sections.Names()[0]] {
			t.Errorf("'%s' is in no part of %s", k.Name, page)
		}
		if k.Summary == "" || k.Example == "" || k.Effect != Acted && k.reason == "" {
			t.Errorf("'%s' lacks a summary, an example or a reason", k.Name)
		}
	}
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPageExamples loads each block of the page that is a configuration.
func TestPageExamples(t *testing.T) {
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for i, part := range strings.Split(string(data), "```haproxy\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks++
		if c, diagnostics := load(fmt.Sprintf("block%d", i+1), block); c == nil || len(diagnostics) > 0 {
			t.Errorf("block %d:\n%s", i+1, complaints(diagnostics))
		}
	}
	if blocks == 0 {
		t.Error("no example")
	}
}
