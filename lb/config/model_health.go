package config

import (
	"net/netip"
	"time"
)

// CheckKind is what a backend's health checks speak.
type CheckKind uint8

// The kinds: a plain connect, the two that have rules, and those that are built in.
const (
	CheckConnect    CheckKind = iota // no "option" line: connecting is enough
	CheckTCP                         // option tcp-check
	CheckHTTP                        // option httpchk
	CheckSMTP                        // option smtpchk
	CheckPostgreSQL                  // option pgsql-check
	CheckMySQL                       // option mysql-check
	CheckRedis                       // option redis-check
	CheckLDAP                        // option ldap-check
	CheckSSLHello                    // option ssl-hello-chk
	CheckSPOP                        // option spop-check
	CheckExternal                    // option external-check
)

// HealthCheck is what a backend's servers are asked when they are checked. Log formats and sample expressions are texts
// here, and valid: [ParseCheckFormat] and [ParseCheckExpression] give what a check evaluates.
type HealthCheck struct {
	Pos   Pos // of the "option" line
	Kind  CheckKind
	Rules []*CheckRule // of CheckTCP and CheckHTTP: "tcp-check" or "http-check" lines as they stand, in order; see Script

	// option httpchk: the request, unless an "http-check send" rule says otherwise. Script has joined the two.
	Method, URI, Version string // as given; empty: OPTIONS, /, HTTP/1.0
	DisableOn404         bool   // http-check disable-on-404
	SendState            bool   // http-check send-state

	User            string // option mysql-check, pgsql-check
	MySQLPre41      bool   // option mysql-check user X pre-41; otherwise post-41
	Hello, Domain   string // option smtpchk, default HELO localhost
	ExternalCommand string // external-check command
	ExternalPath    string // external-check path: PATH of the command

	// While the section is being read. What comes of a defaults section gives way to the first line of the section itself.
	tcpRules, httpRules                           []*CheckRule
	tcpInherited, httpInherited, requestInherited bool
}

// CheckAction is the first word of a rule.
type CheckAction uint8

// The actions.
const (
	ActionConnect CheckAction = iota + 1
	ActionSend
	ActionExpect
	ActionComment
	ActionSetVar
	ActionUnsetVar
)

// CheckRule is one "tcp-check" or "http-check" line. The field of its action is set.
type CheckRule struct {
	Pos     Pos
	Action  CheckAction
	Comment string

	Connect *CheckRuleConnect
	Send    *CheckRuleSend
	Expect  *CheckRuleExpect

	// ActionSetVar, ActionUnsetVar.
	Variable   string   // with its scope: "check.port", "sess.x", "proc.x"
	Conditions []string // set-var: ifexists, ifnotexists, ifempty, ifnotempty, ifset, ifnotset, ifgt, iflt; all must hold
	Expression string   // set-var: the sample expression, "int(3306)"; with Format: a log format (set-var-fmt)
	Format     bool
}

// CheckRuleConnect is "connect".
type CheckRuleConnect struct {
	Default   bool   // the server's own settings for what is not said here
	Port      string // empty: the server's check port; a number; or a sample expression
	Address   *Address
	SendProxy bool
	ViaSOCKS4 bool
	Linger    bool // end with a FIN instead of a reset
}

// CheckRuleSend is "send", "send-lf", "send-binary", "send-binary-lf", or http-check's "send".
type CheckRuleSend struct {
	Data   []byte // send, send-binary
	Format string // send-lf, send-binary-lf
	Hex    bool   // the format's outcome is hexadecimal

	// http-check send. A format stands instead of a text where the word ends in "-lf".
	Method, URI, URIFormat, Version string
	Headers                         []CheckHeader
	Body, BodyFormat                string
}

// CheckHeader is "hdr NAME VALUE"; the value is a log format. The NAMEs Content-Length, Transfer-Encoding and, without
// a value of its own, Connection are the check's to give.
type CheckHeader struct{ Name, Value string }

// CheckMatch is what "expect" compares.
type CheckMatch uint8

