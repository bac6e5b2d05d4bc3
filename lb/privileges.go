package lb

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/poller"
)

// identity is who the process becomes once all its sockets are open.
type identity struct {
	chroot   string // empty: none
	uid, gid int    // 0: stay
	// keep are the capabilities that are needed for as long as the process runs. They are kept when the user changes, and nothing
	// else is.
	keep     []kept
	dumpable bool
}

// newIdentity looks the names of the configuration up, while the files for that can still be seen.
func newIdentity(cfg *config.Config) (identity, error) {
	g := cfg.Global
	id := identity{chroot: g.Chroot, uid: g.UID, gid: g.GID, dumpable: g.SetDumpable, keep: keeps(cfg)}
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

// kept is a capability with what it is for, as a message says it.
type kept struct {
	poller.Capability
	reason string
}

// keeps lists what must be kept. Sockets with foreign addresses need CAP_NET_RAW whenever one is made (ip(7), IP_TRANSPARENT). A
// network namespace that comes, late or anew, is entered with CAP_SYS_ADMIN; the listeners in it are made then, with what their
// addresses and ports need.
func keeps(cfg *config.Config) []kept {
	var list []kept
	spaces := len(namespacesOf(cfg)) > 0
	raw := spoofs(cfg)
	reason, low := "usesrc", false
	if spaces {
		list = append(list, kept{poller.SysAdmin, "namespace"})
		for _, bind := range bindsElsewhere(cfg) {
			low = low || bind.Address.Port > 0 && bind.Address.Port < lowPorts
			if !raw && (bind.Transparent || bind.Interface != "") {
				raw, reason = true, "namespace"
			}
		}
	}
	if low {
		list = append(list, kept{poller.NetBindService, "namespace"})
	}
	if raw {
		list = append(list, kept{poller.NetRaw, reason})
	}
	return list
}

// lowPorts is where those begin that anybody may bind to (net.ipv4.ip_unprivileged_port_start, ip-sysctl.rst).
const lowPorts = 1024

// bindsElsewhere lists what listens in other network namespaces.
func bindsElsewhere(cfg *config.Config) []*config.Bind {
	var list []*config.Bind
	for _, proxy := range cfg.Proxies {
		for _, bind := range proxy.Binds {
			if !proxy.Disabled && bind.Namespace != "" {
				list = append(list, bind)
			}
		}
	}
	for i := range cfg.Global.StatsSockets {
		if bind := &cfg.Global.StatsSockets[i].Bind; bind.Namespace != "" {
			list = append(list, bind)
		}
	}
	return list
}

// words names the capabilities and what they are for.
func words(list []kept) (names, reasons string) {
	for i, k := range list {
		if i > 0 {
			names += ", "
		}
		names += k.String()
		if reason := "'" + k.reason + "'"; !strings.Contains(reasons, reason) {
			if reasons != "" {
				reasons += " and "
			}
			reasons += reason
		}
	}
	return names, reasons
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
	keep := len(id.keep) > 0 && os.Geteuid() == 0
	names, reasons := words(id.keep)
	if keep {
		if err := poller.KeepCapabilities(); err != nil {
			return fmt.Errorf("cannot keep %s for %s while changing to uid %d: %w", names, reasons, id.uid, err)
		}
	}
	if err := syscall.Setuid(id.uid); err != nil {
		return fmt.Errorf("cannot set uid %d: %w", id.uid, err)
	}
	if keep {
		var list []poller.Capability
		for _, k := range id.keep {
			list = append(list, k.Capability)
		}
		if err := poller.LimitTo(list); err != nil {
			return fmt.Errorf("cannot keep %s for %s as uid %d: %w", names, reasons, id.uid, err)
		}
	}
	return nil
}
