//go:build linux

package measure

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Memory is what is in use at a moment, in bytes.
type Memory struct {
	RSS int64 // resident, of the processes
	PSS int64 // resident, with a page that n processes share counted as 1/n
	// Kernel is the whole machine's: slab caches (sockets, files, epoll items), page tables, and the pages of socket buffers.
	Kernel  int64
	Sockets int64 // the part of Kernel that is TCP's buffers
}

// ReadMemory reads what processes use, and the kernel.
func ReadMemory(pids []int) (m Memory, err error) {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return m, err
		}
		m.RSS += kilobytes(string(text), "Rss")
		m.PSS += kilobytes(string(text), "Pss")
	}
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return m, err
	}
	for _, name := range []string{"Slab", "PageTables", "KernelStack"} {
		m.Kernel += kilobytes(string(meminfo), name)
	}
	sockstat, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return m, err
	}
	m.Sockets, err = parseSockets(string(sockstat))
	m.Kernel += m.Sockets
	return m, err
}

// Minus is by how much m is more than v.
func (m Memory) Minus(v Memory) Memory {
	return Memory{m.RSS - v.RSS, m.PSS - v.PSS, m.Kernel - v.Kernel, m.Sockets - v.Sockets}
}

// kilobytes gives a line "Name: 12 kB" of proc(5) in bytes; 0 if there is none.
func kilobytes(text, name string) int64 {
	for line := range strings.Lines(text) {
		found, value, _ := strings.Cut(line, ":")
		if fields := strings.Fields(value); found == name && len(fields) > 0 {
			n, _ := strconv.ParseInt(fields[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

// parseSockets gives the pages of "TCP: inuse 6 orphan 3 tw 1 alloc 7 mem 236" in bytes. They are the machine's, whatever the
// namespace (net/ipv4/proc.c).
func parseSockets(text string) (int64, error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "TCP:" {
			continue
		}
		for i := 1; i+1 < len(fields); i += 2 {
			if fields[i] == "mem" {
				n, err := strconv.ParseInt(fields[i+1], 10, 64)
				return n * int64(os.Getpagesize()), err
			}
		}
	}
	return 0, fmt.Errorf("sockstat: no TCP mem in %q", text)
}
