//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a balancer that runs until it is stopped.
type process struct {
	command *exec.Cmd
	output  output
	ended   chan struct{} // closed when it has ended; err is valid then
	err     error
}

// output collects what a process writes. Any goroutine may read it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// starts are the processes to be started. They are told to die with the thread that starts them, so that is one which
// lives as long as this process. They have a process group of their own: Ctrl-C is for bench, which stops them in the end.
var starts = sync.OnceValue(func() chan<- func() {
	c := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range c {
			f()
		}
	}()
	return c
})

func startProcess(path string, arguments ...string) (*process, error) {
	p := &process{command: exec.Command(path, arguments...), ended: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	starts() <- func() { started <- p.command.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	go func() {
		p.err = p.command.Wait()
		close(p.ended)
	}()
	return p, nil
}

// await waits until ready says true, the process ends, or too much time has passed.
func (p *process) await(what string, ready func() bool) error {
	for deadline := time.Now().Add(10 * time.Second); !ready(); time.Sleep(10 * time.Millisecond) {
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended (%v) before %s:\n%s", p.command.Path, p.err, what, p.lastLines())
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: gave up waiting for %s:\n%s", p.command.Path, what, p.lastLines())
		}
	}
	return nil
}

func (p *process) lastLines() string {
	lines := strings.SplitAfter(p.output.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "")
}

// stop asks the process to end, and ends it if it has not after a while.
func (p *process) stop() {
	p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
		p.command.Process.Kill()
		<-p.ended
	}
}
