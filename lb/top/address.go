package top

import (
	"fmt"
	"net"
	"os"
	"strings"
)

// usualSockets are looked for when no address is given, in this order.
var usualSockets = []string{"/run/sluice/stats.sock", "/run/sluice.sock", "/run/haproxy/admin.sock", "/run/haproxy.sock", "/var/lib/haproxy/stats"}

// usualSocket gives the first of the usual sockets that is there.
func usualSocket() (string, error) {
	for _, path := range usualSockets {
		if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("no address was given, and none of the usual sockets is there: %s", strings.Join(usualSockets, ", "))
}

// abstractLength is the room for an abstract name (unix(7), sun_path). HAProxy and sluice fill it up with zero bytes.
const abstractLength = 108

// parseAddress reads an address as the "stats socket" line has it, and gives what package net wants: a path, unix@PATH, abns@NAME,
// HOST:PORT, ipv4@, ipv6@ or tcp@ before it, and :PORT for this host.
func parseAddress(text string) (network, address string, err error) {
	family, rest, found := strings.Cut(text, "@")
	if !found {
		family, rest = "", text
	}
	switch {
	case rest == "":
		return "", "", fmt.Errorf("'%s' is no address", text)
	case family == "unix", family == "" && strings.Contains(rest, "/"):
		return "unix", rest, nil
	case family == "abns":
		if len(rest) >= abstractLength {
			return "", "", fmt.Errorf("the abstract name '%s' is longer than %d bytes", rest, abstractLength-1)
		}
		return "unix", "@" + rest + strings.Repeat("\x00", abstractLength-1-len(rest)), nil
	case family == "" || family == "tcp" || family == "ipv4" || family == "ipv6" || family == "tcp4" || family == "tcp6":
	default:
		return "", "", fmt.Errorf("'%s' begins with an unknown kind of address, '%s@'", text, family)
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil {
		return "", "", fmt.Errorf("'%s' is neither the path of a socket nor HOST:PORT", text)
	}
	if host == "" || host == "*" {
		host = "localhost"
	}
	network = map[string]string{"ipv4": "tcp4", "tcp4": "tcp4", "ipv6": "tcp6", "tcp6": "tcp6"}[family]
	if network == "" {
		network = "tcp"
	}
	return network, net.JoinHostPort(host, port), nil
}
