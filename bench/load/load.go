//go:build linux

// Package load makes traffic and measures its latency.
package load

import (
	"context"
	"io"
)

// Run makes the load that spec asks for. It ends early, with what has been measured, when ctx ends.
func Run(ctx context.Context, spec Spec) (Result, error) {
	_, err := spec.withDefaults()
	return Result{}, err
}

// Serve is Run for a process of its own: it reads a Spec in JSON from in and writes lines of JSON to out, each a Message; the last
// one has the Result or the Error. The end of in does not end the run (ctx does).
func Serve(ctx context.Context, in io.Reader, out io.Writer) error { return nil }

// Message is a line that Serve writes. One field is set.
type Message struct {
	Event  string  `json:",omitempty"`
	Result *Result `json:",omitempty"`
	Error  string  `json:",omitempty"`
}
