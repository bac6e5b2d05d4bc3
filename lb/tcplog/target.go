package tcplog

// Level is a syslog severity: 0 is the most severe.
type Level uint8

// The syslog levels.
const (
	Emergency Level = iota
	Alert
	Critical
	Err
	Warning
	Notice
	Info
	Debug
)

// Target is one "log" line: where lines go and how they look on the way.
type Target struct {
	Network  string // udp, unixgram, stdout, stderr, fd
	Address  string // udp: host:port, unixgram: the socket's path
	FD       int    // fd: the number
	Length   int    // longest line in bytes, header included; 0: 1024
	Format   string // local, rfc3164, rfc5424, priority, short, raw, timed, iso; empty: local, or rfc3164 where a hostname is set
	Facility string // kern .. local7
	Level    string // the most verbose level that is sent; empty: debug
	MinLevel string // lines more severe than this are sent as this; empty: emerg

	// Of every SampleSize lines, those whose number (from 1) lies in one of SampleRanges are sent. 0: all.
	SampleRanges [][2]int
	SampleSize   int
}
