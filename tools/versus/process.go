package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// launcher starts processes pinned to a core. A child inherits the affinity of the thread that forks it, and is told to
// die with it (PR_SET_PDEATHSIG), so all are forked by one thread that lives as long as this process.
type launcher struct{ orders chan order }

type order struct {
	command *exec.Cmd
	cpu     int
	done    chan error
}

func newLauncher() *launcher {
	l := &launcher{orders: make(chan order)}
	go func() {
		runtime.LockOSThread()
		for o := range l.orders {
			var set unix.CPUSet
			set.Set(o.cpu)
			if err := unix.SchedSetaffinity(0, &set); err != nil {
				o.done <- fmt.Errorf("pin to core %d: %w", o.cpu, err)
				continue
			}
			o.done <- o.command.Start()
		}
	}()
	return l
}

// start runs a command on a core, until it ends or ctx does.
func (l *launcher) start(cpu int, command *exec.Cmd) error {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	command.WaitDelay = 5 * time.Second
	o := order{command, cpu, make(chan error, 1)}
	l.orders <- o
	if err := <-o.done; err != nil {
		return fmt.Errorf("start %s: %w", command.Path, err)
	}
	return nil
}

// service is a process that runs until it is stopped.
type service struct {
	name    string
	command *exec.Cmd
	output  *tail
	ended   chan struct{} // closed when it has ended; err is valid then
	err     error
}

// serve starts a service.
func (l *launcher) serve(ctx context.Context, name string, cpu int, path string, arguments ...string) (*service, error) {
	s := &service{name: name, output: &tail{}, ended: make(chan struct{})}
	s.command = exec.CommandContext(ctx, path, arguments...)
	s.command.Stdout, s.command.Stderr = s.output, s.output
	if err := l.start(cpu, s.command); err != nil {
		return nil, err
	}
	go func() {
		s.err = s.command.Wait()
		close(s.ended)
	}()
	return s, nil
}

func (s *service) pid() int { return s.command.Process.Pid }

// stop asks the process to end, and ends it if it has not after a while.
func (s *service) stop() {
	s.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(3 * time.Second):
		s.command.Process.Kill()
		<-s.ended
	}
}

// alive gives an error if the process has ended by itself.
func (s *service) alive() error {
	select {
	case <-s.ended:
		return fmt.Errorf("%s has ended: %v: %s", s.name, s.err, s.output)
	default:
		return nil
	}
}
