package lb

import (
	"os"
	"regexp"
	"testing"
)

// The configuration that README.md shows is valid, without a warning.
func TestTheReadmesConfiguration(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```haproxy\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) != 1 {
		t.Fatalf("README.md has %d blocks of configuration; want 1", len(blocks))
	}
	code, stdout, stderr := inProcess("-c", "-V", "-dW", "-f", writeFile(t, "readme.cfg", string(blocks[0][1])))
	if code != 0 || stdout != "Configuration file is valid\n" || stderr != "" {
		t.Errorf("exit code %d, printed %q, complained %q", code, stdout, stderr)
	}
}
