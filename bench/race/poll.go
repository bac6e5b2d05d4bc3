//go:build linux

package race

import (
	"net/netip"
	"os"
	"syscall"
	"time"
)

// poll tells which descriptors are ready, level-triggered. One goroutine uses it. A goroutine for each connection would
// cost more than the balancer that is measured, on the same two cores.
type poll struct {
	fd     int
	events [256]syscall.EpollEvent
}

const (
	readable = syscall.EPOLLIN | syscall.EPOLLRDHUP
	writable = syscall.EPOLLOUT
)

func newPoll() (*poll, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	return &poll{fd: fd}, os.NewSyscallError("epoll_create1", err)
}

// add watches fd until it is closed.
func (p *poll) add(fd int, events uint32) error {
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: events, Fd: int32(fd)}))
}

// change watches fd, which is watched already, for other events.
func (p *poll) change(fd int, events uint32) error {
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_MOD, fd, &syscall.EpollEvent{Events: events, Fd: int32(fd)}))
}

// wait gives what is ready. It waits for whole milliseconds only, and not at all for less.
func (p *poll) wait(longest time.Duration) ([]syscall.EpollEvent, error) {
	n, err := syscall.EpollWait(p.fd, p.events[:], int(longest/time.Millisecond))
	if err == syscall.EINTR {
		return nil, nil
	}
	if err != nil {
		return nil, os.NewSyscallError("epoll_wait", err)
	}
	return p.events[:n], nil
}

func (p *poll) close() { syscall.Close(p.fd) }

// again tells whether the call would have had to wait.
func again(err error) bool {
	return err == syscall.EAGAIN || err == syscall.EINTR || err == syscall.EINPROGRESS
}

var loopback = netip.MustParseAddr("127.0.0.1")
