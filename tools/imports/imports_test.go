package imports

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sluice-lb/sluice"

// root is the module's directory, seen from this package's.
const root = "../.."

// room says what the files of one package may import, apart from the standard library.
type room struct {
	ours    string // packages of this module, with blanks between them
	foreign string // modules of others
	never   string // packages of the standard library that it must do without, though others may use them
}

// rooms are all packages that the program is made of. Every import points down; a package that is not here fails the test,
// so that nobody adds one without deciding where it stands. "." is main.
var rooms = map[string]room{
	"poller":         {foreign: "golang.org/x/sys/unix"},
	"ebpf":           {foreign: "github.com/cilium/ebpf github.com/cilium/ebpf/link github.com/cilium/ebpf/ringbuf golang.org/x/sys/unix"},
	"netns":          {foreign: "golang.org/x/sys/unix github.com/vishvananda/netns"},
	"lb/config":      {never: "net/http"},
	"lb/wire":        {never: "net time os syscall"},
	"lb/balance":     {never: "net os syscall time"},
	"lb/queue":       {never: "net os syscall time"},
	"lb/queue/model": {}, // runs spin over the protocol
	"lb/stats":       {never: "net net/http os syscall"},
	"lb/tcplog":      {never: "net/http"},
	"lb/backend":     {ours: "lb/config lb/balance lb/queue lb/stats", never: "net os syscall"},
	"lb/statefile":   {never: "net os syscall"},
	"lb/mail":        {never: "net/http"},
	"lb/resolve":     {ours: "lb/config", foreign: "github.com/miekg/dns", never: "net/http"},
	"lb/check":       {ours: "poller lb/config lb/wire lb/backend lb/stats"},
	"lb/flow":        {ours: "poller lb/wire lb/backend lb/stats lb/tcplog", never: "net os syscall"},
	"lb/page":        {ours: "lb/config lb/stats lb/admin"},
	"lb":             {ours: "ebpf poller netns lb/config lb/wire lb/balance lb/queue lb/stats lb/tcplog lb/backend lb/resolve lb/check lb/flow lb/statefile lb/mail lb/admin lb/metrics lb/systemd lb/page"},
	"lb/admin":       {ours: "lb/config lb/backend lb/stats", never: "syscall"},
	"lb/systemd":     {foreign: "github.com/coreos/go-systemd/v22/daemon", never: "net/http"},
	"lb/metrics":     {ours: "lb/admin lb/backend lb/queue lb/stats", foreign: "github.com/prometheus/client_golang/prometheus github.com/prometheus/client_golang/prometheus/collectors github.com/prometheus/client_model/go github.com/prometheus/common/expfmt"},
	"lb/top":         {foreign: "charm.land/bubbletea/v2 charm.land/lipgloss/v2 github.com/charmbracelet/x/ansi github.com/charmbracelet/x/term", never: "net/http"},
	"examples":       {},
	"lb/demo":        {ours: "lb lb/config examples"},
	".":              {ours: "lb lb/demo lb/top"},
}

// doors are the packages that may use unsafe and golang.org/x/sys/unix: the ways to the kernel.
var doors = []string{"poller", "netns", "ebpf"}

