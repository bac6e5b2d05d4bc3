//go:build linux

// The command bench measures TCP balancers from outside, as black boxes, over loopback. It imports nothing of theirs.
//
//	go run ./bench race    are there requests that wait although a server is free?
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `Usage: bench <command> [flags]

Commands:
  race    count requests that wait in a queue although a server is free

"bench <command> -h" lists a command's flags.
`

// commands are what bench can do. Each writes its result to out and remarks to remarks, and ends early, with what it has,
// when ctx ends.
var commands = map[string]func(ctx context.Context, arguments []string, out, remarks io.Writer) error{
	"race": raceCommand,
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run gives the exit code: 0, 1 after an error, 2 for a command line that cannot be understood.
func run(arguments []string, out, remarks io.Writer) int {
	if len(arguments) == 0 {
		io.WriteString(remarks, usage)
		return 2
	}
	command, known := commands[arguments[0]]
	if !known {
		if arguments[0] == "-h" || arguments[0] == "help" {
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

// usageError is a command line that cannot be understood.
type usageError struct{ error }
