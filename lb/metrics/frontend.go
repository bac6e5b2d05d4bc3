package metrics

import (
	"github.com/sluice-lb/sluice/lb/admin"
)

// frontendFamilies are HAProxy's, of frontends.
var frontendFamilies = []family{
	{name: "haproxy_frontend_current_sessions", kind: gauge, help: "Connections that are open.", column: of("scur")},
	{name: "haproxy_frontend_max_sessions", kind: gauge, help: "Most connections that were open at once.", column: of("smax")},
	{name: "haproxy_frontend_limit_sessions", kind: gauge, help: "Connections that may be open at once (maxconn).", column: of("slim")},
	{name: "haproxy_frontend_sessions_total", kind: counter, help: "Connections that became flows.", column: of("stot")},
	{name: "haproxy_frontend_bytes_in_total", kind: counter, help: "Bytes that came from clients.", column: of("bin")},
	{name: "haproxy_frontend_bytes_out_total", kind: counter, help: "Bytes that went to clients.", column: of("bout")},
	{name: "haproxy_frontend_requests_denied_total", kind: counter, help: "Connections that rules have denied.", column: of("dreq")},
	{name: "haproxy_frontend_responses_denied_total", kind: counter, help: "Answers that rules have denied; always 0.", column: of("dresp")},
	{name: "haproxy_frontend_request_errors_total", kind: counter, help: "Connections that ended by their client's fault before they had a server.", column: of("ereq")},
	{name: "haproxy_frontend_status", kind: gauge, help: "1 for the state it is in: DOWN once it takes no more connections.", label: "state", names: downUp, state: frontendState},
	{name: "haproxy_frontend_limit_session_rate", kind: gauge, help: "Sessions that may begin in a second (rate-limit sessions); 0: no limit.", column: of("rate_lim")},
	{name: "haproxy_frontend_max_session_rate", kind: gauge, help: "Most sessions that began in one second.", column: of("rate_max")},
	{name: "haproxy_frontend_connections_rate_max", kind: gauge, help: "Most connections that came in one second.", column: of("conn_rate_max")},
	{name: "haproxy_frontend_connections_total", kind: counter, help: "Connections that were accepted.", column: of("conn_tot")},
	{name: "haproxy_frontend_denied_connections_total", kind: counter, help: "Connections that tcp-request connection rules have denied.", column: of("dcon")},
	{name: "haproxy_frontend_denied_sessions_total", kind: counter, help: "Sessions that tcp-request session rules have denied.", column: of("dses")},
	{name: "haproxy_frontend_failed_header_rewriting_total", kind: counter, help: "Headers that could not be rewritten; always 0.", column: of("wrew")},
	{name: "haproxy_frontend_internal_errors_total", kind: counter, help: "Flows that failed for a lack in this process.", column: of("eint")},
}

// listenerFamilies are HAProxy's, of binds where "option socket-stats" is set.
var listenerFamilies = []family{
	{name: "haproxy_listener_current_sessions", kind: gauge, help: "Connections that are open.", column: of("scur")},
	{name: "haproxy_listener_max_sessions", kind: gauge, help: "Most connections that were open at once.", column: of("smax")},
	{name: "haproxy_listener_limit_sessions", kind: gauge, help: "Connections that may be open at once (the bind's own maxconn); 0: as many as its frontend's.", column: of("slim")},
	{name: "haproxy_listener_sessions_total", kind: counter, help: "Connections that were accepted.", column: of("stot")},
	{name: "haproxy_listener_bytes_in_total", kind: counter, help: "Bytes that came from clients.", column: of("bin")},
	{name: "haproxy_listener_bytes_out_total", kind: counter, help: "Bytes that went to clients.", column: of("bout")},
	{name: "haproxy_listener_requests_denied_total", kind: counter, help: "Connections that rules have denied.", column: of("dreq")},
	{name: "haproxy_listener_responses_denied_total", kind: counter, help: "Answers that rules have denied; always 0.", column: of("dresp")},
	{name: "haproxy_listener_request_errors_total", kind: counter, help: "Connections that ended by their client's fault.", column: of("ereq")},
	{name: "haproxy_listener_status", kind: gauge, help: "1 for the state it is in: FULL is at its own limit; WAITING is paused, closed, or its frontend is at its limit.", label: "state", names: []string{"WAITING", "OPEN", "FULL"}, state: listenerState},
	{name: "haproxy_listener_denied_connections_total", kind: counter, help: "Connections that tcp-request connection rules have denied.", column: of("dcon")},
	{name: "haproxy_listener_denied_sessions_total", kind: counter, help: "Sessions that tcp-request session rules have denied.", column: of("dses")},
	{name: "haproxy_listener_failed_header_rewriting_total", kind: counter, help: "Headers that could not be rewritten; always 0.", column: of("wrew")},
	{name: "haproxy_listener_internal_errors_total", kind: counter, help: "Connections that failed for a lack in this process.", column: of("eint")},
}

var downUp = []string{"DOWN", "UP"}

func frontendState(r *admin.Row) float64 {
	if r.Proxy.Frontend.State() == admin.Stopped {
		return 0
	}
	return 1
}

func listenerState(r *admin.Row) float64 {
	limit := r.Value(limitColumn).Number()
	switch f := r.Proxy.Frontend; {
	case f.State() != admin.Open:
		return 0
	case limit > 0 && r.Value(flowsColumn).Number() >= limit:
		return 2
	case f.Flows.Value() >= int64(f.Limit()):
		return 0
	}
	return 1
}

var limitColumn, flowsColumn = columnOf("slim"), columnOf("scur")
