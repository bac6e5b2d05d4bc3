package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A document has a place for each part: everything between "<!-- versus: PART -->" and "<!-- end of PART -->".

func markers(part string) (begin, end string) {
	return "<!-- versus: " + part + " -->", "<!-- end of " + part + " -->"
}

// replacePart puts text between the part's markers. Each marker must be there once.
func replacePart(document, part, text string) (string, error) {
	begin, end := markers(part)
	for _, m := range []string{begin, end} {
		if n := strings.Count(document, m); n != 1 {
			return "", fmt.Errorf("the marker %q is there %d times, not once", m, n)
		}
	}
	before, rest, _ := strings.Cut(document, begin)
	_, after, found := strings.Cut(rest, end)
	if !found {
		return "", fmt.Errorf("the marker %q is before %q", end, begin)
	}
	return before + begin + "\n\n" + strings.TrimSpace(text) + "\n\n" + end + after, nil
}

// replaceInFile does it in a file, which is replaced as a whole or not at all.
func replaceInFile(path, part, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	replaced, err := replacePart(string(old), part, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.WriteFile(temporary, []byte(replaced), 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
