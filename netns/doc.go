// Package netns opens sockets inside other network namespaces (network_namespaces(7)), on github.com/vishvananda/netns.
//
// A [Set] is the namespaces that a process uses, by the names that "ip netns" gives them, or by paths. A [Namespace] makes
// sockets: a socket belongs to the namespace that its thread was in at socket(2), for ever, and may then be used by any
// thread. So connect, bind, send and close need nothing of this package.
//
// # Threads
//
// Each namespace that is there has one thread of its own. It enters the namespace (setns(2)) once and never leaves it: it makes
// sockets and runs what [Namespace.Do] is given, and nothing else runs on it. It is thrown away with its goroutine, which ends
// without runtime.UnlockOSThread, so no thread in a foreign namespace ever comes back to the runtime. A thread that could not
// enter is thrown away, too. The process's first thread is never used, because /proc/PID/ns/net shows that one's namespace.
// All other threads, those of event loops among them, never change theirs.
//
// # Taking a socket
//
// [Namespace.Take] is for event loops and never waits: the namespace's thread keeps some sockets ready for each address family
// (a pool), and Take is an atomic compare-and-swap. The pool is shared by all takers. A pool for each loop would save that
// swap's contention, which is nothing beside a connect, and would cost as many idle descriptors again for each loop. When half of
// the pool is gone, Take wakes the thread, which costs a write to an eventfd, once for half a pool of connections.
//
// When the pool is empty Take gives EAGAIN, and [Namespace.Await] has the taker called as soon as there are some. The taker does
// not wait for that itself: how soon the thread runs is the scheduler's business, and a loop that waited for it would stall all
// of its flows for one tenant's. The first connection of a family, and each one after a quiet minute, goes this way.
// A pool that was empty when it was needed doubles, up to 64 sockets, as far as Options.Pooled allows; one that nobody took
// from for half a minute is emptied. So namespaces that are not used hold no sockets.
//
// # Names that come and go
//
// A name stands for whatever is mounted there. [Set.Start] begins to watch: inotify(7) tells of new and removed names, and
// everything is looked at once in a while besides, because a mount is no event. What was deleted and made again is another
// namespace with another inode: the old thread and its sockets are dropped, and a thread enters the new one. Sockets
// that were taken stay what they are. Options.Changed is told of every change, one after the other.
//
// # What it needs
//
// setns(2) needs CAP_SYS_ADMIN, whenever a namespace comes; sockets in a namespace that was entered need nothing. Linux 3.19 has
// all that is used here, and 4.11 what tells a network namespace from another kind without entering it.
package netns
