package config

import (
	"fmt"
	"strconv"
)

// Severity ranks a diagnostic.
type Severity uint8

// The severities. A Diag is shown only on request (-dD); an Alert means that the configuration cannot be used.
const (
	Diag Severity = iota
	Notice
	Warning
	Alert
)

// String is the word that HAProxy prints between brackets.
func (s Severity) String() string {
	switch s {
	case Diag:
		return "DIAG"
	case Notice:
		return "NOTICE"
	case Warning:
		return "WARNING"
	case Alert:
		return "ALERT"
	}
	return "Severity(" + strconv.Itoa(int(s)) + ")"
}

// Diagnostic is one complaint about a configuration.
type Diagnostic struct {
	Severity Severity
	Pos      Pos // Line 0: about the configuration as a whole
	Text     string
}

// Reporter receives the diagnostics in the order in which they are found.
type Reporter func(Diagnostic)

// Format gives the line that HAProxy would print on standard error, without the line feed.
func (d Diagnostic) Format(pid int) string {
	where := "config : "
	if d.Pos.Line > 0 {
		where = fmt.Sprintf("config : parsing [%s:%d] : ", d.Pos.File, d.Pos.Line)
	}
	return fmt.Sprintf("%-10s (%d) : %s%s", "["+d.Severity.String()+"]", pid, where, d.Text)
}
