package config

import "strings"

// Why a word that HAProxy knows is refused.
const (
	notYet  = "is known to HAProxy but not yet supported by sluice"
	noHTTP  = "is about HTTP, and sluice balances TCP only"
	noTLS   = "is about TLS, and TLS termination is not something sluice does"
	noQUIC  = "is about QUIC, and sluice balances TCP only"
	noScope = "is known to HAProxy but not supported by sluice"
)

// knownSections are sections that are skipped after one complaint. Names up to HAProxy 3.2.
var knownSections = map[string]string{
	"peers": notYet, "userlist": notYet, "program": notYet,
	"traces": notYet, "cache": noHTTP, "http-errors": noHTTP, "fcgi-app": noHTTP, "crt-store": noTLS, "acme": noTLS,
	"log-forward": "is about receiving other programs' logs, which sluice does not do: let a syslog server such as rsyslog forward them, and send sluice's own to several places with several 'log' lines",
	"log-profile": "is not supported by sluice: use 'log-format', 'error-log-format' or 'log-format-json' in the proxies, and 'format' on their 'log' lines",
}

// knownList makes a table of a text of words.
func knownList(groups ...string) map[string]string {
	table := map[string]string{}
	for i := 0; i+1 < len(groups); i += 2 {
		for _, name := range strings.Fields(groups[i+1]) {
			table[name] = groups[i]
		}
	}
	return table
}

// knownGlobal are keywords of the global section of HAProxy up to 3.2 that are refused.
var knownGlobal = knownList(
	notYet, `51degrees-cache-size 51degrees-data-file 51degrees-property-name-list 51degrees-property-separator 51degrees-difference
		51degrees-drift 51degrees-use-performance-graph 51degrees-use-predictive-graph 51degrees-allow-unmatched cluster-secret
		deviceatlas-json-file deviceatlas-log-level deviceatlas-properties-cookie deviceatlas-separator fd-hard-limit
		lua-load lua-load-per-thread lua-prepend-path master-worker maxconnrate maxpipes maxsessrate pp2-never-send-local
		set-var set-var-fmt thread-group unix-bind wurfl-cache-size wurfl-data-file wurfl-engine-mode
		wurfl-information-list wurfl-information-list-separator wurfl-patch-file wurfl-useragent-priority anonkey cpu-policy cpu-set
		thread-hard-limit stats-file load-server-state-from-file limited-quic warn-blocked-traffic-after force-cfg-parser-pause
		expose-deprecated-directives dns-accept-family ocsp-update.disable ocsp-update.httpproxy ocsp-update.maxdelay ocsp-update.mindelay
		ocsp-update.mode setcap shm-stats-file shm-stats-file-max-objects`,
	noHTTP, "http-err-codes http-fail-codes tune.h1.be.glitches-threshold tune.h1.fe.glitches-threshold",
	noTLS, "acme.scheduler ssl-passphrase-cmd ssl-f-use",
)

// knownProxy are keywords of proxies, by their first word or their first two.
var knownProxy = knownList(
	notYet, `acl bind-process filter log-format-sd log-steps persist stick stick-table tcp-request tcp-response use-server
		unique-id-format grace block guid-prefix hash-preserve-affinity hash-key force-be-switch max-session-srv-conns quic-initial`,
	noHTTP, `capture compression cookie declare errorfile errorfiles errorloc errorloc302 errorloc303 http-after-response
		http-error http-request http-response http-reuse http-send-name-header max-keep-alive-queue monitor monitor-net
		redirect redisp redispatch reqadd reqallow reqdel reqdeny reqiallow reqidel reqideny reqipass reqirep reqisetbe reqitarpit reqpass
		reqrep reqsetbe reqtarpit rspadd rspdel rspdeny rspidel rspideny rspirep rsprep unique-id-header use-fcgi-app appsession`,
)

