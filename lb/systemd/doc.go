// Package systemd tells the service manager how the process fares, by the protocol of sd_notify(3).
//
// # Contract
//
//   - Open reads the environment that the manager gave, takes it away so that no child speaks in this process's name, and
//     connects to the socket at once: after a chroot, or in another mount namespace, its path could not be reached any more. A
//     process that no manager listens to has a nil *Notifier, and all methods of that do nothing.
//   - One message is one datagram. No method waits for long for a manager that does not read, so that it can be called from anywhere
//     but a loop. Several goroutines may call.
//   - What is said is the caller's: this package knows nothing of the balancer.
package systemd
