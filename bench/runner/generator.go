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
	"github.com/sluice-lb/sluice/bench/origin"
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

// origins is a process that plays servers.
type origins struct {
	*process.Process
	spec  origin.Spec // with the addresses that it listens on
	stdin *os.File    // it ends when this does, even if the harness is killed
}

// serve starts origins and waits until they listen.
func (r *runner) serve(room *process.Room, spec origin.Spec) (*origins, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	theirIn, ourIn, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	ourOut, theirOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, ourIn.Close())
	}
	o := &origins{spec: spec, stdin: ourIn}
	o.Process, err = room.Start(process.Command{
		Name: "the origin", Path: r.self, Arguments: []string{roleWord, originRole}, CPUs: r.cores.Load, Stdin: theirIn, Stdout: theirOut,
	})
	theirOut.Close()
	if err == nil {
		_, err = ourIn.Write(append(text, '\n'))
	}
	if err != nil {
		return nil, errors.Join(err, ourIn.Close(), ourOut.Close())
	}
	listening := make(chan error, 1)
	go func() { // reads until the end, so that the origin never waits for a reader
		defer ourOut.Close()
		heard := false
		err := messages(ourOut, func(m origin.Message) error {
			if m.Error != "" && !heard {
				return errors.New(m.Error)
			}
			if m.Listening != nil && !heard {
				o.spec.Listen, heard = m.Listening, true
				listening <- nil
			}
			return nil
		})
		if !heard {
			listening <- fmt.Errorf("the origin does not listen: %v", err)
		}
	}()
	if err := <-listening; err != nil {
		err = errors.Join(err, o.Alive())
		o.stop()
		return nil, err
	}
	return o, nil
}

func (o *origins) stop() {
	o.Stop()
	o.stdin.Close()
}
