package metrics

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/lb/stats"
)

// docs/metrics.md has every family of ours with its labels' words and its bounds, and no other ones, and counts HAProxy's.
func TestPage(t *testing.T) {
	data, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	ours, haproxys := make(map[string]bool), make(map[string]int)
	for _, table := range tables {
		for _, f := range table.families {
			if !strings.HasPrefix(f.name, "sluice_") {
				haproxys[strings.Join(strings.SplitN(f.name, "_", 3)[:2], "_")]++
				continue
			}
			ours[f.name] = true
			row := regexp.MustCompile("(?m)^\\|[^|]*`" + f.name + "`.*$").FindString(page)
			if row == "" {
				t.Errorf("the page does not have %s", f.name)
			}
			if tenant := strings.HasPrefix(f.name, "sluice_tenant_"); !tenant {
				for _, word := range f.names {
					if !strings.Contains(row, "`"+word+"`") {
						t.Errorf("the page does not have %s of %s", word, f.name)
					}
				}
			}
		}
	}
	for _, name := range regexp.MustCompile("`(sluice_[a-z_]+)`").FindAllStringSubmatch(page, -1) {
		if !ours[name[1]] {
			t.Errorf("the page has %s, and that is no metric", name[1])
		}
	}
	for prefix, n := range haproxys {
		if !regexp.MustCompile(fmt.Sprintf("(?m)^\\| `%s_\\*` .*\\| %d \\|", prefix, n)).MatchString(page) {
			t.Errorf("the page does not say that there are %d of %s_*", n, prefix)
		}
	}
	for kind, name := range []string{"queue time", "connect time", "session time"} {
		var bounds []string
		for _, b := range stats.TimeBounds[kind] {
			bounds = append(bounds, fmt.Sprint(b.Seconds()))
		}
		if !strings.Contains(page, "| "+name+" | "+strings.Join(bounds, ", ")) {
			t.Errorf("the bounds of %s are %v", name, bounds)
		}
	}
	for _, name := range scopeNames {
		if !slices.Contains(regexp.MustCompile("`[^`]*`").FindAllString(page, -1), "`"+name+"`") {
			t.Errorf("the page does not have the scope %s", name)
		}
	}
}
