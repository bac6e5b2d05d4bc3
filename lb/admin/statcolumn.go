package admin

// columns of "show stat", in HAProxy 2.6's order. Behind the sharp sign "-" come columns that have no fixed place; there are
// none here.
var columns = [...]column{
	{"pxname", "KNS", "name of the proxy"},
	{"svname", "KNS", "FRONTEND, BACKEND, or the name of the server or listener"},
	{"qcur", "MGP", "flows that wait for a slot now"},
	{"qmax", "MMP", "highest qcur"},
	{"scur", "MGP", "flows now"},
	{"smax", "MMP", "highest scur"},
	{"slim", "CLP", "maxconn, or a backend's fullconn; of a listener 0 if it has none of its own"},
	{"stot", "MCP", "flows so far; of a server: connects"},
	{"bin", "MCP", "bytes from clients"},
	{"bout", "MCP", "bytes to clients"},
	{"dreq", "MCP", "connections that rules denied"},
	{"dresp", "MCP", "always 0"},
	{"ereq", "MCP", "connections whose client was at fault before they had a server"},
	{"econ", "MCP", "flows that no server could be reached for"},
	{"eresp", "MCP", "flows that their server broke off"},
	{"wretr", "MCP", "connects that were repeated"},
	{"wredis", "MCP", "of these, at another server"},
	{"status", "SGP", "OPEN, PAUSED, STOP; UP, DOWN, NOLB, DRAIN, MAINT, no check"},
	{"weight", "MaP", "weight now, or the sum of the weights of those who serve"},
	{"act", "SGP", "servers that serve and are no backups; of a server: 1 if it is none"},
	{"bck", "SGP", "backups that serve; of a server: 1 if it is one"},
	{"chkfail", "MCP", "checks that failed while the server was up"},
	{"chkdown", "MCP", "changes from up to down"},
	{"lastchg", "MAP", "seconds since it last went up or down"},
	{"downtime", "MCP", "seconds that it was down"},
	{"qlimit", "CLS", "maxqueue"},
	{"pid", "KGP", "number of the process: always 1"},
	{"iid", "KGS", "id of the proxy"},
	{"sid", "KGS", "id of the server or listener"},
	{"throttle", "MaP", "percent that slow start has come to"},
	{"lbtot", "MCP", "flows that the server was chosen for"},
	{"tracked", "CNS", "whose state the server has"},
	{"type", "CGS", "0 frontend, 1 backend, 2 server, 3 listener"},
	{"rate", "MRP", "flows in the last second"},
	{"rate_lim", "CLP", "rate-limit sessions"},
	{"rate_max", "MMP", "highest rate"},
	{"check_status", "MOP", "what the last check ended with"},
	{"check_code", "MOP", "code that it brought"},
	{"check_duration", "MDP", "milliseconds that it took"},
	{"hrsp_1xx", "MCP", "not used here"},
	{"hrsp_2xx", "MCP", "not used here"},
	{"hrsp_3xx", "MCP", "not used here"},
	{"hrsp_4xx", "MCP", "not used here"},
	{"hrsp_5xx", "MCP", "not used here"},
	{"hrsp_other", "MCP", "not used here"},
	{"hanafail", "MOP", "failures that observe acted upon"},
	{"req_rate", "MRP", "not used here"},
	{"req_rate_max", "MMP", "not used here"},
	{"req_tot", "MCP", "not used here"},
	{"cli_abrt", "MCP", "flows that the client broke off"},
	{"srv_abrt", "MCP", "flows that the server broke off"},
	{"comp_in", "MCP", "not used here"},
	{"comp_out", "MCP", "not used here"},
	{"comp_byp", "MCP", "not used here"},
	{"comp_rsp", "MCP", "not used here"},
	{"lastsess", "MAP", "seconds since the last flow was given to it; -1: none was"},
	{"last_chk", "MOP", "what the last check brought"},
	{"last_agt", "MOP", "what the last agent check brought"},
	{"qtime", "MaP", "milliseconds in the queue, average of the last 1024"},
	{"ctime", "MaP", "milliseconds to connect, average of the last 1024"},
	{"rtime", "MaP", "always 0"},
	{"ttime", "MaP", "milliseconds of a whole flow, average of the last 1024"},
	{"agent_status", "MOP", "what the last agent check ended with"},
	{"agent_code", "MOP", "not used here"},
	{"agent_duration", "MDP", "milliseconds that it took"},
	{"check_desc", "MOP", "check_status in words"},
	{"agent_desc", "MOP", "agent_status in words"},
	{"check_rise", "CGS", "rise"},
	{"check_fall", "CGS", "fall"},
	{"check_health", "CGS", "health, from 0 to rise+fall-1, up from rise on"},
	{"agent_rise", "CGS", "rise of the agent"},
	{"agent_fall", "CGS", "fall of the agent"},
	{"agent_health", "CGS", "the agent's health"},
	{"addr", "CGS", "address and port; from level operator on"},
	{"cookie", "CNS", "not used here"},
	{"mode", "CGS", "always tcp"},
	{"algo", "CGS", "balance; from level operator on"},
	{"conn_rate", "MRP", "connections in the last second"},
	{"conn_rate_max", "MMP", "highest conn_rate"},
	{"conn_tot", "MCP", "connections so far"},
	{"intercepted", "MCP", "not used here"},
	{"dcon", "MCP", "connections that tcp-request connection denied"},
	{"dses", "MCP", "sessions that tcp-request session denied"},
	{"wrew", "MCP", "not used here"},
	{"connect", "MCP", "connects that were begun"},
	{"reuse", "MCP", "not used here"},
	{"cache_lookups", "MCP", "not used here"},
	{"cache_hits", "MCP", "not used here"},
	{"srv_icur", "MGP", "not used here"},
	{"src_ilim", "CLP", "not used here"},
	{"qtime_max", "MMP", "longest time in the queue in milliseconds"},
	{"ctime_max", "MMP", "longest time to connect in milliseconds"},
	{"rtime_max", "MMP", "always 0"},
	{"ttime_max", "MMP", "longest flow in milliseconds"},
	{"eint", "MCP", "flows that failed for a lack of this process"},
	{"idle_conn_cur", "MGP", "not used here"},
	{"safe_conn_cur", "MGP", "not used here"},
	{"used_conn_cur", "MGP", "connections to the server now"},
	{"need_conn_est", "MGP", "the same: no connection is kept for others"},
	{"uweight", "MaP", "weight as it was configured or set, or the sum of those who serve"},
	{"agg_server_status", "MGP", "not used here"},
	{"agg_server_check_status", "MGP", "not used here"},
	{"agg_check_status", "MGP", "not used here"},
}

