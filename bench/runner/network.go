//go:build linux

package runner

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/sluice-lb/sluice/bench/process"
	"github.com/sluice-lb/sluice/bench/subject"
)

// network is where load, subject and origin stand, and their addresses.
type network struct {
	name                  string
	load, subject, origin *process.Room
	front, back           netip.Addr // what the subject listens on, what the origin does
	device                string     // by which clients come to the subject
}

func loopback() (*network, error) {
	room, err := process.NewRoom(false)
	if err != nil {
		return nil, err
	}
	local := netip.MustParseAddr("127.0.0.1")
	return &network{"loopback", room, room, room, local, local, "lo"}, nil
}

// veth makes three network namespaces in a row, load – subject – origin, joined by pairs of veth devices. Where there is no subject
// (direct) the middle one routes. The addresses are from RFC 2544's range for benchmarks. All of it is gone when the rooms are
// closed and the processes in them have ended.
func veth(ctx context.Context) (n *network, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("only root may make network namespaces")
	}
	n = &network{name: "veth", front: netip.MustParseAddr("198.18.0.2"), back: netip.MustParseAddr("198.18.1.2"), device: "front"}
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	for _, room := range []**process.Room{&n.load, &n.subject, &n.origin} {
		if *room, err = process.NewRoom(true); err != nil {
			return n, err
		}
	}
	steps := []struct {
		room *process.Room
		line string
	}{
		{n.subject, fmt.Sprintf("link add front type veth peer name client netns %d", n.load.TID())},
		{n.subject, fmt.Sprintf("link add back type veth peer name server netns %d", n.origin.TID())},
		{n.load, "address add 198.18.0.1/24 dev client"},
		{n.subject, "address add 198.18.0.2/24 dev front"},
		{n.subject, "address add 198.18.1.1/24 dev back"},
		{n.origin, "address add 198.18.1.2/24 dev server"},
		{n.load, "link set client up"},
		{n.subject, "link set front up"},
		{n.subject, "link set back up"},
		{n.origin, "link set server up"},
		{n.load, "route add default via 198.18.0.2"},
		{n.origin, "route add default via 198.18.1.1"},
	}
	for _, room := range []*process.Room{n.load, n.subject, n.origin} {
		if err := ip(ctx, room, "link set lo up"); err != nil {
			return n, err
		}
	}
	for _, s := range steps {
		if err := ip(ctx, s.room, s.line); err != nil {
			return n, err
		}
	}
	n.subject.Do(func() { err = os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) })
	return n, err
}

// ip runs ip(8) in a room.
func ip(ctx context.Context, room *process.Room, line string) error {
	p, err := room.Start(process.Command{Name: "ip " + line, Path: "ip", Arguments: strings.Fields(line)})
	if err != nil {
		return err
	}
	return p.Wait(ctx)
}

// listen gives a free address for the subject.
func (n *network) listen() (netip.AddrPort, error) { return subject.FreePort(n.subject, n.front) }

func (n *network) close() {
	rooms := map[*process.Room]bool{n.load: true, n.subject: true, n.origin: true}
	delete(rooms, nil)
	for room := range rooms {
		room.Close()
	}
}
