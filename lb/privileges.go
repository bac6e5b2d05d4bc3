package lb

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/poller"
)

// identity is who the process becomes once all its sockets are open.
type identity struct {
	chroot   string // empty: none
	uid, gid int    // 0: stay
	// keepRaw: sockets with foreign addresses are opened for as long as the process runs ("usesrc"), which needs
	// CAP_NET_RAW (ip(7), IP_TRANSPARENT): it is kept when the user changes, and nothing else is.
	keepRaw  bool
	dumpable bool
}

// newIdentity looks the names of the configuration up, while the files for that can still be seen.
func newIdentity(cfg *config.Config) (identity, error) {
	g := cfg.Global
	id := identity{chroot: g.Chroot, uid: g.UID, gid: g.GID, dumpable: g.SetDumpable, keepRaw: spoofs(cfg)}
	if g.User != "" {
		u, err := user.Lookup(g.User)
		if err != nil {
			return id, fmt.Errorf("cannot find user id for '%s'", g.User)
		}
		id.uid, _ = strconv.Atoi(u.Uid)
	}
	if g.Group != "" {
		group, err := user.LookupGroup(g.Group)
		if err != nil {
			return id, fmt.Errorf("cannot find group id for '%s'", g.Group)
		}
		id.gid, _ = strconv.Atoi(group.Gid)
	}
	return id, nil
}

// spoofs tells whether some server is reached from an address that is not the host's own.
func spoofs(cfg *config.Config) bool {
	foreign := func(s *config.Source) bool { return s != nil && s.UseSource != "" }
	for _, proxy := range cfg.Proxies {
		if proxy.Disabled {
			continue
		}
		if foreign(proxy.Source) {
			return true
		}
		for _, server := range proxy.Servers {
			if foreign(server.Source) {
				return true
			}
		}
	}
	return false
}

// assume changes into the identity, on every thread of the process: chroot, then groups, group, and user. It must be
// called when no privilege is needed any more. After an error the process is in between and must end.
//
// Package syscall changes all threads as POSIX demands, not just the calling one as the kernel does.
func (id identity) assume() error {
	if id.chroot != "" {
		if err := syscall.Chroot(id.chroot); err != nil {
			return fmt.Errorf("cannot chroot(%s): %w", id.chroot, err)
		}
		if err := os.Chdir("/"); err != nil {
			return fmt.Errorf("cannot chroot(%s): %w", id.chroot, err)
		}
	}
	if (id.gid != 0 || id.uid != 0) && os.Geteuid() == 0 {
		if err := syscall.Setgroups(nil); err != nil {
			return fmt.Errorf("cannot drop supplementary groups: %w", err)
		}
	}
	if id.gid != 0 && id.gid != os.Getgid() {
		if err := syscall.Setgid(id.gid); err != nil {
			return fmt.Errorf("cannot set gid %d: %w", id.gid, err)
		}
	}
	if id.uid != 0 && id.uid != os.Getuid() {
		if err := id.changeUser(); err != nil {
			return err
		}
	}
	if id.dumpable {
		if err := poller.SetDumpable(); err != nil {
			return fmt.Errorf("cannot make the process dumpable: %w", err)
		}
	}
	return nil
}

func (id identity) changeUser() error {
	keep := id.keepRaw && os.Geteuid() == 0
	if keep {
		if err := poller.KeepCapabilities(); err != nil {
			return fmt.Errorf("cannot keep CAP_NET_RAW for 'usesrc' while changing to uid %d: %w", id.uid, err)
		}
	}
	if err := syscall.Setuid(id.uid); err != nil {
		return fmt.Errorf("cannot set uid %d: %w", id.uid, err)
	}
	if keep {
		if err := poller.LimitToNetRaw(); err != nil {
			return fmt.Errorf("cannot keep CAP_NET_RAW for 'usesrc' as uid %d: %w", id.uid, err)
		}
	}
	return nil
}
