package top

import (
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// paint styles a piece of text; what batches print has none.
type paint struct {
	title, heading, sorted, dim, warn, bad, chosen, key func(string) string
}

func as(style lipgloss.Style) func(string) string {
	return func(text string) string {
		if text == "" {
			return ""
		}
		return style.Render(text)
	}
}

// colours are of the set that Okabe and Ito chose so that people with any kind of colour blindness tell them apart; the
// terminal gets the nearest that it has, or none with NO_COLOR. Weight and the mark before a row say the same without them.
func colours() paint {
	style := lipgloss.NewStyle
	return paint{
		title:   as(style().Bold(true).Foreground(lipgloss.Color("#56B4E9"))),
		heading: as(style().Underline(true)),
		sorted:  as(style().Underline(true).Bold(true)),
		dim:     as(style().Faint(true)),
		warn:    as(style().Foreground(lipgloss.Color("#E69F00"))),
		bad:     as(style().Bold(true).Foreground(lipgloss.Color("#D55E00"))),
		chosen:  as(style().Reverse(true)),
		key:     as(style().Bold(true)),
	}
}

// plain leaves text as it is.
func plain() paint {
	same := func(text string) string { return text }
	return paint{same, same, same, same, same, same, same, same}
}

// cell cuts or fills text to a width in cells. Characters that would move the cursor are not shown: names come from elsewhere.
func cell(text string, width int, left bool) string {
	text = ansi.Truncate(printable(text), width, "…")
	room := strings.Repeat(" ", max(width-ansi.StringWidth(text), 0))
	if left {
		return text + room
	}
	return room + text
}

// printable replaces control characters.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}

// clip cuts a line that may have styles in it to a width.
func clip(text string, width int) string { return ansi.Truncate(text, width, "…") }
