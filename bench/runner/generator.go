//go:build linux

package runner

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sluice-lb/sluice/bench/load"
	"github.com/sluice-lb/sluice/bench/process"
)

// generate runs a load in a process of its own, and calls at with each event while the process waits for nothing.
func (r *runner) generate(ctx context.Context, room *process.Room, spec load.Spec, at func(event string) error) (*load.Result, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	p, err := room.Start(process.Command{
		Name: "the load", Path: r.self, Arguments: []string{roleWord, loadRole}, CPUs: r.cores.Load, Stdin: bytes.NewReader(text), Stdout: writer,
	})
	writer.Close()
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	stopped := context.AfterFunc(ctx, p.Stop) // ends the reading below
	defer stopped()
	var result *load.Result
	err = messages(reader, func(m load.Message) error {
		switch {
		case m.Error != "":
			return errors.New(m.Error)
		case m.Result != nil:
			result = m.Result
			return nil
		}
		return at(m.Event)
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err == nil && result == nil {
		err = fmt.Errorf("it gave no result: %w", p.Wait(ctx))
	}
	if err != nil {
		return nil, fmt.Errorf("the load: %w", err)
	}
	return result, nil
}

// messages calls each with every line of JSON until the end of in.
func messages[M any](in io.Reader, each func(M) error) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		var m M
		if err := json.Unmarshal(line, &m); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		if err := each(m); err != nil {
			return err
		}
	}
}
