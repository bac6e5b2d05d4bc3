package metrics

import (
	"slices"
	"strings"

	"github.com/sluice-lb/sluice/lb/admin"
)

// serverFamilies are HAProxy's, of servers.
var serverFamilies = []family{
	{name: "haproxy_server_current_queue", kind: gauge, help: "Flows that wait for a slot at this server alone.", column: of("qcur")},
	{name: "haproxy_server_max_queue", kind: gauge, help: "Most flows that waited for this server alone.", column: of("qmax")},
	{name: "haproxy_server_current_sessions", kind: gauge, help: "Flows that are open.", column: of("scur")},
	{name: "haproxy_server_max_sessions", kind: gauge, help: "Most flows that were open at once.", column: of("smax")},
	{name: "haproxy_server_limit_sessions", kind: gauge, help: "Flows that may be open at once (maxconn).", column: of("slim")},
	{name: "haproxy_server_sessions_total", kind: counter, help: "Connects that were begun, repeated ones too.", column: of("stot")},
	{name: "haproxy_server_bytes_in_total", kind: counter, help: "Bytes that came from clients.", column: of("bin")},
	{name: "haproxy_server_bytes_out_total", kind: counter, help: "Bytes that went to clients.", column: of("bout")},
	{name: "haproxy_server_responses_denied_total", kind: counter, help: "Answers that rules have denied; always 0.", column: of("dresp")},
	{name: "haproxy_server_connection_errors_total", kind: counter, help: "Flows that ended because it could not be reached.", column: of("econ")},
	{name: "haproxy_server_response_errors_total", kind: counter, help: "Flows that it has reset.", column: of("eresp")},
	{name: "haproxy_server_retry_warnings_total", kind: counter, help: "Connects that were repeated.", column: of("wretr")},
	{name: "haproxy_server_redispatch_warnings_total", kind: counter, help: "Flows that came here after another server could not be reached.", column: of("wredis")},
	{name: "haproxy_server_status", kind: gauge, help: "1 for the state it is in.", label: "state", names: serverStates, state: serverState},
	{name: "haproxy_server_weight", kind: gauge, help: "Weight now, with what slow start has come to.", column: of("weight")},
	{name: "haproxy_server_check_failures_total", kind: counter, help: "Checks that failed while it was up.", column: of("chkfail")},
	{name: "haproxy_server_check_up_down_total", kind: counter, help: "Times that it went down.", column: of("chkdown")},
	{name: "haproxy_server_check_last_change_seconds", kind: gauge, help: "Time since it last went up or down.", column: of("lastchg")},
	{name: "haproxy_server_downtime_seconds_total", kind: counter, help: "Time during which it was down.", column: of("downtime")},
	{name: "haproxy_server_queue_limit", kind: gauge, help: "Flows that may wait for it alone (maxqueue).", column: of("qlimit")},
	{name: "haproxy_server_current_throttle", kind: gauge, help: "Percent of its weight that slow start has come to.", column: of("throttle")},
	{name: "haproxy_server_loadbalanced_total", kind: counter, help: "Flows that it was chosen for.", column: of("lbtot")},
	{name: "haproxy_server_max_session_rate", kind: gauge, help: "Most flows that came in one second.", column: of("rate_max")},
	{name: "haproxy_server_check_status", kind: gauge, help: "1 for what the last check ended with, if it is checked.", label: "state", names: checkStates, state: checkState},
	{name: "haproxy_server_check_code", kind: gauge, help: "Code that the last check brought; 0: none.", column: code},
	{name: "haproxy_server_check_duration_seconds", kind: gauge, help: "Time that the last check took.", column: duration},
	{name: "haproxy_server_client_aborts_total", kind: counter, help: "Flows that their client broke off.", column: of("cli_abrt")},
	{name: "haproxy_server_server_aborts_total", kind: counter, help: "Flows that it broke off.", column: of("srv_abrt")},
	{name: "haproxy_server_last_session_seconds", kind: gauge, help: "Time since the last flow was given to it; -1: none was.", column: of("lastsess")},
	{name: "haproxy_server_queue_time_average_seconds", kind: gauge, help: "Time in the queue, average of the last 1024 flows of each loop.", column: seconds("qtime")},
	{name: "haproxy_server_connect_time_average_seconds", kind: gauge, help: "Time to connect, average of the last 1024 flows of each loop.", column: seconds("ctime")},
	{name: "haproxy_server_response_time_average_seconds", kind: gauge, help: "Time until the answer's header; always 0.", column: seconds("rtime")},
	{name: "haproxy_server_total_time_average_seconds", kind: gauge, help: "Time from accept to close, average of the last 1024 flows of each loop.", column: seconds("ttime")},
	{name: "haproxy_server_failed_header_rewriting_total", kind: counter, help: "Headers that could not be rewritten; always 0.", column: of("wrew")},
	{name: "haproxy_server_connection_attempts_total", kind: counter, help: "Connects that were begun.", column: of("connect")},
	{name: "haproxy_server_connection_reuses_total", kind: counter, help: "Connections that were used again; always 0.", column: of("reuse")},
	{name: "haproxy_server_idle_connections_current", kind: gauge, help: "Connections that wait to be used again; always 0.", column: of("srv_icur")},
	{name: "haproxy_server_idle_connections_limit", kind: gauge, help: "Limit of them; not there.", column: of("src_ilim")},
	{name: "haproxy_server_max_queue_time_seconds", kind: gauge, help: "Longest time in the queue.", column: seconds("qtime_max")},
	{name: "haproxy_server_max_connect_time_seconds", kind: gauge, help: "Longest time to connect.", column: seconds("ctime_max")},
	{name: "haproxy_server_max_response_time_seconds", kind: gauge, help: "Longest time until the answer's header; always 0.", column: seconds("rtime_max")},
	{name: "haproxy_server_max_total_time_seconds", kind: gauge, help: "Longest time from accept to close.", column: seconds("ttime_max")},
	{name: "haproxy_server_internal_errors_total", kind: counter, help: "Flows that failed for a lack in this process.", column: of("eint")},
	{name: "haproxy_server_unsafe_idle_connections_current", kind: gauge, help: "Connections that wait to be used again; always 0.", column: of("idle_conn_cur")},
	{name: "haproxy_server_safe_idle_connections_current", kind: gauge, help: "Connections that wait to be used again; always 0.", column: of("safe_conn_cur")},
	{name: "haproxy_server_used_connections_current", kind: gauge, help: "Connections to it.", column: of("used_conn_cur")},
	{name: "haproxy_server_need_connections_current", kind: gauge, help: "Connections to it: none is kept for others.", column: of("need_conn_est")},
	{name: "haproxy_server_uweight", kind: gauge, help: "Weight as it is set.", column: of("uweight")},
}

