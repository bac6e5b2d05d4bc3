package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// insideMark is in the environment of the process that lives in the new namespace.
const insideMark = "FAULTS_INSIDE"

func inside() bool { return os.Getenv(insideMark) != "" }

// enter runs this program once more, in a network namespace of its own, and returns its exit code.
func enter() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideMark+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, "faults: a network namespace of its own, which takes root:", err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

// arrive makes the namespace usable.
func arrive() error { return run("ip", "link", "set", "lo", "up") }

func run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return nil
}

// cable joins this namespace with that of a process: near here, ours with its address, and eth0 there.
func cable(pid int, near, ours, theirs string) error {
	ns := strconv.Itoa(pid)
	for _, line := range [][]string{
		{"ip", "link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", ns},
		{"ip", "address", "add", ours + "/30", "dev", near},
		{"ip", "link", "set", near, "up"},
		{"nsenter", "-t", ns, "-n", "ip", "link", "set", "lo", "up"},
		{"nsenter", "-t", ns, "-n", "ip", "address", "add", theirs + "/30", "dev", "eth0"},
		{"nsenter", "-t", ns, "-n", "ip", "link", "set", "eth0", "up"},
	} {
		if err := run(line[0], line[1:]...); err != nil {
			return err
		}
	}
	return nil
}