// The columns by name.
const (
	pxname = iota
	svname
	qcur
	qmax
	scur
	smax
	slim
	stot
	bin
	bout
	dreq
	dresp
	ereq
	econ
	eresp
	wretr
	wredis
	status
	weight
	act
	bck
	chkfail
	chkdown
	lastchg
	downtime
	qlimit
	pid
	iid
	sid
	throttle
	lbtot
	tracked
	kind
	rateNow
	rateLimit
	rateMax
	checkStatus
	checkCode
	checkDuration
)

// The columns from 45 on that have a value.
const (
	hanafail = iota + 45
	reqRate
	reqRateMax
	reqTot
	cliAbrt
	srvAbrt
	compIn
	compOut
	compByp
	compRsp
	lastsess
	lastChk
	lastAgt
	qtime
	ctime
	rtime
	ttime
	agentStatus
	agentCode
	agentDuration
	checkDesc
	agentDesc
	checkRise
	checkFall
	checkHealth
	agentRise
	agentFall
	agentHealth
	addr
	cookie
	mode
	algo
	connRate
	connRateMax
	connTot
	intercepted
	dcon
	dses
	wrew
	connect
	reuse
	cacheLookups
	cacheHits
	srvIcur
	srcIlim
	qtimeMax
	ctimeMax
	rtimeMax
	ttimeMax
	eint
	idleConnCur
	safeConnCur
	usedConnCur
	needConnEst
	uweight
	aggServerStatus
	aggServerCheckStatus
	aggCheckStatus
	columnCount
)
