package config

import (
	"math"
	"strings"
	"time"
)

// tuneKeywords are the tune family that has a meaning here, and the names of the rest, which get a warning.
func tuneKeywords() []Keyword {
	list := []Keyword{
		{Name: "tune.bufsize", Sections: InGlobal, Syntax: "<size>", Unit: "bytes", Default: "65536", Summary: "Most that a loop reads at once, and so the most that a flow holds back in memory for one direction while the receiver is slow. Less than 16384 counts as 16384: a PROXY header must fit.", Example: "tune.bufsize 32k",
			minimum: 1, maximum: 1, behaviour: bytesOf(func(t target) *int { return &t.global.Tune.BufSize })},
		{Name: "tune.maxaccept", Sections: InGlobal, Syntax: "<number>", Unit: "connections", Default: "64", Summary: "Connections that a loop accepts in a row from one listener; -1: no limit.", Example: "tune.maxaccept 64",
			minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.global.Tune.MaxAccept }, -1, math.MaxInt32, 0)},
		{Name: "tune.maxpollevents", Sections: InGlobal, Syntax: "<number>", Unit: "events", Default: "200", Summary: "Events that a loop takes from the kernel at once.", Example: "tune.maxpollevents 200",
			minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.global.Tune.MaxPollEvents }, 1, 1<<20, 0)},
		{Name: "tune.pipesize", Sections: InGlobal, Syntax: "<size>", Unit: "bytes", Default: "the system's", Summary: "Capacity of the pipes that splice goes through.", Example: "tune.pipesize 512k",
			minimum: 1, maximum: 1, behaviour: bytesOf(func(t target) *int { return &t.global.Tune.PipeSize })},
		{Name: "tune.idletimer", Sections: InGlobal, Syntax: "<0..65535>", Unit: "ms", Default: "1000", Summary: "Time without data after which a direction counts as idle, and goes back from splicing to copying.", Example: "tune.idletimer 500",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parseIdleTimer, print: span(func(t target) *time.Duration { return &t.global.Tune.IdleTimer }, time.Millisecond, time.Second).print}},
	}
	list = append(list,
		Keyword{Name: "tune.queue-recheck", Sections: InGlobal, Syntax: "on | off", Default: "on", Summary: "For experiments only: with `off`, a flow that has been queued does not look again whether a server has become free, and may wait until `timeout queue` beside an idle server.", Example: "tune.queue-recheck off",
			experimental: true, minimum: 1, maximum: 1, behaviour: behaviour{parse: parseQueueRecheck, print: printQueueRecheck}},
		Keyword{Name: "tune.queue-yield", Sections: InGlobal, Syntax: "<number>", Unit: "steps", Default: "0", Summary: "For experiments only: one in so many of the queue's atomic steps is held up for some microseconds, chosen at random. Only builds with the tag `queuestep` can do it.", Example: "tune.queue-yield 100",
			experimental: true, minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.global.Tune.QueueYield }, 0, math.MaxInt32, 0)})
	for _, b := range []struct {
		name, summary string
		at            func(target) *int
	}{
		{"tune.rcvbuf.client", "Receive buffer (SO_RCVBUF) of the connections of clients.", func(t target) *int { return &t.global.Tune.RecvBufClient }},
		{"tune.rcvbuf.server", "Receive buffer (SO_RCVBUF) of the connections to servers.", func(t target) *int { return &t.global.Tune.RecvBufServer }},
		{"tune.sndbuf.client", "Send buffer (SO_SNDBUF) of the connections of clients.", func(t target) *int { return &t.global.Tune.SendBufClient }},
		{"tune.sndbuf.server", "Send buffer (SO_SNDBUF) of the connections to servers.", func(t target) *int { return &t.global.Tune.SendBufServer }},
	} {
		list = append(list, Keyword{Name: b.name, Sections: InGlobal, Syntax: "<size>", Unit: "bytes", Default: "the system's", Summary: b.summary, Example: b.name + " 256k",
			minimum: 1, maximum: 1, behaviour: bytesOf(b.at)})
	}
	for _, idle := range idleKeywords {
		list = append(list, Keyword{Name: idle.name, Sections: InGlobal, Syntax: "...", Summary: idle.why, Example: idle.example, Effect: NoEffect, reason: strings.ToLower(idle.why[:1]) + strings.TrimSuffix(idle.why[1:], "."),
			minimum: 0, maximum: -1, negatable: true, behaviour: ignored()})
	}
	return list
}

