package top

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
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/term"
)

const usage = `usage: sluice top [flags] [ADDRESS]

A live view of a running sluice or HAProxy over its stats socket, in this terminal. ? shows the keys.

ADDRESS is a "stats socket": /run/sluice.sock, unix@PATH, abns@NAME, HOST:PORT, ipv4@HOST:PORT or ipv6@[HOST]:PORT. Without it,
these are looked for:
  %s

  -i INTERVAL     look so often: 2s by default, or such as 500ms
  -f TEXT         show only what has this text in its name, state or address
  -p              show only problems
  -s COLUMN       sort by this column, such as QUEUE or SESS/S; -COLUMN reverses
  -once           print one look as plain text and end; exit code 2 if there was no answer
  -n COUNT        print so many looks as plain text, 0 without end
  -h              this help

Where the output is no terminal it is plain text, as with -once. NO_COLOR=1 in the environment takes the colours away.
`

// options are the command line's.
type options struct {
	address  string
	interval time.Duration
	choice   selection
	count    int // of looks that are printed; -1: the live view
}

// Main runs "sluice top" with the arguments behind these words and gives the exit code: 0, 1 for a wrong command line or terminal, 2 when
// a single look found nothing.
func Main(arguments []string, stdin, stdout *os.File, stderr io.Writer) int {
	o, err := parseOptions(arguments)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, usage, strings.Join(usualSockets, " "))
		return 0
	case err == nil && o.address == "":
		o.address, err = usualSocket()
	}
	var client Client
	if err == nil {
		client.network, client.address, err = parseAddress(o.address)
	}
	if err != nil {
		fmt.Fprintf(stderr, "sluice top: %v\nTry 'sluice top -h'.\n", err)
		return 1
	}
	if o.count < 0 && !term.IsTerminal(stdout.Fd()) {
		o.count = 1
	}
	if o.count >= 0 {
		err := batch(&client, o.address, o.interval, o.choice, o.count, stdout)
		if err != nil && !errors.Is(err, syscall.EPIPE) {
			fmt.Fprintln(stderr, "sluice top:", err)
			return 2
		}
		return 0
	}
	return live(newModel(&client, o.address, o.interval, o.choice, colours()), stdin, stdout, stderr)
}

// live runs the view until it is left, or a signal ends it.
func live(m *model, stdin, stdout *os.File, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	_, err := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(stdin), tea.WithOutput(stdout)).Run()
	if err != nil && ctx.Err() == nil && !errors.Is(err, tea.ErrInterrupted) {
		fmt.Fprintln(stderr, "sluice top:", err)
		return 1
	}
	return 0
}

func parseOptions(arguments []string) (options, error) {
	o := options{count: -1}
	flags := flag.NewFlagSet("sluice top", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.DurationVar(&o.interval, "i", 2*time.Second, "")
	flags.StringVar(&o.choice.filter, "f", "", "")
	flags.BoolVar(&o.choice.problems, "p", false, "")
	once := flags.Bool("once", false, "")
	sort := flags.String("s", "", "")
	flags.IntVar(&o.count, "n", -1, "")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	if *once {
		o.count = 1
	}
	if o.interval < 100*time.Millisecond {
		return o, fmt.Errorf("'-i %v' is too often: 100ms at least", o.interval)
	}
	if flags.NArg() > 1 {
		return o, fmt.Errorf("one address, not %d", flags.NArg())
	}
	o.address = flags.Arg(0)
	return o, o.choice.sortBy(*sort)
}

// sortBy finds the column that a word names; a - before it reverses.
func (c *selection) sortBy(word string) error {
	if word == "" {
		return nil
	}
	name, reversed := strings.CutPrefix(word, "-")
	c.reverse = reversed
	var names []string
	for i := range columns {
		if strings.EqualFold(columns[i].title, name) {
			c.sort = i
			return nil
		}
		names = append(names, columns[i].title)
	}
	return fmt.Errorf("no column '%s'; there are %s", name, strings.Join(names, ", "))
}
