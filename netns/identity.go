package netns

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// identity tells one file from all others. As long as somebody is in a namespace, or has it open, no other one gets its inode.
type identity struct{ device, inode uint64 }

// errOther is that something is at the name which is no network namespace. "ip netns add" makes a file first, and mounts the
// namespace there then.
var errOther = errors.New("that is not a network namespace")

// identify looks what file is at a path.
func identify(directory int, path string) (identity, error) {
	var file unix.Stat_t
	if err := unix.Fstatat(directory, path, &file, 0); err != nil {
		return identity{}, err
	}
	return identity{uint64(file.Dev), file.Ino}, nil
}

// openAt opens the network namespace at a path.
func openAt(directory int, path string) (netns.NsHandle, identity, error) {
	fd, err := unix.Openat(directory, path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return netns.None(), identity{}, err
	}
	handle := netns.NsHandle(fd)
	var system unix.Statfs_t
	var file unix.Stat_t
	if err := errors.Join(unix.Fstatfs(fd, &system), unix.Fstat(fd, &file)); err != nil {
		handle.Close()
		return netns.None(), identity{}, fmt.Errorf("stat: %w", err)
	}
	other := system.Type != unix.NSFS_MAGIC
	if kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE); err == nil && kind != unix.CLONE_NEWNET {
		other = true // ioctl_nsfs(2); an older kernel does not know, and setns tells
	}
	if other {
		handle.Close()
		return netns.None(), identity{}, errOther
	}
	return handle, identity{uint64(file.Dev), file.Ino}, nil
}
