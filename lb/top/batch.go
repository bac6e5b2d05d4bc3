package top

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// batchWidth is the width of what is printed for scripts: all columns, and names up to 40 cells.
const batchWidth = 40 + 1 + 12 + 9*7 + 6 + 9 + 8 + 25

// batch prints so many looks as plain text, each followed by an empty line; 0: without end. A look that fails ends it, unless others
// were to follow: then it is told, and tried again.
func batch(s source, address string, interval time.Duration, choice selection, count int, out io.Writer) error {
	m := newModel(s, address, interval, choice, plain())
	m.width = batchWidth
	for i := 0; count == 0 || i < count; i++ {
		if i > 0 {
			time.Sleep(interval)
		}
		s, err := m.source.Look()
		if err != nil {
			if count == 1 {
				return err
			}
			if _, err := fmt.Fprintf(out, "no answer: %v\n\n", err); err != nil {
				return err
			}
			continue
		}
		m.take(seen{sample: s})
		for _, line := range header(m.paint, m.sample, &m.tracker, m.sample.at.Format(time.DateTime), m.width) {
			fmt.Fprintln(out, trimmed(line))
		}
		fmt.Fprintln(out, trimmed(tableHeading(m.paint, &m.choice, m.width)))
		lines := m.lines()
		for i := range lines {
			fmt.Fprintln(out, trimmed(tableLine(m.paint, &lines[i], false, m.width)))
		}
		if _, err := fmt.Fprintln(out); err != nil {
			return err
		}
	}
	return nil
}

// trimmed takes the spaces off a line's end.
func trimmed(text string) string { return strings.TrimRight(text, " ") }
