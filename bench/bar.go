//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// bar shows how far a run is and how long it will still take: on a terminal in one line that changes, elsewhere in one line per scenario.
type bar struct {
	out      io.Writer
	terminal bool
	now      func() time.Time
	start    time.Time
	last     string // scenario
}

func newBar(out io.Writer, now func() time.Time) *bar {
	b := &bar{out: out, now: now, start: now()}
	if f, ok := out.(*os.File); ok {
		_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
		b.terminal = err == nil
	}
	return b
}

const barWidth = 30

func (b *bar) step(done, total int, what string) {
	left := "?"
	if done > 0 {
		left = (b.now().Sub(b.start) / time.Duration(done) * time.Duration(total-done)).Round(time.Second).String()
	}
	if b.terminal {
		filled := barWidth * done / max(1, total)
		fmt.Fprintf(b.out, "\r\x1b[K[%s%s] %d/%d, %s left: %s", strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), done, total, left, what)
		return
	}
	scenario, _, _ := strings.Cut(what, ",")
	if scenario != b.last {
		b.last = scenario
		fmt.Fprintf(b.out, "%d of %d runs, %s left: %s\n", done, total, left, scenario)
	}
}

func (b *bar) say(text string) {
	b.end()
	fmt.Fprintln(b.out, text)
}

// end clears the line.
func (b *bar) end() {
	if b.terminal {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}
