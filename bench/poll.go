//go:build linux

package main

import (
	"fmt"
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

var loopback = [4]byte{127, 0, 0, 1}

// listen listens on a loopback port of its own choice, or on the given one.
func listen(port int) (fd, bound int, err error) {
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, 0, os.NewSyscallError("socket", err)
	}
	defer func() {
		if err != nil {
			syscall.Close(fd)
		}
	}()
	if err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return -1, 0, os.NewSyscallError("setsockopt", err)
	}
	if err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: loopback, Port: port}); err != nil {
		return -1, 0, os.NewSyscallError("bind", err)
	}
	if err = syscall.Listen(fd, 1024); err != nil {
		return -1, 0, os.NewSyscallError("listen", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return -1, 0, os.NewSyscallError("getsockname", err)
	}
	address, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		return -1, 0, fmt.Errorf("a socket of an unexpected family: %T", name)
	}
	return fd, address.Port, nil
}

// ports hands out loopback ports that nobody listens on, below the range from which the kernel takes the ports of
// connections: among millions of those, one would soon sit on a port that a balancer is about to listen on.
type ports struct{ next int }

func newPorts() *ports { return &ports{next: 10000 + (os.Getpid()*97)%15000} }

func (p *ports) take() (fd, port int, err error) {
	for range 5000 {
		if p.next++; p.next >= 32000 {
			p.next = 10000
		}
		if fd, port, err = listen(p.next); err == nil {
			return fd, port, nil
		}
	}
	return -1, 0, fmt.Errorf("no free port: %w", err)
}

// free is a port for somebody else to listen on.
func (p *ports) free() (int, error) {
	fd, port, err := p.take()
	if err == nil {
		syscall.Close(fd)
	}
	return port, err
}
