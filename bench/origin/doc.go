// Package origin is what stands behind a balancer while it is measured: servers that do as little as they can.
//
// Run serves one kind on one or more addresses until its context ends, and then gives the counts. It is meant for a process of its own
// (Serve), so that it can be pinned and its CPU told from that of others.
//
// Requests are served by netpoll, one event loop and a pool of goroutines. netpoll closes a connection as soon as the peer
// has sent its FIN and buffers whatever it reads, so what streams or half-closes is not left to it: echo, sink, source, and an endless request or
// response (detached from netpoll when its header has been read) are plain net connections, whose received bytes are discarded in the kernel
// (MSG_TRUNC, tcp(7)) if nobody wants them. Of a detached stream, what netpoll was just reading is not in BytesIn.
//
// Lean and accept-close have a bare epoll loop: for small requests netpoll's goroutine for each would cost more than what is measured.
//
// For HTTP there is NGINX, which writes a configuration of nginx that serves a fixed page.
package origin
