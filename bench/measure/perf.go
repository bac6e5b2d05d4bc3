//go:build linux

package measure

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// perf is a running perf(1) that has been attached to processes and looks at nothing until it is told to.
type perf struct {
	command         *exec.Cmd
	output          bytes.Buffer // of both kinds; valid when it has ended
	orders, answers *os.File
}

// startPerf starts "perf <what> …" for processes. perf-stat(1) and perf-record(1): with a delay of -1 it begins with events disabled, and is
// told over a descriptor when to enable them, and answers over another.
func startPerf(what string, pids []int, arguments ...string) (*perf, error) {
	var list []string
	for _, pid := range pids {
		list = append(list, strconv.Itoa(pid))
	}
	theirOrders, orders, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirOrders.Close()
	answers, theirAnswers, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, orders.Close())
	}
	defer theirAnswers.Close()
	p := &perf{orders: orders, answers: answers}
	p.command = exec.Command("perf", append([]string{what, "-D", "-1", "--control", "fd:3,4", "-p", strings.Join(list, ",")}, arguments...)...)
	p.command.ExtraFiles = []*os.File{theirOrders, theirAnswers}
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the harness
	if err := p.command.Start(); err != nil {
		return nil, errors.Join(err, orders.Close(), answers.Close())
	}
	return p, nil
}

// Begin looks from now on.
func (p *perf) Begin() error { return p.order("enable") }

// End looks no more.
func (p *perf) End() error { return p.order("disable") }

// order tells perf to do something and waits until it has.
func (p *perf) order(word string) error {
	if _, err := p.orders.WriteString(word + "\n"); err != nil {
		return fmt.Errorf("perf: %s: %w", word, err)
	}
	p.answers.SetReadDeadline(time.Now().Add(5 * time.Second))
	var answer [8]byte
	if _, err := p.answers.Read(answer[:]); err != nil {
		return fmt.Errorf("perf: %s: %w", word, err)
	}
	return nil
}

// finish ends perf, and gives what it wrote. Its exit code tells of the signal, and is of no use.
func (p *perf) finish() string {
	p.command.Process.Signal(syscall.SIGINT) // results are written then
	ended := time.AfterFunc(10*time.Second, func() { p.command.Process.Kill() })
	defer ended.Stop()
	p.command.Wait()
	p.orders.Close()
	p.answers.Close()
	return p.output.String()
}

// firstFailure is the line with which perf says what it cannot do.
func firstFailure(output []byte, err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("perf is not installed")
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
	return fmt.Errorf("perf: %w: %s", err, line)
}
