package harness

import (
	"os"
	"syscall"
	"testing"
)

// Difference is a place where sluice and Debian's haproxy 2.6 are not meant to behave alike. Each one that a test takes
// into account has a name here, so that this list is complete.
type Difference string

const (
	// ExitCode: on SIGTERM and SIGINT haproxy puts the default action back and dies of the signal; sluice exits with 0.
	ExitCode Difference = "dies of SIGTERM, sluice exits with 0"
	// UnknownAddresses: proxy-protocol.txt has the receiver ignore all that follows UNKNOWN up to the end of the line;
	// haproxy takes the line for malformed if anything does.
	UnknownAddresses Difference = "refuses addresses behind PROXY UNKNOWN"
	// PortRange: haproxy takes a port above 65535 in a PROXY header and keeps its low 16 bits.
	PortRange Difference = "accepts port 99999 in a PROXY header"
	// CheckSpeaks: haproxy 2.6 says that a file is valid whenever -c is given, later ones and sluice only with -V.
	CheckSpeaks Difference = "prints that a file is valid without -V"
	// OutOfDescriptors: haproxy says so at each try, sluice once until it has recovered.
	OutOfDescriptors Difference = "repeats that it has no descriptors left"
	// LoggerSockets: a thread of haproxy opens its logger's socket at its first line and loses lines if it cannot.
	LoggerSockets Difference = "loses log lines when no descriptors are left"
	// FlowMemory: sluice promises an idle flow for less than 1 KiB of its own memory.
	FlowMemory Difference = "takes more than 3 KiB for an idle flow"
	// Tenants: haproxy has no section that bounds what proxies take together.
	Tenants Difference = "has no tenants"
	// TruncatedAnswer: haproxy 2.6 takes an answer that a name server cut short for a failure; sluice asks again over TCP.
	TruncatedAnswer Difference = "does not ask again over TCP for a DNS answer that was cut short"
	// SavesStates: "server-state-save" is an extension.
	SavesStates Difference = "writes no state file by itself"
	// MailFailures: haproxy says nothing of mail that it cannot send, and loses what happens within its first second.
	MailFailures Difference = "says nothing of mail that cannot be sent"
	// OperatorsListings: sessions, queues and loops are listed in sluice's own form; some commands are only in later versions.
	OperatorsListings Difference = "lists sessions in its own form, and has no show queue"
	// StatisticsPage: the page is sluice's own, and so are the rules for changes made with it.
	StatisticsPage Difference = "has a statistics page of its own"
	// LateNamespaces: "late" is an extension, and haproxy opens each namespace once, at start.
	LateNamespaces Difference = "knows the network namespaces of its start only"
	// DefaultNamespace: haproxy 2.6 takes "namespace" on a default-server line, and gives it to no server.
	DefaultNamespace Difference = "does not hand a default-server's network namespace down"
	// UnlistedNamespace: a PROXY header may name a namespace that the configuration does not have. For "namespace *", haproxy takes
	// the listener's instead; sluice ends the flow.
	UnlistedNamespace Difference = "takes another network namespace for one that it does not know"
	// PatientChecks: where a server's answer can no longer become right, haproxy's built-in checks wait for more of it, up to
	// their time limit, and tell a timeout; sluice ends the check at once and tells the answer.
	PatientChecks Difference = "waits for the time limit after an answer that is wrong"
	// EagerLogin: haproxy's MySQL check logs in before it has seen the server's greeting, sluice after it.
	EagerLogin Difference = "logs in to MySQL before the greeting"
	// MySQLGreeting: sluice says of an answer that is none that it is no MySQL greeting, haproxy only that it is invalid.
	MySQLGreeting Difference = "does not say what is wrong with a MySQL greeting"
	// AgentLines: haproxy ignores what an agent says if the connection ends before the line does; sluice takes it.
	AgentLines Difference = "ignores an agent's word without an end of line"
	// ExternalReasons: of a program that was killed by a signal or could not be started haproxy tells a code alone, of which -1
	// stands for any signal; sluice tells why, and the code that a shell would give.
	ExternalReasons Difference = "does not say why an external check failed"
	// SPOPMessages: an agent's AGENT-DISCONNECT says why; haproxy takes the frame for invalid, sluice tells the message.
	SPOPMessages Difference = "does not tell an SPOP agent's message"
	// JSONLines: "log-format-json" is an extension.
	JSONLines Difference = "has no log-format-json"
	// ChecksTouchRings: haproxy makes the file of a ring anew even with -c.
	ChecksTouchRings Difference = "moves a ring's file with -c"
	// WatchLingers: once "show events -w" is ended by input, haproxy 2.6 keeps the connection, and says nothing on it.
	WatchLingers Difference = "keeps a connection on which show events was ended"
	// PostgresErrors: of a PostgreSQL server's error haproxy tells the severity alone, sluice the message as well.
	PostgresErrors Difference = "tells a PostgreSQL error without its message"
	// KernelPrograms: "ebpf-guard" and "option sockmap" are extensions.
	KernelPrograms Difference = "has no kernel programs"
	// ServiceManager: haproxy speaks to systemd with -Ws alone, and has no watchdog there.
	ServiceManager Difference = "speaks to systemd as a master process alone"
)

// rightExit tells whether a process that was sent SIGTERM ended as it should.
func rightExit(state *os.ProcessState) bool {
	if Differs(ExitCode) {
		status, ok := state.Sys().(syscall.WaitStatus)
		return ok && status.Signaled() && status.Signal() == syscall.SIGTERM
	}
	return state.ExitCode() == 0
}

// Differs tells whether the program under test is the one that differs, for a piece of a test.
func Differs(Difference) bool { return Subject.HAProxy }

// SluiceOnly skips a test that the reference is not meant to pass.
func SluiceOnly(t testing.TB, difference Difference) {
	t.Helper()
	if Subject.HAProxy {
		t.Skipf("haproxy differs: %s", difference)
	}
}
