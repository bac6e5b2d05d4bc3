//go:build linux

package runner

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"syscall"

	"github.com/sluice-lb/sluice/bench/load"
	"github.com/sluice-lb/sluice/bench/origin"
)

// The load and the origins are this same program, as processes of their own: so they can be pinned, and be told apart from the harness.
const (
	roleWord   = "as"
	loadRole   = "load"
	originRole = "origin"
)

// Role plays the part that the arguments (without the program's name) ask for, if they do. A program that calls Run must call it
// first in main.
func Role(arguments []string, in io.Reader, out io.Writer) (played bool, err error) {
	if len(arguments) != 2 || arguments[0] != roleWord {
		return false, nil
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	switch arguments[1] {
	case loadRole:
		return true, load.Serve(ctx, in, out)
	case originRole:
		return true, origin.Serve(ctx, in, out)
	}
	return true, fmt.Errorf("there is no role '%s'", arguments[1])
}
