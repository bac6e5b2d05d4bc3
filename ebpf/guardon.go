package ebpf

import (
	"encoding/binary"
	"os"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// guardOn finds the guard that a process of sluice has on an interface of this network namespace: an XDP link whose program has
// the guard's name; nil: there is none. The interface's number alone does not tell: interfaces of other namespaces have the same. So its
// program must be the one that the interface says it has; and a process has its guard in one namespace only.
func guardOn(index int) (link.Link, error) {
	on, err := programOn(index)
	if on == 0 || err != nil {
		return nil, err
	}
	it := new(link.Iterator)
	defer it.Close()
	for it.Next() {
		info, err := it.Link.Info()
		if err != nil || info.Type != link.XDPType || info.XDP() == nil || int(info.XDP().Ifindex) != index || info.Program != on {
			continue
		}
		program, err := ebpf.NewProgramFromID(info.Program)
		if err != nil {
			continue
		}
		is, err := program.Info()
		program.Close()
		if err == nil && is.Name == "sluice_guard" {
			return it.Take(), nil
		}
	}
	return nil, nil
}

// programOn is the XDP program of an interface, as rtnetlink(7) tells it; 0: none.
func programOn(index int) (ebpf.ProgramID, error) {
	answer, err := syscall.NetlinkRIB(unix.RTM_GETLINK, unix.AF_UNSPEC)
	if err != nil {
		return 0, os.NewSyscallError("netlink RTM_GETLINK", err)
	}
	messages, err := syscall.ParseNetlinkMessage(answer)
	if err != nil {
		return 0, os.NewSyscallError("netlink RTM_GETLINK", err)
	}
	for _, m := range messages {
		if m.Header.Type != unix.RTM_NEWLINK || len(m.Data) < unix.SizeofIfInfomsg || int(int32(binary.NativeEndian.Uint32(m.Data[4:]))) != index {
			continue
		}
		return programIn(attribute(m.Data[unix.SizeofIfInfomsg:], unix.IFLA_XDP)), nil
	}
	return 0, nil
}

// programIn reads IFLA_XDP_PROG_ID in what IFLA_XDP holds (linux/if_link.h).
func programIn(nested []byte) ebpf.ProgramID {
	const programID = 4
	if id := attribute(nested, programID); len(id) >= 4 {
		return ebpf.ProgramID(binary.NativeEndian.Uint32(id))
	}
	return 0
}

// attribute finds a netlink attribute among several, and gives what it holds; nil: it is not there.
func attribute(b []byte, kind uint16) []byte {
	for len(b) >= unix.SizeofRtAttr {
		length, is := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])&0x3fff // NLA_TYPE_MASK
		if length < unix.SizeofRtAttr || length > len(b) {
			return nil
		}
		if is == kind {
			return b[unix.SizeofRtAttr:length]
		}
		b = b[min((length+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1), len(b)):]
	}
	return nil
}
