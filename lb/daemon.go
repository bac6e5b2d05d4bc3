package lb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/sluice-lb/sluice/lb/systemd"
)

// Going to the background. Go cannot fork, so the program is started again, as the leader of a session of its own, with the
// same arguments, directory, environment and inherited descriptors (fd@N keeps its number), and one descriptor more, whose
// number is in the environment: the write end of a pipe. The first process waits at the other end. The child does all
// the work of starting and then writes one byte: the first process ends with 0, and a client may connect at once. A child
// that fails closes the pipe by ending, having said why on the standard error that both share; the first process ends
// with the child's exit code.

// readyVariable names the descriptor of the pipe to the child.
const readyVariable = "SLUICE_READY_FD"

// detach starts the child and waits until it runs or failed. It gives the exit code for the calling process.
func detach(arguments []string) (int, error) {
	var pipe [2]int
	if err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC); err != nil {
		return 1, fmt.Errorf("cannot go to the background: %w", os.NewSyscallError("pipe2", err))
	}
	reader := os.NewFile(uintptr(pipe[0]), "ready")
	defer reader.Close()
	// A child gets the descriptors that are not close-on-exec under their own numbers. This one is only for the one child
	// that this process ever starts.
	if err := inherit(pipe[1]); err != nil {
		syscall.Close(pipe[1])
		return 1, fmt.Errorf("cannot go to the background: %w", err)
	}
	pid, err := syscall.ForkExec("/proc/self/exe", arguments, &syscall.ProcAttr{
		Env:   append(managedEnvironment(), readyVariable+"="+strconv.Itoa(pipe[1])),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	syscall.Close(pipe[1])
	if err != nil {
		return 1, fmt.Errorf("cannot go to the background: %w", os.NewSyscallError("fork", err))
	}
	var ready [1]byte
	if n, _ := io.ReadFull(reader, ready[:]); n == 1 {
		return 0, handOver(pid)
	}
	var status syscall.WaitStatus
	for {
		if _, err = syscall.Wait4(pid, &status, 0, nil); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	switch {
	case err != nil:
		return 1, fmt.Errorf("cannot learn how process %d failed to start: %w", pid, err)
	case status.Signaled():
		return 1, fmt.Errorf("process %d was ended by signal '%s' while it started", pid, status.Signal())
	case status.ExitStatus() == 0:
		return 1, fmt.Errorf("process %d ended before it was ready", pid)
	}
	return status.ExitStatus(), nil
}

// managedEnvironment is this process's environment, without the word that the service manager's watchdog is for this process alone.
func managedEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "WATCHDOG_PID=") })
}

// handOver tells the service manager, if one started this process, that the child is what it should watch. It believes that only of
// a process that it watches already (NotifyAccess=main), so it is this one that must say so, before it ends.
func handOver(pid int) error {
	notifier, err := systemd.Open()
	if err == nil {
		err = notifier.Send(systemd.MainPID(pid), systemd.Ready)
	}
	return err
}

// background is the child's side of detach.
type background struct {
	ready *os.File
}

// inBackground tells whether this process is such a child, and takes the variable out of the environment.
func inBackground() (*background, bool) {
	value, found := os.LookupEnv(readyVariable)
	if !found {
		return nil, false
	}
	os.Unsetenv(readyVariable)
	fd, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil || fd < 3 {
		return nil, false
	}
	var stat syscall.Stat_t
	if syscall.Fstat(fd, &stat) != nil || stat.Mode&syscall.S_IFMT != syscall.S_IFIFO {
		return nil, false
	}
	syscall.CloseOnExec(fd)
	return &background{ready: os.NewFile(uintptr(fd), "ready")}, true
}

// openNull opens what the standard streams become; it must be called before chroot.
func openNull() (*os.File, error) {
	return os.OpenFile(os.DevNull, os.O_RDWR, 0)
}

// finish tells the first process that this one runs, and lets go of the terminal. The order matters: what cannot be
// said any more must have been said before.
func (b *background) finish(null *os.File) error {
	defer b.ready.Close()
	for stream := range 3 {
		if err := syscall.Dup3(int(null.Fd()), stream, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	null.Close()
	if _, err := b.ready.Write([]byte{1}); err != nil && !errors.Is(err, syscall.EPIPE) {
		return err
	}
	return nil
}

// inherit takes the close-on-exec flag off a descriptor (fcntl(2)).
func inherit(fd int) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_SETFD, 0); errno != 0 {
		return os.NewSyscallError("fcntl", errno)
	}
	return nil
}
