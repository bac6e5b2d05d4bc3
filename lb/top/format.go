package top

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// short writes a number in at most five cells: 999, 1.23k, 12.3M.
func short(n float64) string {
	units := []string{"", "k", "M", "G", "T", "P"}
	unit := 0
	for n >= 999.5 && unit < len(units)-1 {
		n, unit = n/1000, unit+1
	}
	switch {
	case unit == 0 && (n == float64(int64(n)) || n >= 10):
		return strconv.FormatFloat(n, 'f', 0, 64)
	case n < 9.995 && unit > 0:
		return strconv.FormatFloat(n, 'f', 2, 64) + units[unit]
	case n < 99.95:
		return strconv.FormatFloat(n, 'f', 1, 64) + units[unit]
	}
	return strconv.FormatFloat(n, 'f', 0, 64) + units[unit]
}

// count writes a whole number, in short only if it has more than five digits.
func count(n int64) string {
	if n < 100_000 {
		return strconv.FormatInt(n, 10)
	}
	return short(float64(n))
}

// age writes a time in its two largest units: 3d2h, 5m07s, 12s.
func age(d time.Duration) string {
	seconds := int64(d / time.Second)
	switch {
	case seconds >= 86400:
		return fmt.Sprintf("%dd%dh", seconds/86400, seconds%86400/3600)
	case seconds >= 3600:
		return fmt.Sprintf("%dh%02dm", seconds/3600, seconds%3600/60)
	case seconds >= 60:
		return fmt.Sprintf("%dm%02ds", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%ds", seconds)
}

// seconds reads a whole number of seconds.
func seconds(text string) (time.Duration, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return time.Duration(n) * time.Second, err == nil && n >= 0
}

var sparks = []rune(" ▁▂▃▄▅▆▇█")

// spark draws the last values of a history, as high as the highest of them; the newest is at the right.
func spark(history []float64, width int) string {
	if len(history) > width {
		history = history[len(history)-width:]
	}
	highest := 0.0
	for _, v := range history {
		highest = max(highest, v)
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", width-len(history)))
	for _, v := range history {
		step := 0
		if v > 0 {
			step = 1 + int(v/highest*float64(len(sparks)-2))
		}
		b.WriteRune(sparks[min(step, len(sparks)-1)])
	}
	return b.String()
}

// levels draws shares of 1, a character each.
func levels(shares []float64) string {
	runes := make([]rune, len(shares))
	for i, v := range shares {
		runes[i] = sparks[max(min(1+int(v*float64(len(sparks)-1)), len(sparks)-1), 1)]
	}
	return string(runes)
}

// bar draws a share of 1.
func bar(share float64, width int) string {
	full := min(int(share*float64(width)+0.5), width)
	return "[" + strings.Repeat("|", full) + strings.Repeat(" ", width-full) + "]"
}