// knownOption are words that come after "option".
var knownOption = knownList(
	notYet, `idle-close-on-response log-balance prefer-last-server srvlog forceclose-tcp assume-rfc6587-ntf dont-parse-log host tcplog-clf`,
	noHTTP, `accept-invalid-http-request accept-invalid-http-response accept-unsafe-violations-in-http-request
		accept-unsafe-violations-in-http-response checkcache disable-h2-upgrade forceclose forwardfor forwarded h1-case-adjust-bogus-client
		h1-case-adjust-bogus-server http-buffer-request http-drop-request-trailers http-drop-response-trailers http-ignore-probes
		http-keep-alive http-no-delay http-pretend-keepalive http-proxy http-restrict-req-hdr-names http-server-close http-tunnel
		http-use-htx http-use-proxy-header httpclose httplog httpslog originalto redispatch-http`,
)

// knownTimeout are words that come after "timeout".
var knownTimeout = knownList(
	noHTTP, "appsession",
	notYet, "mailers client-hs server-hs",
)

// removed are the old words for what has another name now.
var removed = map[string]string{
	"clitimeout": "timeout client", "srvtimeout": "timeout server", "contimeout": "timeout connect", "redispatch": "option redispatch",
	"redisp": "option redispatch", "transparent": "option transparent",
}

var knownBind = knownList(
	notYet, `accept-netscaler-cip proto label quic-socket default-crt gid-list cc
		guid-prefix idle-ping metadata`,
	noQUIC, "quic-cc-algo quic-force-retry",
	noTLS, `ssl allow-0rtt alpn ca-file ca-ignore-err ca-sign-file ca-sign-pass ca-verify-file ciphers ciphersuites client-sigalgs crl-file
		crt crt-ignore-err crt-list curves ecdhe force-sslv3 force-tlsv10 force-tlsv11 force-tlsv12 force-tlsv13 generate-certificates
		no-alpn no-ca-names no-sslv3 no-strict-sni no-tls-tickets no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13 npn prefer-client-ciphers sigalgs
		ssl-max-ver ssl-min-ver strict-sni tls-ticket-keys tls-tickets verify ecdhe ktls renegotiate no-renegotiate ech`,
)

var knownServer = knownList(
	notYet, `stick non-stick log-bufsize shard set-proxy-v2-tlv-fmt hash-key
		strict-maxconn check-pool-conn-name check-reuse-pool no-check-reuse-pool pool-conn-name proto check-proto idle-ping cc usesrc
		init-state-file`,
	noHTTP, "cookie redir pool-low-conn pool-max-conn pool-purge-delay max-reuse ws",
	noTLS, `ssl allow-0rtt alpn ca-file check-alpn check-sni check-ssl ciphers ciphersuites client-sigalgs crl-file crt curves force-sslv3
		force-tlsv10 force-tlsv11 force-tlsv12 force-tlsv13 no-check-sni-auto no-check-ssl no-sni-auto no-ssl no-ssl-reuse no-sslv3 no-tls-tickets no-tlsv10
		no-tlsv11 no-tlsv12 no-tlsv13 no-verifyhost npn send-proxy-v2-ssl send-proxy-v2-ssl-cn no-send-proxy-v2-ssl no-send-proxy-v2-ssl-cn
		sigalgs sni sni-auto check-sni-auto ssl-max-ver ssl-min-ver ssl-reuse tls-tickets verify verifyhost renegotiate no-renegotiate ktls`,
)

// knownOptions is the table for the options of a line.
func knownOptions(place Sections) map[string]string {
	if place&(onServers|OnRingServer) != 0 {
		return knownServer
	}
	return knownBind
}

// why tells why a keyword that HAProxy knows is refused in a section; empty where it is not known.
func why(place Sections, words []Word) (name, reason string) {
	first, second := words[0].Text, ""
	if len(words) > 1 {
		second = words[1].Text
	}
	switch place {
	case InResolvers, InMailers, InTenant, InRings:
		return first, ""
	case InGlobal:
		return first, knownGlobal[first]
	}
	if now := removed[first]; now != "" {
		return first, "is an old word: use '" + now + "'"
	}
	switch first {
	case "option":
		return first + " " + second, knownOption[second]
	case "timeout":
		return first + " " + second, knownTimeout[second]
	case "tcp-request", "tcp-response", "http-request", "http-response", "stick", "capture", "persist", "monitor":
		return strings.TrimSpace(first + " " + second), knownProxy[first]
	}
	return first, knownProxy[first]
}
