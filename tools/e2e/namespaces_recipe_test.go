package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// The recipe of docs/namespaces.md, as it stands there, prints what it says there, but for inodes and times. It runs in a
// network namespace and with directories of its own, so that names and ports are free.
func TestRecipeOfNamespaces(t *testing.T) {
	harness.SluiceOnly(t, harness.LateNamespaces)
	harness.NeedRoot(t, "to make network namespaces")
	page, err := os.ReadFile("../../docs/namespaces.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "<!-- recipe: begin -->\n```sh\n")
	recipe, rest, found := strings.Cut(rest, "```\n<!-- recipe: end -->\n")
	if !found {
		t.Fatal("docs/namespaces.md has no recipe")
	}
	var want []string
	for line := range strings.Lines(rest) {
		if after, printed := strings.CutPrefix(line, "    "); printed {
			want = append(want, strings.TrimSpace(after))
		} else if len(want) > 0 && strings.TrimSpace(line) != "" {
			break
		}
	}
	const room = `mount -t tmpfs none /run && mkdir -p /run/bin /run/netns && cp "$0" /run/bin/sluice && mount -t tmpfs none /tmp &&
		ip link set lo up && export PATH=/run/bin:$PATH && bash -s`
	out, stderr, code := harness.Exec(t, []byte(recipe), "unshare", "--mount", "--net", "bash", "-c", room, harness.Subject.Path)
	var got []string
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); line != "" {
			got = append(got, line)
		}
	}
	for i, line := range want {
		if i >= len(got) || !alike(got[i], line) {
			t.Errorf("line %d of the recipe's output is not '%s'. It ended with %d and printed\n%s\n%s", i+1, line, code, out, stderr)
			return
		}
	}
}

// alike compares two lines; of a listing, the names and states.
func alike(got, want string) bool {
	g, w := strings.Fields(got), strings.Fields(want)
	if len(g) == len(w) && len(w) == 12 && w[0] != "#" {
		return g[0] == w[0] && g[1] == w[1]
	}
	return got == want
}
