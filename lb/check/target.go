package check

import (
	"github.com/sluice-lb/sluice/poller"
)

// Target is how a check reaches its server. It is made by lb, apart from how traffic gets there, and only read here.
type Target struct {
	Addr    poller.Addr // where the check connects to, with the check's port
	Source  poller.Addr // the zero Addr: the kernel chooses
	Options poller.ConnectOptions
	In      poller.Sockets // the server's network namespace; nil: the process's

	SOCKS4    poller.Addr // the server's "socks4"; the zero Addr: none
	ViaSOCKS4 bool        // "check-via-socks4"
	// SendProxy is the PROXY header's version of connections that take the server's settings; 0: none. ProxyVersion and
	// ProxyCRC32C are for those of a "connect send-proxy" too.
	SendProxy, ProxyVersion int
	ProxyCRC32C             bool

	Traffic poller.Addr // the address that traffic goes to, for what a check tells about the server
	Err     error       // why the server cannot be checked now: no address, no port. Told as a socket error
}
