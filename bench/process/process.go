//go:build linux

package process

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command is what to start.
type Command struct {
	Name      string // in error messages
	Path      string
	Arguments []string
	CPUs      []int // none: wherever the harness may run
	Stdin     io.Reader
	Stdout    io.Writer // nil: kept with stderr, for error messages
	Output    io.Writer // gets all of what is kept, of which error messages have the end; nil: nobody
}

// Process is a program that runs until it ends or is stopped. Any goroutine may use it.
type Process struct {
	name    string
	command *exec.Cmd
	output  tail
	ended   chan struct{} // closed when it has ended; err is valid then
	err     error
	stop    sync.Once
}

// Start starts a command. It has a process group of its own: Ctrl-C is for the harness, which stops what it started.
func (r *Room) Start(c Command) (*Process, error) {
	p := &Process{name: c.Name, command: exec.Command(c.Path, c.Arguments...), ended: make(chan struct{})}
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.output.all = c.Output
	p.command.Stdin, p.command.Stdout, p.command.Stderr = c.Stdin, c.Stdout, &p.output
	p.command.WaitDelay = 2 * time.Second
	if c.Stdout == nil {
		p.command.Stdout = &p.output
	}
	var err error
	r.Do(func() {
		if err = pin(c.CPUs); err == nil {
			err = p.command.Start()
		}
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	go func() {
		p.err = p.command.Wait()
		close(p.ended)
	}()
	return p, nil
}

// everywhere are the cores that this process may use.
var everywhere = sync.OnceValues(func() (set unix.CPUSet, err error) {
	err = unix.SchedGetaffinity(unix.Getpid(), &set)
	return set, err
})

func pin(cpus []int) error {
	set, err := everywhere()
	if err != nil {
		return err
	}
	if len(cpus) > 0 {
		set.Zero()
		for _, cpu := range cpus {
			set.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin to %v: %w", cpus, err)
	}
	return nil
}

// PID is the process's number, and that of its group.
func (p *Process) PID() int { return p.command.Process.Pid }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Signal sends a signal to the process.
func (p *Process) Signal(s syscall.Signal) { p.command.Process.Signal(s) }

// Alive gives an error with the last lines of output if the process has ended.
func (p *Process) Alive() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s has ended: %w", p.name, p.failure())
	default:
		return nil
	}
}

// Wait waits for the end of the process and gives an error unless its exit code is 0. ctx ends the process.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.ended:
	case <-ctx.Done():
		p.Stop()
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w", p.name, p.failure())
	}
	return ctx.Err()
}

func (p *Process) failure() error {
	if p.err == nil {
		return fmt.Errorf("exit code 0\n%s", p.output.String())
	}
	return fmt.Errorf("%w\n%s", p.err, p.output.String())
}

// Await waits until ready says true, and gives an error when the process ends before, ctx does, or ten seconds have passed.
func (p *Process) Await(ctx context.Context, what string, ready func() bool) error {
	for deadline := time.Now().Add(10 * time.Second); !ready(); {
		if err := p.Alive(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: gave up waiting for %s\n%s", p.name, what, p.output.String())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// Stop asks the process to end, ends it if it has not after three seconds, and ends what is left of its group.
func (p *Process) Stop() {
	p.stop.Do(func() {
		p.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(3 * time.Second):
			p.Kill()
		}
		syscall.Kill(-p.PID(), syscall.SIGKILL)
	})
}

// Kill ends the process at once.
func (p *Process) Kill() {
	p.command.Process.Kill()
	<-p.ended
}

// Output is the end of what the process wrote.
func (p *Process) Output() string { return p.output.String() }

// Said gives the first line of Output that has the word in it; empty: none has.
func (p *Process) Said(word string) string {
	for line := range strings.Lines(p.Output()) {
		if strings.Contains(line, word) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// tail keeps the end of what is written to it, and passes all of it on.
type tail struct {
	all  io.Writer // may be nil
	mu   sync.Mutex
	text []byte
}

const tailBytes = 8 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if len(t.text) > 2*tailBytes {
		t.text = bytes.Clone(t.text[len(t.text)-tailBytes:])
	}
	if t.all != nil {
		return t.all.Write(b)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text[max(0, len(t.text)-tailBytes):]))
}
