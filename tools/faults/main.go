// Faults shows what a balancer does when servers fail: sluice and Debian's haproxy, side by side, from outside.
//
//	go run ./tools/faults                        twenty servers under load, one kind of fault after the other
//	go run ./tools/faults -compare               the same faults at the same times, and the two logs line by line
//	go run ./tools/faults -write docs/health.md  the same, and the tables go into their marked parts of that page
//
// Each run makes a network namespace of its own and lives in it (namespace.go): every address is free there, nothing gets
// out, and everything is gone when the program ends. So it needs root.
//
//  1. Origins are processes (origin.go is the child's side, server.go the parent's). Each program has a set of its own; a
//     fault befalls both sets at the same moment.
//  2. The programs run with the same configuration, apart from addresses, and log to a receiver of their own (program.go),
//     which stamps each line as it comes.
//  3. The fault run (run.go) holds a steady, bounded load (load.go) on two listeners, with and without "option redispatch",
//     and compares the time of each DOWN and UP line with what the intervals allow (arithmetic.go).
//  4. The comparison (compare.go, script.go) takes the programs through a script and aligns what they log.
//
// It exits with 1 if a time lies outside of the arithmetic, or a difference between the logs has no explanation.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if child() {
		return
	}
	compare := flag.Bool("compare", false, "compare the logs of both programs instead")
	flag.IntVar(&wholeRun.retries, "retries", wholeRun.retries, "retries in the fault run's configuration")
	page := flag.String("write", "", "page whose marked part gets the tables")
	sluice := flag.String("sluice", "", "sluice's binary; built if not given")
	other := flag.String("haproxy", "haproxy", "haproxy's binary; empty: sluice alone")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "faults: surplus argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	if !inside() {
		os.Exit(enter())
	}
	if err := work(*compare, *page, *sluice, *other); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

func work(compare bool, page, sluice, other string) error {
	dir, err := os.MkdirTemp("", "faults")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if sluice == "" {
		if sluice, err = build(dir); err != nil {
			return err
		}
	}
	kinds := []kind{{"sluice", sluice}}
	if other != "" {
		if other, err = exec.LookPath(other); err != nil {
			return err
		}
		kinds = append(kinds, kind{"haproxy", other})
	}
	part, made := "run", func() (string, error) { return faultRun(dir, kinds, wholeRun) }
	if compare {
		part, made = "compare", func() (string, error) { return comparison(dir, kinds, script) }
	}
	text, failed := made()
	if text == "" {
		return failed
	}
	text = machine(kinds) + "\n" + text
	fmt.Println(text)
	if page != "" {
		if err := fill(page, part, text); err != nil {
			return err
		}
	}
	return failed
}

// build makes sluice from this module and returns its path.
func build(dir string) (string, error) {
	gomod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	path := filepath.Join(dir, "sluice")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Dir = filepath.Dir(strings.TrimSpace(string(gomod)))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return path, nil
}
