package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// Every origin has the same ports, at an address of its own.
const (
	mainPort  = ":9000"
	checkPort = ":9001" // a second listener, so that checks can fail while connections live
	agentPort = ":9002"
)

// server is the parent's side of an origin. One goroutine at a time uses it.
type server struct {
	name    string
	address string // without a port
	cabled  string // the name of our end of its cable; empty: it shares our namespace
	ours    string // our address on the cable

	ports   []string // those that it opens when it starts
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Reader
}

// start begins the process and opens its ports.
func (s *server) start() error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), originMark+"="+s.name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if s.cabled != "" {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("origin %s: %w", s.name, err)
	}
	s.cmd, s.orders, s.answers = cmd, in, bufio.NewReader(out)
	if s.cabled != "" {
		if err := cable(cmd.Process.Pid, s.cabled, s.ours, s.address); err != nil {
			return err
		}
	}
	for _, port := range s.ports {
		if err := s.order("open " + s.address + port); err != nil {
			return err
		}
	}
	return nil
}

// order has the origin do something and returns when it is done.
func (s *server) order(text string) error {
	if _, err := io.WriteString(s.orders, text+"\n"); err != nil {
		return fmt.Errorf("origin %s: %w", s.name, err)
	}
	answer, err := s.answers.ReadString('\n')
	if answer = strings.TrimSpace(answer); err != nil || answer != "done" {
		return fmt.Errorf("origin %s: %s: %s %v", s.name, text, answer, err)
	}
	return nil
}

func (s *server) open(port string) error  { return s.order("open " + s.address + port) }
func (s *server) close(port string) error { return s.order("close " + s.address + port) }

func (s *server) signal(sig syscall.Signal) error { return s.cmd.Process.Signal(sig) }

// kill ends the process, as a crash does: the kernel closes what it had open.
func (s *server) kill() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	s.cmd.Wait()
	return nil
}

// end is kill for a server that may not have been started.
func (s *server) end() {
	if s.cmd != nil && s.cmd.ProcessState == nil {
		s.kill()
	}
}

// unplug takes the origin's end of its cable down, and plug up again.
func (s *server) unplug() error { return s.link("down") }
func (s *server) plug() error   { return s.link("up") }

func (s *server) link(state string) error {
	return run("nsenter", "-t", strconv.Itoa(s.cmd.Process.Pid), "-n", "ip", "link", "set", "eth0", state)
}
