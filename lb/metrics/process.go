package metrics

import "math"

// processFamilies are HAProxy's, of the process as a whole.
var processFamilies = []family{
	{name: "haproxy_process_nbthread", kind: gauge, help: "Loops, each of which is a thread.", count: info("Nbthread")},
	{name: "haproxy_process_nbproc", kind: gauge, help: "Processes; always 1.", count: info("Nbproc")},
	{name: "haproxy_process_relative_process_id", kind: gauge, help: "Number of this process; always 1.", count: info("Process_num")},
	{name: "haproxy_process_uptime_seconds", kind: gauge, help: "Time since the process began.", count: info("Uptime_sec")},
	{name: "haproxy_process_pool_failures_total", kind: counter, help: "Allocations that failed; always 0, as the process would have ended.", count: info("PoolFailed")},
	{name: "haproxy_process_max_fds", kind: gauge, help: "Descriptors that the process may have.", count: info("Ulimit-n")},
	{name: "haproxy_process_max_sockets", kind: gauge, help: "Descriptors that the process may have.", count: info("Maxsock")},
	{name: "haproxy_process_max_connections", kind: gauge, help: "Connections that may be open at once.", count: info("Maxconn")},
	{name: "haproxy_process_hard_max_connections", kind: gauge, help: "Connections that might be open at once when the process began.", count: info("Hard_maxconn")},
	{name: "haproxy_process_current_connections", kind: gauge, help: "Connections that are open.", count: info("CurrConns")},
	{name: "haproxy_process_connections_total", kind: counter, help: "Connections that were accepted.", count: info("CumConns")},
	{name: "haproxy_process_requests_total", kind: counter, help: "Sessions so far: there are no requests at this layer.", count: info("CumReq")},
	{name: "haproxy_process_max_ssl_connections", kind: gauge, help: "Limit of TLS connections; always 0.", count: info("MaxSslConns")},
	{name: "haproxy_process_current_ssl_connections", kind: gauge, help: "TLS connections; always 0, as TLS passes through.", count: info("CurrSslConns")},
	{name: "haproxy_process_ssl_connections_total", kind: counter, help: "TLS connections so far; always 0.", count: info("CumSslConns")},
	{name: "haproxy_process_max_pipes", kind: gauge, help: "Pipes for splicing that may be open at once; 0: no limit of their own.", count: info("Maxpipes")},
	{name: "haproxy_process_pipes_used_total", kind: counter, help: "Pipes in use.", count: info("PipesUsed")},
	{name: "haproxy_process_pipes_free_total", kind: counter, help: "Pipes that are kept.", count: info("PipesFree")},
	{name: "haproxy_process_current_connection_rate", kind: gauge, help: "Connections that came in the last second.", count: info("ConnRate")},
	{name: "haproxy_process_limit_connection_rate", kind: gauge, help: "Connections that may come in a second; 0: no limit.", count: info("ConnRateLimit")},
	{name: "haproxy_process_max_connection_rate", kind: gauge, help: "Most connections that came in one second.", count: info("MaxConnRate")},
	{name: "haproxy_process_current_session_rate", kind: gauge, help: "Sessions that began in the last second.", count: info("SessRate")},
	{name: "haproxy_process_limit_session_rate", kind: gauge, help: "Sessions that may begin in a second; 0: no limit.", count: info("SessRateLimit")},
	{name: "haproxy_process_max_session_rate", kind: gauge, help: "Most sessions that began in one second.", count: info("MaxSessRate")},
	{name: "haproxy_process_current_ssl_rate", kind: gauge, help: "TLS sessions in the last second; always 0.", count: info("SslRate")},
	{name: "haproxy_process_limit_ssl_rate", kind: gauge, help: "Limit of TLS sessions in a second; always 0.", count: info("SslRateLimit")},
	{name: "haproxy_process_max_ssl_rate", kind: gauge, help: "Most TLS sessions in one second; always 0.", count: info("MaxSslRate")},
	{name: "haproxy_process_current_frontend_ssl_key_rate", kind: gauge, help: "TLS keys of clients in the last second; always 0.", count: info("SslFrontendKeyRate")},
	{name: "haproxy_process_max_frontend_ssl_key_rate", kind: gauge, help: "Most TLS keys of clients in one second; always 0.", count: info("SslFrontendMaxKeyRate")},
	{name: "haproxy_process_frontend_ssl_reuse", kind: gauge, help: "Percent of TLS sessions that were resumed; always 0.", count: info("SslFrontendSessionReuse_pct")},
	{name: "haproxy_process_current_backend_ssl_key_rate", kind: gauge, help: "TLS keys of servers in the last second; always 0.", count: info("SslBackendKeyRate")},
	{name: "haproxy_process_max_backend_ssl_key_rate", kind: gauge, help: "Most TLS keys of servers in one second; always 0.", count: info("SslBackendMaxKeyRate")},
	{name: "haproxy_process_ssl_cache_lookups_total", kind: counter, help: "Looks into the cache of TLS sessions; always 0.", count: info("SslCacheLookups")},
	{name: "haproxy_process_ssl_cache_misses_total", kind: counter, help: "Looks into the cache of TLS sessions that failed; always 0.", count: info("SslCacheMisses")},
	{name: "haproxy_process_http_comp_bytes_in_total", kind: counter, help: "Bytes before compression; always 0.", count: info("CompressBpsIn")},
	{name: "haproxy_process_http_comp_bytes_out_total", kind: counter, help: "Bytes after compression; always 0.", count: info("CompressBpsOut")},
	{name: "haproxy_process_limit_http_comp", kind: gauge, help: "Limit of compression; always 0.", count: info("CompressBpsRateLim")},
	{name: "haproxy_process_current_zlib_memory", kind: gauge, help: "Memory of zlib; not there.", count: info("ZlibMemUsage")},
	{name: "haproxy_process_max_zlib_memory", kind: gauge, help: "Limit of zlib's memory; not there.", count: info("MaxZlibMemUsage")},
	{name: "haproxy_process_current_tasks", kind: gauge, help: "Flows.", count: info("Tasks")},
	{name: "haproxy_process_current_run_queue", kind: gauge, help: "Tasks that are due; always 0.", count: info("Run_queue")},
	{name: "haproxy_process_idle_time_percent", kind: gauge, help: "Percent of their time that the loops have waited for events since they began.", count: info("Idle_pct")},
	{name: "haproxy_process_stopping", kind: gauge, help: "1 once the process takes no more connections.", count: info("Stopping")},
	{name: "haproxy_process_jobs", kind: gauge, help: "Connections and listeners.", count: info("Jobs")},
	{name: "haproxy_process_unstoppable_jobs", kind: gauge, help: "Jobs that a soft stop does not wait for; always 0.", count: info("Unstoppable Jobs")},
	{name: "haproxy_process_listeners", kind: gauge, help: "Addresses on which it listens.", count: info("Listeners")},
	{name: "haproxy_process_active_peers", kind: gauge, help: "Peers; always 0.", count: info("ActivePeers")},
	{name: "haproxy_process_connected_peers", kind: gauge, help: "Peers that are connected; always 0.", count: info("ConnectedPeers")},
	{name: "haproxy_process_dropped_logs_total", kind: counter, help: "Log lines that could not be sent.", count: info("DroppedLogs")},
	{name: "haproxy_process_busy_polling_enabled", kind: gauge, help: "1 if the loops never sleep.", count: info("BusyPolling")},
	{name: "haproxy_process_failed_resolutions", kind: counter, help: "Questions to name servers without a good answer.", count: info("FailedResolutions")},
	{name: "haproxy_process_bytes_out_total", kind: counter, help: "Bytes that went to clients.", count: info("TotalBytesOut")},
	{name: "haproxy_process_spliced_bytes_out_total", kind: counter, help: "Bytes that were spliced, both ways.", count: info("TotalSplicdedBytesOut")},
	{name: "haproxy_process_bytes_out_rate", kind: gauge, help: "Bytes that went to clients in the last second.", count: info("BytesOutRate")},
	{name: "haproxy_process_recv_logs_total", kind: counter, help: "Log lines received; always 0.", count: info("CumRecvLogs")},
	{name: "haproxy_process_max_memory_bytes", kind: gauge, help: "Limit of the heap (-m, GOMEMLIMIT); 0: none.", count: info("Memmax_bytes")},
	{name: "haproxy_process_pool_allocated_bytes", kind: gauge, help: "Memory that the heap has from the system.", count: info("PoolAlloc_bytes")},
	{name: "haproxy_process_pool_used_bytes", kind: gauge, help: "Heap in use.", count: info("PoolUsed_bytes")},
	{name: "haproxy_process_start_time_seconds", kind: gauge, help: "When the process began, since 1970.", count: info("Start_time_sec")},
}

// buildFamilies are of the process with its version.
var buildFamilies = []family{
	{name: "haproxy_process_build_info", kind: gauge, help: "1, with the version.", count: func(*entity, int) float64 { return 1 }},
}

// info gives a field of "show info"; NaN if there is none.
func info(field string) func(*entity, int) float64 {
	return func(e *entity, _ int) float64 {
		v, found := e.info[field]
		if !found {
			return math.NaN()
		}
		return v.Number()
	}
}
