//go:build linux

// The command bench measures TCP balancers from outside, as black boxes. It imports nothing of theirs. README.md says what it
// measures and how to read it.
//
//	go run ./bench [run]          what does the same work cost each of them?
//	go run ./bench report FILE    make a result readable
//	go run ./bench diff OLD NEW   what has changed beyond the noise?
//	go run ./bench race           are there requests that wait although a server is free?
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/sluice-lb/sluice/bench/runner"
)

const usage = `Usage: bench [<command>] [flags]

Commands:
  run     measure balancers side by side (the default)
  report  make Markdown, plots and a HTML page of result files
  diff    say which changes between two result files are beyond the noise
  race    count requests that wait in a queue although a server is free

"bench <command> -h" lists a command's flags.
`

// commands are what bench can do. Each writes its result to out and remarks to remarks, and ends early, with what it has,
// when ctx ends.
var commands = map[string]func(ctx context.Context, arguments []string, out, remarks io.Writer) error{
	"run":    runCommand,
	"report": reportCommand,
	"diff":   diffCommand,
	"race":   raceCommand,
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run gives the exit code: 0, 1 after an error, 2 for a command line that cannot be understood.
func run(arguments []string, out, remarks io.Writer) int {
	if played, err := runner.Role(arguments, os.Stdin, out); played {
		if err != nil {
			fmt.Fprintln(remarks, err)
			return 1
		}
		return 0
	}
	if len(arguments) == 0 || strings.HasPrefix(arguments[0], "-") && !isHelp(arguments[0]) {
		arguments = append([]string{"run"}, arguments...)
	}
	command, known := commands[arguments[0]]
	if !known {
		if isHelp(arguments[0]) {
			io.WriteString(out, usage)
			return 0
		}
		fmt.Fprintf(remarks, "bench: there is no command '%s'\n%s", arguments[0], usage)
		return 2
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	switch err := command(ctx, arguments[1:], out, remarks); {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, new(usageError)):
		fmt.Fprintf(remarks, "bench %s: %v\n", arguments[0], err)
		return 2
	default:
		fmt.Fprintf(remarks, "bench %s: %v\n", arguments[0], err)
		return 1
	}
}

func isHelp(word string) bool {
	return word == "-h" || word == "-help" || word == "--help" || word == "help"
}

// usageError is a command line that cannot be understood.
type usageError struct{ error }
