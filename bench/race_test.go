//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/bench/race"
)

func TestCommandLine(t *testing.T) {
	for _, test := range []struct {
		arguments string
		code      int
		told      string // part of what is written, to either
	}{
		{"help", 0, "Commands:"},
		{"rac", 2, "there is no command 'rac'"},
		{"race -h", 0, "Usage: bench race"},
		{"race -recheck maybe", 2, "-recheck is a list of on and off"},
		{"race -loops 4,x", 2, "'4,x' is not a list of numbers"},
		{"race -servers 0", 2, "'0' is not a list of numbers"},
		{"race -load heavy", 2, "-load is rounds or steady"},
		{"race -timeout-queue 1ms", 2, "out of range"},
		{"race -nonsense", 2, "not defined: -nonsense"},
		{"race more", 2, "unexpected argument 'more'"},
		{"race -balancer /nonexistent", 1, "/nonexistent"},
		{"race -config /nonexistent", 1, "/nonexistent"},
	} {
		var written bytes.Buffer
		if code := run(strings.Fields(test.arguments), &written, &written); code != test.code || !strings.Contains(written.String(), test.told) {
			t.Errorf("%q: exit code %d, want %d; want %q in:\n%s", test.arguments, code, test.code, test.told, &written)
		}
	}
	if _, _, err := parseRace([]string{"-h"}, io.Discard); err != flag.ErrHelp {
		t.Errorf("-h: %v", err)
	}
}

// A short run against the real program: requests flow, none is stuck, no server gets more than one connection. With its
// recheck off and its steps held up, some are stuck: so the measurement can tell.
func TestRace(t *testing.T) {
	for _, test := range []struct {
		name, arguments string
		stuck           bool
	}{
		{"recheck", "-seconds 0.7 -lanes 4 -loops 4 -servers 1,2", false},
		{"steady", "-seconds 0.7 -lanes 4 -loops 2 -load steady -balance source", false},
		{"no recheck", "-seconds 3 -lanes 8 -loops 4 -recheck off -yields 10 -timeout-queue 300ms", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, remarks bytes.Buffer
			if code := run(append([]string{"race", "-json"}, strings.Fields(test.arguments)...), &out, &remarks); code != 0 {
				t.Fatalf("exit code %d:\n%s%s", code, &out, &remarks)
			}
			var rows []race.Row
			if err := json.Unmarshal(out.Bytes(), &rows); err != nil || len(rows) == 0 {
				t.Fatalf("%v in %s", err, &out)
			}
			for _, r := range rows {
				if r.Requests < 100 || r.OverLimit > 0 || r.Failed > 0 || (r.Stuck > 0) != test.stuck {
					t.Errorf("%+v", r)
				}
				if r.Queue == nil || r.Queue.TimedOut != r.Stuck || r.States["sQ"] != r.Stuck {
					t.Errorf("%d stuck, but %+v, %v", r.Stuck, r.Queue, r.States)
				}
				if !test.stuck && (r.Queue.LookedAgain == 0 || r.Queue.Requeued+r.Queue.Direct != r.Queue.LookedAgain) {
					t.Errorf("of those who waited some got no slot: %+v", r.Queue)
				}
			}
		})
	}
}

// cancelling cancels some time after the first remark, which is that a row begins.
type cancelling struct {
	bytes.Buffer
	cancel func()
}

func (c *cancelling) Write(p []byte) (int, error) {
	if c.Len() == 0 {
		time.AfterFunc(700*time.Millisecond, c.cancel)
	}
	return c.Buffer.Write(p)
}

// When it is interrupted, a run gives what it has.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o, _, err := parseRace(strings.Fields("-seconds 100 -requests 0 -loops 2,2 -lanes 2"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	rows, err := race.Run(ctx, o, &cancelling{cancel: cancel})
	if err != nil || len(rows) != 1 || rows[0].Requests == 0 || rows[0].Failed > 0 || rows[0].Queue == nil {
		t.Errorf("%v, %d rows", err, len(rows))
	}
	if lasted := time.Since(began); lasted > 30*time.Second {
		t.Errorf("ended after %v", lasted)
	}
}
