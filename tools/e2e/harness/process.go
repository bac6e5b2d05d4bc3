package harness

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Descriptors tells what a process holds open.
type Descriptors struct {
	Streams int // sockets that are not datagram sockets: listeners and connections, also half-made ones
	Pipes   int // ends of pipes
	All     int
}

// ReadDescriptors counts a process's descriptors. Datagram sockets are left out of Streams: a logger opens its own at
// the first line that it sends.
func ReadDescriptors(pid int) (Descriptors, error) {
	var d Descriptors
	names, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return d, err
	}
	datagrams := datagramInodes(pid)
	for _, name := range names {
		target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, name.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		d.All++
		switch {
		case strings.HasPrefix(target, "pipe:"):
			d.Pipes++
		case strings.HasPrefix(target, "socket:[") && !datagrams[strings.Trim(target[len("socket:"):], "[]")]:
			d.Streams++
		}
	}
	return d, nil
}

// datagramInodes lists the UDP and unix datagram sockets of the process's network namespace (proc_net(5)).
func datagramInodes(pid int) map[string]bool {
	inodes := map[string]bool{}
	for _, name := range []string{"udp", "udp6"} {
		for _, f := range table(pid, name) {
			if len(f) > 9 {
				inodes[f[9]] = true
			}
		}
	}
	for _, f := range table(pid, "unix") {
		if len(f) > 6 && f[4] == "0002" { // SOCK_DGRAM
			inodes[f[6]] = true
		}
	}
	return inodes
}

// table reads one of /proc/PID/net's tables, without its heading, as fields.
func table(pid int, name string) [][]string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, name))
	var rows [][]string
	for i, line := range strings.Split(string(data), "\n") {
		if i > 0 && line != "" {
			rows = append(rows, strings.Fields(line))
		}
	}
	return rows
}

// listening finds the sockets that listen on a TCP port in a process's network. The kernel's tables begin with the listeners (tcp_get_idx in
// net/ipv4/tcp_ipv4.c): reading ends there, for behind them may be tens of thousands of connections in TIME_WAIT, which
// cost the kernel seconds to print.
func listening(pid, port int) (inodes []string) {
	suffix := fmt.Sprintf(":%04X", port)
	for _, name := range []string{"tcp", "tcp6"} {
		file, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, name))
		if err != nil {
			return nil
		}
		rows := bufio.NewScanner(file)
		rows.Buffer(make([]byte, 0, 2<<10), 2<<10) // one short read at a time
		for rows.Scan() {
			f := strings.Fields(rows.Text())
			if len(f) < 10 || f[0] == "sl" {
				continue
			}
			if f[3] != "0A" { // TCP_LISTEN
				break
			}
			if strings.HasSuffix(f[1], suffix) {
				inodes = append(inodes, f[9])
			}
		}
		file.Close()
	}
	return inodes
}

// listens tells whether the process itself listens on a TCP port.
func listens(pid, port int) bool {
	inodes := listening(pid, port)
	if len(inodes) == 0 {
		return false
	}
	names, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	for _, name := range names {
		target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, name.Name()))
		for _, inode := range inodes {
			if target == "socket:["+inode+"]" {
				return true
			}
		}
	}
	return false
}

// listensUnix tells the same of a unix socket's path. haproxy listens on a temporary name first, path.PID.tmp, and
// renames it: the kernel's table keeps the name of the time of bind.
func listensUnix(pid int, path string) bool {
	if _, err := os.Stat(path); err != nil {
		return false
	}
	for _, f := range table(pid, "unix") {
		if len(f) > 7 && (f[7] == path || strings.HasPrefix(f[7], path+".")) && f[3] == "00010000" { // __SO_ACCEPTCON
			return true
		}
	}
	return false
}

// CPU is the processor time that a process has used, user and system, of all its threads.
func CPU(pid int) time.Duration {
	var total time.Duration
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, task := range tasks {
		data, err := os.ReadFile(task)
		if err != nil {
			continue
		}
		if f := strings.Fields(string(data)); len(f) > 0 {
			ns, _ := strconv.ParseInt(f[0], 10, 64)
			total += time.Duration(ns)
		}
	}
	return total
}

// Resident is the memory that a process has in use and that is its own, in bytes.
func Resident(pid int) int64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for _, line := range strings.Split(string(data), "\n") {
		if rest, found := strings.CutPrefix(line, "RssAnon:"); found {
			if f := strings.Fields(rest); len(f) == 2 {
				kib, _ := strconv.ParseInt(f[0], 10, 64)
				return kib << 10
			}
		}
	}
	return 0
}

// Listening tells whether a process listens on socat's TCP-LISTEN:PORT,...
func Listening(pid int, address string) bool {
	_, rest, _ := strings.Cut(address, ":")
	text, _, _ := strings.Cut(rest, ",")
	port, err := strconv.Atoi(text)
	return err == nil && listens(pid, port)
}

// Session is the session that a process belongs to (proc_pid_stat(5)).
func Session(pid int) int {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(data), ") ")
	f := strings.Fields(rest)
	if len(f) < 4 {
		return 0
	}
	session, _ := strconv.Atoi(f[3])
	return session
}
