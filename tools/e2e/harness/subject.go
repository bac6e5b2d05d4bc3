package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Subject is the program under test, set by Prepare.
var Subject struct {
	Path    string // an absolute path
	HAProxy bool   // it is haproxy, the reference, and not sluice
	Race    bool   // it was built with the race detector: slower, and larger
}

// Prepare finds or builds the program under test and returns what removes it again. TestMain calls it once.
func Prepare() (cleanup func(), err error) {
	if name := os.Getenv("E2E_BALANCER"); name != "" {
		path, err := exec.LookPath(name)
		if err != nil {
			return nil, fmt.Errorf("E2E_BALANCER=%s: %w", name, err)
		}
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		Subject.Path = path
		Subject.HAProxy = strings.HasPrefix(filepath.Base(path), "haproxy")
		return func() {}, nil
	}
	gomod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOMOD: %w", err)
	}
	dir, err := os.MkdirTemp("", "e2e-build")
	if err != nil {
		return nil, err
	}
	Subject.Path = filepath.Join(dir, "sluice")
	args := []string{"build", "-o", Subject.Path}
	if os.Getenv("E2E_RACE") == "1" {
		Subject.Race = true
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, ".")...)
	build.Dir = filepath.Dir(strings.TrimSpace(string(gomod)))
	if out, err := build.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("%s: %w\n%s", build, err, out)
	}
	return func() { os.RemoveAll(dir) }, nil
}

// Tag is the name that the program gives itself in its logs.
func Tag() string {
	if Subject.HAProxy {
		return "haproxy"
	}
	return "sluice"
}