func parseIdleTimer(s *statement) {
	d, ok := s.duration(0, time.Millisecond)
	if !ok {
		return
	}
	if d > 65535*time.Millisecond {
		s.alert("'%s' is more than 65535 ms", s.text(0))
		return
	}
	s.global.Tune.IdleTimer = d
}

func parseQueueRecheck(s *statement) {
	word, ok := s.one(0, "on", "off")
	if !ok {
		return
	}
	if s.global.Tune.NoQueueRecheck = word == "off"; s.global.Tune.NoQueueRecheck {
		s.warn("is off: FLOWS WILL BE STRANDED IN QUEUES BESIDE IDLE SERVERS. This is for experiments, never for service")
	}
}

func printQueueRecheck(p *printer) {
	if p.global.Tune.NoQueueRecheck {
		p.write("off")
	}
}

// idleKeywords are global keywords of HAProxy that can be left out without a change in what sluice does.
var idleKeywords = []struct{ name, why, example string }{
	{"noepoll", "There is no poller but epoll.", "noepoll"},
	{"nokqueue", "There is no poller but epoll.", "nokqueue"},
	{"noevports", "There is no poller but epoll.", "noevports"},
	{"nopoll", "There is no poller but epoll.", "nopoll"},
	{"no-memory-trimming", "Memory is collected by Go's runtime.", "no-memory-trimming"},
	{"no-quic", "There is no QUIC.", "no-quic"},
	{"mworker-max-reloads", "There is no master process.", "mworker-max-reloads 50"},
	{"profiling.tasks", "There are no tasks to profile.", "profiling.tasks on"},
	{"profiling.memory", "Memory is profiled by Go's own means.", "profiling.memory on"},
	{"insecure-setuid-wanted", "Nothing executes.", "insecure-setuid-wanted"},
	{"prealloc-fd", "The kernel's table of descriptors grows as needed.", "prealloc-fd"},
	{"harden.reject-privileged-ports.tcp", "Source ports are not looked at.", "harden.reject-privileged-ports.tcp on"},
	{"harden.reject-privileged-ports.quic", "There is no QUIC.", "harden.reject-privileged-ports.quic on"},
	{"close-spread-time", "Idle connections to servers are not kept.", "close-spread-time 5s"},
	{"maxsslconn", "There is no TLS.", "maxsslconn 100"},
	{"maxsslrate", "There is no TLS.", "maxsslrate 100"},
	{"maxcomprate", "There is no compression.", "maxcomprate 0"},
	{"maxcompcpuusage", "There is no compression.", "maxcompcpuusage 50"},
	{"maxzlibmem", "There is no compression.", "maxzlibmem 100"},
	{"ca-base", "There is no TLS.", "ca-base /etc/ssl/certs"},
	{"crt-base", "There is no TLS.", "crt-base /etc/ssl/private"},
	{"key-base", "There is no TLS.", "key-base /etc/ssl/private"},
	{"ssl-default-bind-ciphers", "There is no TLS.", "ssl-default-bind-ciphers ECDHE+AESGCM"},
	{"ssl-default-bind-ciphersuites", "There is no TLS.", "ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256"},
	{"ssl-default-bind-client-sigalgs", "There is no TLS.", "ssl-default-bind-client-sigalgs RSA+SHA256"},
	{"ssl-default-bind-curves", "There is no TLS.", "ssl-default-bind-curves X25519:P-256"},
	{"ssl-default-bind-options", "There is no TLS.", "ssl-default-bind-options ssl-min-ver TLSv1.2"},
	{"ssl-default-bind-sigalgs", "There is no TLS.", "ssl-default-bind-sigalgs RSA+SHA256"},
	{"ssl-default-server-ciphers", "There is no TLS.", "ssl-default-server-ciphers ECDHE+AESGCM"},
	{"ssl-default-server-ciphersuites", "There is no TLS.", "ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256"},
	{"ssl-default-server-client-sigalgs", "There is no TLS.", "ssl-default-server-client-sigalgs RSA+SHA256"},
	{"ssl-default-server-curves", "There is no TLS.", "ssl-default-server-curves X25519:P-256"},
	{"ssl-default-server-options", "There is no TLS.", "ssl-default-server-options ssl-min-ver TLSv1.2"},
	{"ssl-default-server-sigalgs", "There is no TLS.", "ssl-default-server-sigalgs RSA+SHA256"},
	{"ssl-dh-param-file", "There is no TLS.", "ssl-dh-param-file /etc/haproxy/dh.pem"},
	{"ssl-load-extra-del-ext", "There is no TLS.", "ssl-load-extra-del-ext"},
	{"ssl-load-extra-files", "There is no TLS.", "ssl-load-extra-files none"},
	{"ssl-mode-async", "There is no TLS.", "ssl-mode-async"},
	{"ssl-propquery", "There is no TLS.", "ssl-propquery provider=default"},
	{"ssl-provider", "There is no TLS.", "ssl-provider default"},
	{"ssl-provider-path", "There is no TLS.", "ssl-provider-path /usr/lib"},
	{"ssl-security-level", "There is no TLS.", "ssl-security-level 2"},
	{"ssl-server-verify", "There is no TLS.", "ssl-server-verify none"},
	{"ssl-skip-self-issued-ca", "There is no TLS.", "ssl-skip-self-issued-ca"},
	{"ssl-engine", "There is no TLS.", "ssl-engine rdrand"},
	{"issuers-chain-path", "There is no TLS.", "issuers-chain-path /etc/ssl"},
	{"h1-accept-payload-with-any-method", "There is no HTTP.", "h1-accept-payload-with-any-method"},
	{"h1-case-adjust", "There is no HTTP.", "h1-case-adjust content-length Content-Length"},
	{"h1-case-adjust-file", "There is no HTTP.", "h1-case-adjust-file /etc/haproxy/case"},
	{"h1-do-not-close-on-insecure-transfer-encoding", "There is no HTTP.", "h1-do-not-close-on-insecure-transfer-encoding"},
	{"h2-workaround-bogus-websocket-clients", "There is no HTTP.", "h2-workaround-bogus-websocket-clients"},
	{"httpclient.resolvers.disabled", "There is no HTTP client.", "httpclient.resolvers.disabled on"},
	{"httpclient.resolvers.id", "There is no HTTP client.", "httpclient.resolvers.id dns"},
	{"httpclient.resolvers.prefer", "There is no HTTP client.", "httpclient.resolvers.prefer ipv4"},
	{"httpclient.retries", "There is no HTTP client.", "httpclient.retries 3"},
	{"httpclient.ssl.ca-file", "There is no HTTP client.", "httpclient.ssl.ca-file /etc/ssl/ca.pem"},
	{"httpclient.ssl.verify", "There is no HTTP client.", "httpclient.ssl.verify none"},
	{"httpclient.timeout.connect", "There is no HTTP client.", "httpclient.timeout.connect 5s"},
	{"tune.applet.zero-copy-forwarding", "Nothing here is an applet.", "tune.applet.zero-copy-forwarding on"},
	{"tune.buffers.limit", "Buffers are bounded by what is in flight.", "tune.buffers.limit 1000"},
	{"tune.buffers.reserve", "Buffers are not reserved.", "tune.buffers.reserve 2"},
	{"tune.chksize", "Checks have buffers of a fixed size.", "tune.chksize 16384"},
	{"tune.comp.maxlevel", "There is no compression.", "tune.comp.maxlevel 1"},
	{"tune.disable-fast-forward", "Splicing is governed by 'nosplice' and 'option splice-auto'.", "tune.disable-fast-forward"},
	{"tune.disable-zero-copy-forwarding", "Splicing is governed by 'nosplice' and 'option splice-auto'.", "tune.disable-zero-copy-forwarding"},
	{"tune.epoll.mask-events", "Events are always edge-triggered.", "tune.epoll.mask-events rdhup"},
	{"tune.events.max-events-at-once", "Nothing subscribes to events.", "tune.events.max-events-at-once 10"},
	{"tune.fail-alloc", "Memory comes from Go's runtime.", "tune.fail-alloc 1"},
	{"tune.fd.edge-triggered", "Events are always edge-triggered.", "tune.fd.edge-triggered on"},
	{"tune.glitches.kill.cpu-usage", "There is no HTTP.", "tune.glitches.kill.cpu-usage 80"},
	{"tune.h1.zero-copy-fwd-recv", "There is no HTTP.", "tune.h1.zero-copy-fwd-recv on"},
	{"tune.h1.zero-copy-fwd-send", "There is no HTTP.", "tune.h1.zero-copy-fwd-send on"},
	{"tune.h2.be.glitches-threshold", "There is no HTTP.", "tune.h2.be.glitches-threshold 100"},
	{"tune.h2.be.initial-window-size", "There is no HTTP.", "tune.h2.be.initial-window-size 65535"},
	{"tune.h2.be.max-concurrent-streams", "There is no HTTP.", "tune.h2.be.max-concurrent-streams 100"},
	{"tune.h2.be.rxbuf", "There is no HTTP.", "tune.h2.be.rxbuf 100k"},
	{"tune.h2.fe.glitches-threshold", "There is no HTTP.", "tune.h2.fe.glitches-threshold 100"},
	{"tune.h2.fe.initial-window-size", "There is no HTTP.", "tune.h2.fe.initial-window-size 65535"},
	{"tune.h2.fe.max-concurrent-streams", "There is no HTTP.", "tune.h2.fe.max-concurrent-streams 100"},
	{"tune.h2.fe.max-total-streams", "There is no HTTP.", "tune.h2.fe.max-total-streams 100"},
	{"tune.h2.fe.rxbuf", "There is no HTTP.", "tune.h2.fe.rxbuf 100k"},
	{"tune.h2.header-table-size", "There is no HTTP.", "tune.h2.header-table-size 4096"},
	{"tune.h2.initial-window-size", "There is no HTTP.", "tune.h2.initial-window-size 65535"},
	{"tune.h2.max-concurrent-streams", "There is no HTTP.", "tune.h2.max-concurrent-streams 100"},
	{"tune.h2.max-frame-size", "There is no HTTP.", "tune.h2.max-frame-size 16384"},
	{"tune.h2.zero-copy-fwd-send", "There is no HTTP.", "tune.h2.zero-copy-fwd-send on"},
	{"tune.http.cookielen", "There is no HTTP.", "tune.http.cookielen 63"},
	{"tune.http.logurilen", "There is no HTTP.", "tune.http.logurilen 1024"},
	{"tune.http.maxhdr", "There is no HTTP.", "tune.http.maxhdr 101"},
	{"tune.idle-pool.shared", "Idle connections to servers are not kept.", "tune.idle-pool.shared on"},
	{"tune.listener.default-shards", "Each loop has its own listener; 'shards' on a bind line changes it.", "tune.listener.default-shards by-thread"},
	{"tune.listener.multi-queue", "Each loop has its own listener, and the kernel spreads.", "tune.listener.multi-queue on"},
	{"tune.lua.bool-sample-conversion", "There is no Lua.", "tune.lua.bool-sample-conversion normal"},
	{"tune.lua.burst-timeout", "There is no Lua.", "tune.lua.burst-timeout 1s"},
	{"tune.lua.forced-yield", "There is no Lua.", "tune.lua.forced-yield 10000"},
	{"tune.lua.log.loggers", "There is no Lua.", "tune.lua.log.loggers on"},
	{"tune.lua.log.stderr", "There is no Lua.", "tune.lua.log.stderr auto"},
	{"tune.lua.maxmem", "There is no Lua.", "tune.lua.maxmem 100"},
	{"tune.lua.service-timeout", "There is no Lua.", "tune.lua.service-timeout 4s"},
	{"tune.lua.session-timeout", "There is no Lua.", "tune.lua.session-timeout 4s"},
	{"tune.lua.task-timeout", "There is no Lua.", "tune.lua.task-timeout 4s"},
	{"tune.max-checks-per-thread", "Checks run beside the loops, not on them.", "tune.max-checks-per-thread 10"},
	{"tune.max-rules-at-once", "There are no rules yet.", "tune.max-rules-at-once 10"},
	{"tune.maxrewrite", "Nothing is rewritten.", "tune.maxrewrite 1024"},
	{"tune.memory.hot-size", "Memory comes from Go's runtime.", "tune.memory.hot-size 512k"},
	{"tune.pattern.cache-size", "There are no patterns.", "tune.pattern.cache-size 10000"},
	{"tune.peers.max-updates-at-once", "There are no peers yet.", "tune.peers.max-updates-at-once 200"},
	{"tune.pool-high-fd-ratio", "Idle connections to servers are not kept.", "tune.pool-high-fd-ratio 25"},
	{"tune.pool-low-fd-ratio", "Idle connections to servers are not kept.", "tune.pool-low-fd-ratio 20"},
	{"tune.pt.zero-copy-forwarding", "Splicing is governed by 'nosplice' and 'option splice-auto'.", "tune.pt.zero-copy-forwarding on"},
	{"tune.quic.frontend.conn-tx-buffers.limit", "There is no QUIC.", "tune.quic.frontend.conn-tx-buffers.limit 30"},
	{"tune.quic.frontend.max-idle-timeout", "There is no QUIC.", "tune.quic.frontend.max-idle-timeout 30s"},
	{"tune.quic.frontend.max-streams-bidi", "There is no QUIC.", "tune.quic.frontend.max-streams-bidi 100"},
	{"tune.quic.max-frame-loss", "There is no QUIC.", "tune.quic.max-frame-loss 10"},
	{"tune.quic.reorder-ratio", "There is no QUIC.", "tune.quic.reorder-ratio 50"},
	{"tune.quic.retry-threshold", "There is no QUIC.", "tune.quic.retry-threshold 100"},
	{"tune.quic.socket-owner", "There is no QUIC.", "tune.quic.socket-owner connection"},
	{"tune.quic.zero-copy-fwd-send", "There is no QUIC.", "tune.quic.zero-copy-fwd-send on"},
	{"tune.rcvbuf.backend", "Datagram sockets of a log-forward, which there is not.", "tune.rcvbuf.backend 1m"},
	{"tune.rcvbuf.frontend", "Datagram sockets of a log-forward, which there is not.", "tune.rcvbuf.frontend 1m"},
	{"tune.recv_enough", "A short read always ends reading.", "tune.recv_enough 10136"},
	{"tune.renice.runtime", "Loops run at the priority of the process.", "tune.renice.runtime 0"},
	{"tune.renice.startup", "Loops run at the priority of the process.", "tune.renice.startup 0"},
	{"tune.ring.queues", "A ring has one writer, which ships what the loops log.", "tune.ring.queues 4"},
	{"tune.runqueue-depth", "There is no run queue.", "tune.runqueue-depth 200"},
	{"tune.sched.low-latency", "There is no run queue.", "tune.sched.low-latency on"},
	{"tune.sndbuf.backend", "Datagram sockets of a log-forward, which there is not.", "tune.sndbuf.backend 1m"},
	{"tune.sndbuf.frontend", "Datagram sockets of a log-forward, which there is not.", "tune.sndbuf.frontend 1m"},
	{"tune.ssl.cachesize", "There is no TLS.", "tune.ssl.cachesize 20000"},
	{"tune.ssl.capture-buffer-size", "There is no TLS.", "tune.ssl.capture-buffer-size 96"},
	{"tune.ssl.capture-cipherlist-size", "There is no TLS.", "tune.ssl.capture-cipherlist-size 96"},
	{"tune.ssl.certificate-compression", "There is no TLS.", "tune.ssl.certificate-compression auto"},
	{"tune.ssl.default-dh-param", "There is no TLS.", "tune.ssl.default-dh-param 2048"},
	{"tune.ssl.force-private-cache", "There is no TLS.", "tune.ssl.force-private-cache"},
	{"tune.ssl.hard-maxrecord", "There is no TLS.", "tune.ssl.hard-maxrecord 16384"},
	{"tune.ssl.keylog", "There is no TLS.", "tune.ssl.keylog on"},
	{"tune.ssl.lifetime", "There is no TLS.", "tune.ssl.lifetime 300"},
	{"tune.ssl.maxrecord", "There is no TLS.", "tune.ssl.maxrecord 1419"},
	{"tune.ssl.ocsp-update.maxdelay", "There is no TLS.", "tune.ssl.ocsp-update.maxdelay 3600"},
	{"tune.ssl.ocsp-update.mindelay", "There is no TLS.", "tune.ssl.ocsp-update.mindelay 300"},
	{"tune.ssl.ssl-ctx-cache-size", "There is no TLS.", "tune.ssl.ssl-ctx-cache-size 1000"},
	{"tune.stick-counters", "There are no stick tables yet.", "tune.stick-counters 3"},
	{"tune.takeover-other-tg-connections", "Idle connections to servers are not kept.", "tune.takeover-other-tg-connections none"},
	{"tune.vars.check-max-size", "The variables of a check are not limited.", "tune.vars.check-max-size 1024"},
	{"tune.vars.global-max-size", "There are no variables yet.", "tune.vars.global-max-size 1024"},
	{"tune.vars.proc-max-size", "There are no variables yet.", "tune.vars.proc-max-size 1024"},
	{"tune.vars.reqres-max-size", "There are no variables yet.", "tune.vars.reqres-max-size 1024"},
	{"tune.vars.sess-max-size", "There are no variables yet.", "tune.vars.sess-max-size 1024"},
	{"tune.vars.txn-max-size", "There are no variables yet.", "tune.vars.txn-max-size 1024"},
	{"tune.zlib.memlevel", "There is no compression.", "tune.zlib.memlevel 8"},
	{"tune.zlib.windowsize", "There is no compression.", "tune.zlib.windowsize 15"},
}
