package poller

import "syscall"

// Errno is an error number of the kernel; zero is success.
type Errno = syscall.Errno

// The error numbers that callers tell apart.
const (
	EAGAIN        = syscall.EAGAIN        // nothing to read, or no room to write: wait for the event
	EINPROGRESS   = syscall.EINPROGRESS   // connect has begun
	EINTR         = syscall.EINTR         // never returned by this package
	EPIPE         = syscall.EPIPE         // the peer will read no more
	ECONNRESET    = syscall.ECONNRESET    // the peer reset the connection
	ECONNREFUSED  = syscall.ECONNREFUSED  // nobody listens there
	ECONNABORTED  = syscall.ECONNABORTED  // gone before it was accepted
	EHOSTUNREACH  = syscall.EHOSTUNREACH  // no route, or no neighbour
	ENETUNREACH   = syscall.ENETUNREACH   // no route
	ENETDOWN      = syscall.ENETDOWN      // the interface is down
	EHOSTDOWN     = syscall.EHOSTDOWN     // no neighbour
	ETIMEDOUT     = syscall.ETIMEDOUT     // the kernel gave up
	EADDRNOTAVAIL = syscall.EADDRNOTAVAIL // no free port, or no such local address
	EADDRINUSE    = syscall.EADDRINUSE    // all ports towards that address are taken
	ENONET        = syscall.ENONET        // the network namespace is not there
	EMFILE        = syscall.EMFILE        // the process has no descriptor left
	ENFILE        = syscall.ENFILE        // the system has no descriptor left
	ENOBUFS       = syscall.ENOBUFS       // no kernel memory
	ENOMEM        = syscall.ENOMEM        // no kernel memory
	ENOENT        = syscall.ENOENT        // no such unix socket
	EACCES        = syscall.EACCES        // not allowed
	EPERM         = syscall.EPERM         // not allowed, or a local firewall said no
	EINVAL        = syscall.EINVAL        // the kernel cannot do that here
)

// Exhausted reports whether e means that the process or the machine has run out of descriptors or socket memory
// (accept(2), socket(2)): a state that passes.
func Exhausted(e Errno) bool {
	return e == EMFILE || e == ENFILE || e == ENOBUFS || e == ENOMEM
}
