package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplacePart(t *testing.T) {
	const document = "before\n<!-- versus: results -->\nold\n<!-- end of results -->\nafter\n"
	const want = "before\n<!-- versus: results -->\n\nnew\n\n<!-- end of results -->\nafter\n"
	got, err := replacePart(document, "results", "\nnew\n\n")
	if err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	if again, err := replacePart(got, "results", "new"); err != nil || again != want {
		t.Errorf("a second time: %q, %v", again, err)
	}
	for _, bad := range []string{"", "<!-- versus: results -->", "<!-- end of results -->\n<!-- versus: results -->", document + document} {
		if got, err := replacePart(bad, "results", "new"); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

func TestReplaceInFileLeavesItAloneOnErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte("no markers"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := replaceInFile(path, "results", "new"); err == nil {
		t.Error("a page without markers was taken")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "no markers" {
		t.Errorf("%q, %v", text, err)
	}
}

// The page that the numbers go to has a place for each part.
func TestPageHasMarkers(t *testing.T) {
	page, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"results", "system calls", "profile"} {
		if _, err := replacePart(string(page), part, "text"); err != nil {
			t.Errorf("docs/performance.md: %v", err)
		}
	}
}
