package admin

import "io"

// Execute runs one command in the process, as if it had been entered at a socket of the level, and writes its answer, without
// the empty line that would end it. The words of the command are taken as they are. Commands that hold up their connection
// (wait) hold up the caller. The error is w's.
func (c *CLI) Execute(w io.Writer, level Level, output Output, words ...string) error {
	s := c.inProcess(w, level, output)
	s.dispatch(words)
	return s.answer.flush()
}

// Info describes the process.
func (c *CLI) Info() Info { return c.process.Info() }

// inProcess is a session without a connection.
func (c *CLI) inProcess(w io.Writer, level Level, output Output) *session {
	return &session{cli: c, process: c.process, level: level, output: output, timeout: c.options.Timeout, answer: newAnswer(w, output)}
}

// StatOptions are what "show stat" is asked for by WriteStat.
type StatOptions struct {
	Typed, JSON bool              // instead of CSV
	Up          bool              // only what serves
	Suits       func(*Proxy) bool // which proxies; nil: all
}

// WriteStat writes what "show stat" answers to an operator.
func (c *CLI) WriteStat(w io.Writer, o StatOptions) error {
	s := c.inProcess(w, Operator, "none")
	s.writeStat(selection{proxy: -1, types: -1, id: -1, typed: o.Typed, json: o.JSON, up: o.Up, suits: o.Suits})
	return s.answer.flush()
}
