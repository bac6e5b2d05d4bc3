// Package resolve asks name servers for the addresses of servers while the program runs, as HAProxy's "resolvers" sections
// say (its manual, 5.3).
//
// # How a name is resolved
//
//  1. [Set.Watch] names a question. All who ask the same of the same section share one: it is asked once per period.
//  2. When it is due ("timeout resolve" after the last time ended), every name server of the section is asked at once,
//     each with a random id of its own, from a socket whose port the kernel chose.
//  3. The first valid answer counts, and ends it. An answer that was cut short is asked for again over TCP.
//  4. Once every name server has failed, the other family is asked for (not for services). Once that failed too, or if
//     nothing comes within "timeout retry", it begins again with the preferred family; "resolve_retries" times in all.
//  5. After the last time the outcome is the last failure. The records of the last valid answer stay in force until that
//     answer is older than the "hold" of the failure: the outcome is then stale, and says so. After that it has failed.
//  6. Watchers are told of an outcome that differs from the one before, in what they would do with it.
//
// A service (SRV) is resolved as a whole: targets whose addresses did not come along as additional records are asked for
// themselves, and watchers are told of the targets with their addresses.
//
// # What is believed
//
// A datagram counts if it comes from the name server's address and port (the socket is connected) to the port from which
// the question went, has its id, is an answer, and repeats the question. Everything else is counted and dropped, and the
// wait goes on.
//
// # Bounds
//
// A section asks at most [maxRunning] questions at once, opens at most [maxSockets] sockets per name server, and begins
// questions evenly: 4,000 names are spread over the period. One goroutine per section, one per open socket.
//
// # Concurrency
//
// A section's questions belong to its goroutine, and its watchers are told there: they must not block. Counters are atomic.
// All methods may be called from any goroutine, and from a watcher, [Set.Stop] excepted.
package resolve
