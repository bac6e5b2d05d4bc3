//go:build linux

// Package origin is what stands behind a balancer while it is measured.
package origin

import (
	"context"
	"errors"
	"io"
	"net/netip"
)

// Run listens and serves until ctx ends, and gives the counts.
func Run(ctx context.Context, spec Spec) (Result, error) {
	return Result{}, errors.New("origin: not written yet")
}

// Serve is Run for a process of its own: it reads a Spec in JSON from in, writes a Message with the addresses to out, serves until ctx ends or in
// does, and writes a Message with the Result or the Error.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error { return nil }

// Message is a line of JSON that Serve writes. One field is set.
type Message struct {
	Listening []netip.AddrPort `json:",omitempty"`
	Result    *Result          `json:",omitempty"`
	Error     string           `json:",omitempty"`
}