// Every import of the program points down the table. Tests may import more, because they assemble what they test, but
// they use the doors as everyone else does: unsafe stays out of lb.
func TestEveryImportPointsDown(t *testing.T) {
	found := make(map[string]bool)
	for file, imports := range sources(t) {
		name := filepath.ToSlash(filepath.Dir(file))
		if name == "tools" || strings.HasPrefix(name, "tools/") {
			continue // what developers run, this test included
		}
		if name == "bench" || strings.HasPrefix(name, "bench/") { // it knows balancers from outside only
			for _, path := range imports {
				if strings.HasPrefix(path, module+"/") && !strings.HasPrefix(path, module+"/bench/") {
					t.Errorf("%s imports %s: bench measures black boxes", file, path)
				}
			}
			continue
		}
		found[name] = true
		allowed, known := rooms[name]
		if !known {
			t.Errorf("%s: package %s has no place in the table of rooms", file, name)
			continue
		}
		for _, path := range imports {
			if why := refuse(name, allowed, path, strings.HasSuffix(file, "_test.go")); why != "" {
				t.Errorf("%s imports %s: %s", file, path, why)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rooms)) {
		if !found[name] {
			t.Errorf("the table has a room %s, and there is no such package", name)
		}
	}
}

// refuse gives the reason why package name must not import path; empty: it may.
func refuse(name string, allowed room, path string, test bool) string {
	door := slices.Contains(doors, name)
	switch own, ours := strings.CutPrefix(path, module+"/"); {
	case (path == "unsafe" || strings.HasPrefix(path, "golang.org/x/sys/")) && !door:
		return "only " + strings.Join(doors, ", ") + " may"
	case test:
		return ""
	case path == "C":
		return "sluice is built without cgo"
	case ours && own != name && !slices.Contains(strings.Fields(allowed.ours), own):
		return "it stands beside or above " + name
	case !ours && strings.Contains(path, ".") && !slices.Contains(strings.Fields(allowed.foreign), path):
		return "it is not among the modules that " + name + " may use"
	case slices.Contains(strings.Fields(allowed.never), path):
		return name + " must do without it"
	}
	return ""
}

// What the rule refuses, so that the test above cannot pass by accident.
func TestRefuse(t *testing.T) {
	for _, test := range []struct {
		name, path string
		test       bool
		refused    bool
	}{
		{"lb/flow", module + "/poller", false, false},
		{"lb/flow", module + "/lb/config", false, true},
		{"lb/flow", module + "/lb/config", true, false}, // a test may
		{"lb/backend", module + "/poller", false, true},
		{"lb/backend", module + "/lb/flow", false, true},
		{"lb/balance", module + "/lb/backend", false, true},
		{"lb/queue", "time", false, true},
		{"lb/wire", "net", false, true},
		{"lb/wire", "net/netip", false, false},
		{"lb", "golang.org/x/sys/unix", false, true},
		{"lb", "unsafe", false, true},
		{"lb/queue", "unsafe", true, true}, // not even a test
		{"lb/flow", "golang.org/x/sys/unix", true, true},
		{"lb", "C", false, true},
		{"poller", "unsafe", false, false},
		{"poller", "golang.org/x/sys/unix", false, false},
		{"poller", module + "/lb", false, true},
		{".", module + "/lb", false, false},
		{".", module + "/lb/flow", false, true},
	} {
		if why := refuse(test.name, rooms[test.name], test.path, test.test); (why != "") != test.refused {
			t.Errorf("%s importing %s: %q; want it refused: %v", test.name, test.path, why, test.refused)
		}
	}
}

// The table has no cycle: a room is never reached from what it imports.
func TestTheTableHasNoCycle(t *testing.T) {
	var visit func(name string, above []string)
	visit = func(name string, above []string) {
		if slices.Contains(above, name) {
			t.Fatalf("a cycle: %s", strings.Join(append(above, name), " -> "))
		}
		for _, next := range strings.Fields(rooms[name].ours) {
			visit(next, append(slices.Clip(above), name))
		}
	}
	for name := range rooms {
		visit(name, nil)
	}
}

// sources gives what each Go file of the module imports, whatever system it is built for.
func sources(t *testing.T) map[string][]string {
	files := make(map[string][]string)
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && (name == "testdata" || name == "build" || len(name) > 1 && name[0] == '.'):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files[path] = []string{}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			files[path] = append(files[path], imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// README.md has the same table: every room, its imports, and each of them further down.
func TestTheReadmesRooms(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `([a-z/.]+)` \\| [^|]+ \\| ([^|]*) \\|$")
	word := regexp.MustCompile("`([^`]+)`")
	var order []string
	told := make(map[string]string)
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		var ours []string
		for _, w := range word.FindAllStringSubmatch(m[2], -1) {
			ours = append(ours, w[1])
		}
		slices.Sort(ours)
		name := strings.Replace(m[1], "main.go", ".", 1)
		order, told[name] = append(order, name), strings.Join(ours, " ")
		if m[2] == "all below" {
			told[name] = m[2]
		}
	}
	for name, r := range rooms {
		ours := strings.Fields(r.ours)
		for _, o := range ours {
			if slices.Index(order, o) < slices.Index(order, name) {
				t.Errorf("README.md has %s, which %s imports, above it", o, name)
			}
		}
		slices.Sort(ours)
		if got, ok := told[name]; !ok && name != "lb/queue/model" {
			t.Errorf("README.md has no room %s", name)
		} else if ok && got != "all below" && got != strings.Join(ours, " ") {
			t.Errorf("README.md says that %s imports %q; the table here says %q", name, got, r.ours)
		}
	}
}