// The matches; the last ones are http-check's.
const (
	MatchString CheckMatch = iota + 1
	MatchRegexp
	MatchBinary       // Pattern is bytes
	MatchRegexpBinary // Pattern is a regular expression over the bytes in hexadecimal
	MatchStringFormat // Pattern is a log format
	MatchBinaryFormat // Pattern is a log format of hexadecimal
	MatchStatus       // http: Codes
	MatchRegexpStatus // http: Pattern over the three digits
	MatchHeader       // http: Header, HeaderMethod, HeaderValue...
	MatchFullHeader   // http: fhdr
	// MatchString, MatchRegexp, MatchStringFormat over the body for http.
)

// CheckRuleExpect is "expect".
type CheckRuleExpect struct {
	Match   CheckMatch
	Not     bool   // "!"
	Pattern string // bytes as they are compared, a regular expression (RE2's syntax), or a log format
	Codes   [][2]int
	MinRecv int // -1: wait until it matches or the connection ends (default); 0: match at the first bytes

	// http: hdr, fhdr.
	Header      CheckNameMatch
	HeaderValue CheckNameMatch // Text empty and Set false: its presence is enough

	OKStatus, ErrorStatus, TimeoutStatus string // "L7OK", ...; empty: the usual
	OnSuccess, OnError                   string // log formats of the text that is told; empty: the usual
	StatusCode                           string // sample expression of the code that is told
}

// CheckNameMatch is how a header's name, regardless of case, or its value is compared.
type CheckNameMatch struct {
	Set    bool
	Method string // str (default), beg, end, sub, reg
	Text   string
	Format bool // Text is a log format ("name-lf", "value-lf")
}

// Resolvers is a "resolvers" section.
type Resolvers struct {
	Pos             Pos
	Name            string
	Implicit        bool // the section "default" that nobody wrote: parse-resolv-conf, whose failure is no complaint
	NameServers     []NameServer
	ParseResolvConf bool          // parse-resolv-conf: those of /etc/resolv.conf besides
	Retries         int           // resolve_retries, default 3
	TimeoutResolve  time.Duration // between two resolutions, default 1s
	TimeoutRetry    time.Duration // between two tries, default 1s
	HoldValid       time.Duration // default 10s
	HoldObsolete    time.Duration // default 0: at once
	HoldNX          time.Duration // the others default to 30s
	HoldOther       time.Duration
	HoldRefused     time.Duration
	HoldTimeout     time.Duration
	AcceptedPayload int // bytes, default 512
}

// NameServer is one "nameserver" line. A "tcp@" address is asked over TCP.
type NameServer struct {
	Pos     Pos
	Name    string
	Address Address // an IP address and a port
	TCP     bool
}

// Mailers is a "mailers" section.
type Mailers struct {
	Pos     Pos
	Name    string
	Mailers []Mailer
	Timeout time.Duration // timeout mail, default 10s
}

// Mailer is one SMTP server.
type Mailer struct {
	Pos     Pos
	Name    string
	Address Address
}

// EmailAlert is "email-alert" of a proxy; it is on when Mailers is set, and then From and To are set too.
type EmailAlert struct {
	Pos        Pos
	Mailers    string
	From, To   string
	MyHostname string // empty: the system's
	Level      string // the least severe level that is sent, a syslog word; default alert
}

// Resolve says how a server's name is resolved at run time.
type Resolve struct {
	Prefer   string         // ipv6 (default), ipv4
	Networks []netip.Prefix // resolve-net: preferred, in order
	AllowDup bool           // resolve-opts allow-dup-ip; otherwise no two servers of a backend with one name share an address
	NoWeight bool           // resolve-opts ignore-weight
}

// Damping is "damp" (an extension): a server that changes between up and down too often stays down for a time that grows.
type Damping struct {
	Changes int           // this many within Window begin it; 0: off
	Window  time.Duration // default 60s
	Least   time.Duration // the first time out, doubled at each repetition, default 10s
	Most    time.Duration // default 5m
}