var (
	serverStateNames = [...]string{"DOWN", "UP", "MAINT", "DRAIN", "NOLB"}
	// What a check can end with, as HAProxy orders it.
	checkStateNames = [...]string{
		"HANA", "SOCKERR", "L4OK", "L4TOUT", "L4CON", "L6OK", "L6TOUT", "L6RSP", "L7TOUT", "L7RSP", "L7OK", "L7OKC", "L7STS",
		"PROCERR", "PROCTOUT", "PROCOK",
	}
	serverStates, checkStates = serverStateNames[:], checkStateNames[:]

	statusColumn, checkColumn = columnOf("status"), columnOf("check_status")
)

// serverState reads the words of "show stat": "UP 1/3", "MAINT (via b/s)". A server that is not checked is up.
func serverState(r *admin.Row) float64 {
	word, _, _ := strings.Cut(r.Value(statusColumn).String(), " ")
	if word == "no" {
		word = "UP"
	}
	return float64(slices.Index(serverStates, word))
}

// checkState is absent while a server is not checked, and in none of the states before the first check has ended.
func checkState(r *admin.Row) float64 {
	v := r.Value(checkColumn)
	if v.Empty() {
		return absent
	}
	return float64(slices.Index(checkStates, v.String()))
}

// code gives what a check brought, 0 where it was nothing, of servers that are checked.
func code(r *admin.Row) float64 {
	if r.Value(checkColumn).Empty() {
		return absent
	}
	return r.Value(codeColumn).Number()
}

// duration is absent before the first check has ended.
func duration(r *admin.Row) float64 {
	v := r.Value(durationColumn)
	if v.Empty() {
		return absent
	}
	return v.Number() / 1000
}

var codeColumn, durationColumn = columnOf("check_code"), columnOf("check_duration")
