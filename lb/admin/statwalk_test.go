package admin

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The walks have what the commands print.
func TestWalks(t *testing.T) {
	f := newFake(t)
	c := New(Options{Process: f})
	path := listen(t, f, Options{})(Operator)
	reader := csv.NewReader(strings.NewReader(strings.TrimPrefix(ask(t, path, "show stat\n"), "# ")))
	listed, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var walked []*Row
	for r := range c.Statistics {
		row := *r
		walked = append(walked, &row)
	}
	if len(walked) < 5 || len(walked) != len(listed)-1 {
		t.Fatalf("%d rows in the walk, %d in the list", len(walked), len(listed)-1)
	}
	for i, r := range walked {
		for j, name := range listed[0][:columnCount] {
			column, found := ColumnOf(name)
			if !found || column != j {
				t.Fatalf("column %q is the %dth, not %d (%v)", name, j, column, found)
			}
			if name == "addr" || name == "algo" || name == "lastsess" || name == "lastchg" { // not for everyone; or it may change
				continue
			}
			v := r.Value(column)
			if v.String() != listed[i+1][j] || !v.IsText() && !v.Empty() && fmt.Sprint(int64(v.Number())) != listed[i+1][j] {
				t.Errorf("row %d, %s: %q (%v) in the walk, %q in the list", i, name, v, v.Number(), listed[i+1][j])
			}
		}
		if got := listed[i+1][slices.Index(listed[0], "type")]; got != fmt.Sprint(int(r.Type)) || (r.Type == ServerRow) != (r.Server != nil) || (r.Type == ListenerRow) != (r.Bind != nil) {
			t.Errorf("row %d of type %s is about %v, %v", i, got, r.Server, r.Bind)
		}
	}
	for range c.Statistics {
		break // an early end
	}
	if _, found := ColumnOf("nothing"); found {
		t.Error("there is a column 'nothing'")
	}

	lines := strings.Split(strings.TrimSpace(ask(t, path, "show info\n")), "\n")
	n := 0
	for name, v := range c.Information {
		if want := name + ": " + v.String(); lines[n] != want && name != "Idle_pct" {
			t.Errorf("%q in the walk, %q in the list", want, lines[n])
		}
		n++
	}
	if n != len(lines) {
		t.Errorf("%d fields in the walk, %d in the list", n, len(lines))
	}
}
