package metrics

import "github.com/sluice-lb/sluice/lb/admin"

// backendFamilies are HAProxy's, of backends.
var backendFamilies = []family{
	{name: "haproxy_backend_current_queue", kind: gauge, help: "Flows that wait for a slot, at the backend and at its servers.", column: of("qcur")},
	{name: "haproxy_backend_max_queue", kind: gauge, help: "Most flows that waited at once.", column: of("qmax")},
	{name: "haproxy_backend_current_sessions", kind: gauge, help: "Flows that are open.", column: of("scur")},
	{name: "haproxy_backend_max_sessions", kind: gauge, help: "Most flows that were open at once.", column: of("smax")},
	{name: "haproxy_backend_limit_sessions", kind: gauge, help: "Flows at which the servers' limits reach their maxconn (fullconn).", column: of("slim")},
	{name: "haproxy_backend_sessions_total", kind: counter, help: "Flows so far.", column: of("stot")},
	{name: "haproxy_backend_bytes_in_total", kind: counter, help: "Bytes that came from clients.", column: of("bin")},
	{name: "haproxy_backend_bytes_out_total", kind: counter, help: "Bytes that went to clients.", column: of("bout")},
	{name: "haproxy_backend_requests_denied_total", kind: counter, help: "Flows that rules have denied.", column: of("dreq")},
	{name: "haproxy_backend_responses_denied_total", kind: counter, help: "Answers that rules have denied; always 0.", column: of("dresp")},
	{name: "haproxy_backend_connection_errors_total", kind: counter, help: "Flows for which no server could be had or reached.", column: of("econ")},
	{name: "haproxy_backend_response_errors_total", kind: counter, help: "Flows that their server has reset.", column: of("eresp")},
	{name: "haproxy_backend_retry_warnings_total", kind: counter, help: "Connects that were repeated.", column: of("wretr")},
	{name: "haproxy_backend_redispatch_warnings_total", kind: counter, help: "Connects that were repeated at another server.", column: of("wredis")},
	{name: "haproxy_backend_status", kind: gauge, help: "1 for the state it is in: DOWN while no server can be used.", label: "state", names: downUp, state: backendState},
	{name: "haproxy_backend_weight", kind: gauge, help: "Sum of the weights of the servers that serve.", column: of("weight")},
	{name: "haproxy_backend_active_servers", kind: gauge, help: "Servers that can be used and are no backups.", column: of("act")},
	{name: "haproxy_backend_backup_servers", kind: gauge, help: "Backup servers that can be used.", column: of("bck")},
	{name: "haproxy_backend_check_up_down_total", kind: counter, help: "Times that its last server went.", column: of("chkdown")},
	{name: "haproxy_backend_check_last_change_seconds", kind: gauge, help: "Time since it last went up or down.", column: of("lastchg")},
	{name: "haproxy_backend_downtime_seconds_total", kind: counter, help: "Time during which no server could be used.", column: of("downtime")},
	{name: "haproxy_backend_loadbalanced_total", kind: counter, help: "Flows that were given a server.", column: of("lbtot")},
	{name: "haproxy_backend_max_session_rate", kind: gauge, help: "Most flows that came in one second.", column: of("rate_max")},
	{name: "haproxy_backend_client_aborts_total", kind: counter, help: "Flows that their client broke off.", column: of("cli_abrt")},
	{name: "haproxy_backend_server_aborts_total", kind: counter, help: "Flows that their server broke off.", column: of("srv_abrt")},
	{name: "haproxy_backend_last_session_seconds", kind: gauge, help: "Time since the last flow was given to it; -1: none was.", column: of("lastsess")},
	{name: "haproxy_backend_queue_time_average_seconds", kind: gauge, help: "Time in the queue, average of the last 1024 flows of each loop.", column: seconds("qtime")},
	{name: "haproxy_backend_connect_time_average_seconds", kind: gauge, help: "Time to connect to the server, average of the last 1024 flows of each loop.", column: seconds("ctime")},
	{name: "haproxy_backend_response_time_average_seconds", kind: gauge, help: "Time until the answer's header; always 0.", column: seconds("rtime")},
	{name: "haproxy_backend_total_time_average_seconds", kind: gauge, help: "Time from accept to close, average of the last 1024 flows of each loop.", column: seconds("ttime")},
	{name: "haproxy_backend_failed_header_rewriting_total", kind: counter, help: "Headers that could not be rewritten; always 0.", column: of("wrew")},
	{name: "haproxy_backend_connection_attempts_total", kind: counter, help: "Connects to its servers that were begun.", column: of("connect")},
	{name: "haproxy_backend_connection_reuses_total", kind: counter, help: "Connections that were used again; always 0.", column: of("reuse")},
	{name: "haproxy_backend_max_queue_time_seconds", kind: gauge, help: "Longest time in the queue.", column: seconds("qtime_max")},
	{name: "haproxy_backend_max_connect_time_seconds", kind: gauge, help: "Longest time to connect to the server.", column: seconds("ctime_max")},
	{name: "haproxy_backend_max_response_time_seconds", kind: gauge, help: "Longest time until the answer's header; always 0.", column: seconds("rtime_max")},
	{name: "haproxy_backend_max_total_time_seconds", kind: gauge, help: "Longest time from accept to close.", column: seconds("ttime_max")},
	{name: "haproxy_backend_internal_errors_total", kind: counter, help: "Flows that failed for a lack in this process.", column: of("eint")},
	{name: "haproxy_backend_uweight", kind: gauge, help: "Sum of the weights, as they are set, of the servers that serve.", column: of("uweight")},
	{name: "haproxy_backend_agg_server_status", kind: gauge, help: "Its servers, by the state that they are in.", label: "state", names: serverStates, count: func(e *entity, i int) float64 { return float64(e.tally.states[i]) }},
	{name: "haproxy_backend_agg_server_check_status", kind: gauge, help: "Its servers, by the state that they are in; the former name of haproxy_backend_agg_server_status.", label: "state", names: serverStates, count: func(e *entity, i int) float64 { return float64(e.tally.states[i]) }},
	{name: "haproxy_backend_agg_check_status", kind: gauge, help: "Its servers that are checked, by what the last check ended with.", label: "state", names: checkStates, count: func(e *entity, i int) float64 { return float64(e.tally.checks[i]) }},
}

// tally counts the servers of a backend.
type tally struct {
	states [len(serverStateNames)]int
	checks [len(checkStateNames)]int
}

func (t *tally) add(r *admin.Row) {
	t.states[int(serverState(r))]++
	if i := checkState(r); i >= 0 {
		t.checks[int(i)]++
	}
}

func backendState(r *admin.Row) float64 {
	if r.Value(statusColumn).String() == "DOWN" {
		return 0
	}
	return 1
}
