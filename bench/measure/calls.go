//go:build linux

package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Calls counts the system calls of processes with perf(1), on the tracepoint that every call passes. That costs the counted about
// a tenth of a microsecond for each, so what is counted is not to be timed.
type Calls struct {
	command         *exec.Cmd
	output          bytes.Buffer
	orders, answers *os.File
}

const callEvent = "raw_syscalls:sys_enter"

// CanCountCalls tells why calls cannot be counted here: no perf, no right to, no such event.
func CanCountCalls(ctx context.Context) error {
	output, err := exec.CommandContext(ctx, "perf", "stat", "-x", ",", "-e", callEvent, "true").CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("perf is not installed")
	}
	if err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
		return fmt.Errorf("perf: %w: %s", err, line)
	}
	_, err = parseCalls(string(output))
	return err
}

// PrepareCalls attaches to processes. Nothing is counted yet.
func PrepareCalls(pids []int) (*Calls, error) {
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
	// perf-stat(1): with a delay of -1 it begins with events disabled, and is told over a descriptor when to count.
	c := &Calls{orders: orders, answers: answers}
	c.command = exec.Command("perf", "stat", "-x", ",", "-D", "-1", "--control", "fd:3,4", "-e", callEvent, "-p", strings.Join(list, ","))
	c.command.ExtraFiles = []*os.File{theirOrders, theirAnswers}
	c.command.Stdout, c.command.Stderr = &c.output, &c.output
	c.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the harness
	if err := c.command.Start(); err != nil {
		return nil, errors.Join(err, orders.Close(), answers.Close())
	}
	return c, nil
}

// Begin counts from now on.
func (c *Calls) Begin() error { return c.order("enable") }

// End counts no more.
func (c *Calls) End() error { return c.order("disable") }

// order tells perf to do something and waits until it has.
func (c *Calls) order(word string) error {
	if _, err := c.orders.WriteString(word + "\n"); err != nil {
		return fmt.Errorf("perf: %s: %w", word, err)
	}
	c.answers.SetReadDeadline(time.Now().Add(5 * time.Second))
	var answer [8]byte
	if _, err := c.answers.Read(answer[:]); err != nil {
		return fmt.Errorf("perf: %s: %w", word, err)
	}
	return nil
}

// Stop ends perf and gives the number of calls between Begin and End.
func (c *Calls) Stop() (int64, error) {
	c.command.Process.Signal(syscall.SIGINT) // perf-stat(1): the counts are written then
	ended := time.AfterFunc(5*time.Second, func() { c.command.Process.Kill() })
	defer ended.Stop()
	c.command.Wait() // its exit code tells of the signal
	c.orders.Close()
	c.answers.Close()
	return parseCalls(c.output.String())
}

// parseCalls reads the line "236665,,raw_syscalls:sys_enter,…" of perf stat -x.
func parseCalls(output string) (int64, error) {
	for line := range strings.Lines(output) {
		if fields := strings.Split(line, ","); len(fields) > 2 && fields[2] == callEvent {
			n, err := strconv.ParseInt(fields[0], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("perf: %q is no count", line)
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("perf gave no count: %q", output)
}
