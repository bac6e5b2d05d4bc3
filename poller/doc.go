// Package poller runs pinned epoll loops: one thread, one epoll instance, and everything that hangs on it.
//
// It is one of the three doors to the kernel: no package under lb makes a system call of its own on a socket.
//
// # A loop's turn
//
//  1. Wait for events ([Loop.Run], wait.go): hot in a raw epoll_wait, cold through the Go runtime.
//  2. Hand each event to its [Handler]; an event for a socket that was closed meanwhile is recognised by its
//     generation and dropped.
//  3. Hand over the events that handlers asked to see again ([Loop.Again]), at most once a turn each.
//  4. Deliver mail from other loops ([Loop.Post]).
//  5. Fire the timers that are due ([Loop.Arm]).
//
// # Who may call what
//
// A loop and all sockets, pipes and timers on it belong to the goroutine that is in [Loop.Run]. Only [Loop.Post] and
// [Loop.Stop] may be called from elsewhere. Handlers run on the loop and must not block.
//
// # Errors
//
// Calls on the data path return an [Errno] by value, zero for success, so that nothing is allocated. Calls made once
// per listener or process return an error that names the call.
package poller
