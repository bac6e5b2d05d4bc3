package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// Every family in front of every family.
func TestFamilies(t *testing.T) {
	t.Parallel()
	logs, dir := harness.ReceiveUDP(t), harness.ShortDir(t)
	abstract := "e2e-" + filepath.Base(dir)
	families := []string{"v4", "v6", "unix", "abns"}
	// place gives an address as the configuration writes it, and as Go dials it.
	place := func(family, name string) (written, network, dialled string) {
		switch family {
		case "v4":
			addr := harness.Loopback(t)
			return addr, "tcp", addr
		case "v6":
			port := harness.Port(t)
			return fmt.Sprintf("::1:%d", port), "tcp", fmt.Sprintf("[::1]:%d", port)
		case "unix":
			path := filepath.Join(dir, name)
			return "unix@" + path, "unix", path
		}
		// HAProxy pads an abstract name with zeros to the full length of sun_path, and so does who connects to it.
		return "abns@" + abstract + name, "unix", "@" + abstract + name + strings.Repeat("\x00", 107-len(abstract+name))
	}
	var sections []string
	type path struct{ name, network, addr string }
	var paths []path
	for _, back := range families {
		written, network, dialled := place(back, "o"+back)
		harness.ServeOn(t, network, dialled, harness.Echo)
		for _, front := range families {
			name := front + "-" + back
			bind, network, addr := place(front, name)
			sections = append(sections, section("listen "+name, "bind "+bind, "server origin "+written))
			paths = append(paths, path{name, network, addr})
		}
	}
	harness.Start(t, config(logs, "", sections...))
	for _, p := range paths {
		client := harness.Dial(t, p.network, p.addr)
		exchangeAndFinish(t, client)
		harness.AwaitEnd(t, client)
		client.Close()
		flow := logs.Flow(t)
		want := map[string]string{"v4": "127.0.0.1", "v6": "::1", "unix": "unix", "abns": "unix"}[strings.Split(p.name, "-")[0]]
		if flow.Frontend != p.name || flow.Client != want || flow.State != "--" || flow.Bytes != 5 {
			t.Errorf("%+v, want %s from %s", flow, p.name, want)
		}
	}
}

// Several addresses on a line, a range of ports, every address, both families on one socket.
func TestBindForms(t *testing.T) {
	t.Parallel()
	logs, origin := harness.ReceiveUDP(t), harness.Serve(t, harness.Echo)
	a, b, star, both := harness.Port(t), harness.Port(t), harness.Port(t), harness.Port(t)
	first := harness.Ports(t, 3)
	harness.Start(t, config(logs, "", section("listen front",
		fmt.Sprintf("bind 127.0.0.1:%d,::1:%d", a, b),
		fmt.Sprintf("bind 127.0.0.1:%d-%d", first, first+2),
		fmt.Sprintf("bind *:%d", star),
		fmt.Sprintf("bind :::%d v4v6", both),
		"server origin "+origin.Addr)))
	for _, addr := range []string{
		fmt.Sprintf("127.0.0.1:%d", a), fmt.Sprintf("[::1]:%d", b),
		fmt.Sprintf("127.0.0.1:%d", first), fmt.Sprintf("127.0.0.1:%d", first+1), fmt.Sprintf("127.0.0.1:%d", first+2),
		fmt.Sprintf("127.0.0.1:%d", star), fmt.Sprintf("127.1.2.3:%d", star),
		fmt.Sprintf("127.0.0.1:%d", both), fmt.Sprintf("[::1]:%d", both),
	} {
		exchange(t, harness.DialTCP(t, addr))
	}
	// A client of IPv4 on a socket of IPv6 is logged as the socket shows it.
	client := harness.DialTCP(t, fmt.Sprintf("127.0.0.1:%d", both))
	exchange(t, client)
	local := client.LocalAddr().(*net.TCPAddr).Port
	client.Close()
	if flow := logs.Flow(t); flow.Client != "::ffff:127.0.0.1" || flow.ClientPort != local {
		t.Errorf("%+v, want ::ffff:127.0.0.1:%d", flow, local)
	}
}

// A server's port as an offset of the client's port, and without any port: the one that the client came to.
func TestServerPortForms(t *testing.T) {
	t.Parallel()
	logs, front := harness.ReceiveUDP(t), harness.Ports(t, 2)
	harness.ServeOn(t, "tcp", fmt.Sprintf("127.0.0.1:%d", front+1), harness.Echo)
	harness.ServeOn(t, "tcp", fmt.Sprintf("127.0.0.9:%d", front), harness.Echo)
	addr := fmt.Sprintf("127.0.0.1:%d", front)
	for _, server := range []string{"127.0.0.1:+1", "127.0.0.9"} {
		t.Run(server, func(t *testing.T) {
			harness.Start(t, config(logs, "", section("listen front", "bind "+addr, "server origin "+server)))
			exchange(t, harness.DialTCP(t, addr))
		})
	}
}

// Addresses from the environment, and a socket inherited from whoever started the process.
func TestInherited(t *testing.T) {
	t.Parallel()
	logs, origin := harness.ReceiveUDP(t), harness.Serve(t, harness.Echo)
	addr, shared := harness.Loopback(t), harness.Loopback(t)
	l, err := net.Listen("tcp", shared)
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	defer file.Close()
	host, port, _ := net.SplitHostPort(addr)
	b := harness.Start(t, config(logs, "", section("listen front", `bind "${E2E_HOST}:${E2E_PORT}"`, "bind fd@${E2E_FD}",
		`server origin "${E2E_ORIGIN}"`)), harness.Options{
		Env:     []string{"E2E_HOST=" + host, "E2E_PORT=" + port, "E2E_FD=3", "E2E_ORIGIN=" + origin.Addr},
		Files:   []*os.File{file},
		Unready: true,
	})
	harness.Eventually(t, "it listens", func() bool { return b.Listens(addr) })
	b.Rebase()
	exchange(t, harness.DialTCP(t, addr))
	exchange(t, harness.DialTCP(t, shared))
}
