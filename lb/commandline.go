package lb

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// commandLine is what the arguments of the program ask for. The zero value is a run in the foreground without files.
type commandLine struct {
	files     []string // configuration files and directories, in their order
	condition string   // of -cc
	directory string   // of -C, empty: stay
	localPeer string   // of -L
	pidFile   string   // of -p

	maxConn         int   // of -n, 0: not given
	proxyMaxConn    int   // of -N, 0: not given
	memoryMebibytes int64 // of -m, 0: not given

	help, version, versionLong bool
	check, evaluate, dump      bool // -c, -cc, -dC
	debug, foreground, daemon  bool // -d, -db, -D
	quiet, verbose             bool
	diagnostics, zeroWarning   bool // -dD, -dW
	noSplice, noReusePort      bool // -dS, -dR
	noGetAddrInfo, lenientDNS  bool // -dG, -dr
	keywords                   bool // -dK
}

// usageError is a command line that makes no sense: the usage is shown with it.
type usageError string

func (e usageError) Error() string { return string(e) }

// commandFlag is one flag. Its set function gets the argument that follows it, if it takes one.
type commandFlag struct {
	name     string
	argument string // how the usage calls its argument; empty: takes none
	help     string
	set      func(c *commandLine, argument string) error
	prefix   bool // whatever follows the name within the word belongs to it: -dM0x50
}

// commandFlags in the order of the usage.
var commandFlags = []commandFlag{
	{name: "-f", argument: "FILE|DIR", help: "read this file, or a directory's *.cfg in name order; may be repeated", set: func(c *commandLine, a string) error { c.files = append(c.files, a); return nil }},
	{name: "-C", argument: "DIR", help: "change to this directory before files are read", set: text(func(c *commandLine) *string { return &c.directory })},
	{name: "-c", help: "check the configuration and exit: 0 valid, 1 not, 2 valid but nothing to listen on", set: flag(func(c *commandLine) *bool { return &c.check })},
	{name: "-cc", argument: "CONDITION", help: "evaluate a condition of .if and exit: 0 true, 1 false, 2 an error", set: func(c *commandLine, a string) error { c.evaluate, c.condition = true, a; return nil }},
	{name: "-dC", help: "show the configuration as it was understood and exit", set: flag(func(c *commandLine) *bool { return &c.dump }), prefix: true},
	{name: "-v", help: "show the version", set: flag(func(c *commandLine) *bool { return &c.version })},
	{name: "-vv", help: "show the version, how it was built, and what it can do", set: flag(func(c *commandLine) *bool { return &c.versionLong })},
	{name: "-h", help: "show this help", set: flag(func(c *commandLine) *bool { return &c.help })},
	{name: "-D", help: "run in the background; returns once it listens", set: flag(func(c *commandLine) *bool { return &c.daemon })},
	{name: "-db", help: "stay in the foreground, whatever the configuration says", set: flag(func(c *commandLine) *bool { return &c.foreground })},
	{name: "-d", help: "as -db, and as -V", set: flag(func(c *commandLine) *bool { return &c.debug })},
	{name: "-q", help: "quiet: say nothing while starting", set: flag(func(c *commandLine) *bool { return &c.quiet })},
	{name: "-V", help: "verbose: the opposite of -q and of 'quiet'", set: flag(func(c *commandLine) *bool { return &c.verbose })},
	{name: "-p", argument: "FILE", help: "write the process's id into this file", set: text(func(c *commandLine) *string { return &c.pidFile })},
	{name: "-n", argument: "MAXCONN", help: "connections of the process at once; goes before 'maxconn'", set: count(func(c *commandLine) *int { return &c.maxConn })},
	{name: "-N", argument: "MAXCONN", help: "connections at once of a frontend that has no 'maxconn'", set: count(func(c *commandLine) *int { return &c.proxyMaxConn })},
	{name: "-m", argument: "MEGABYTES", help: "memory that the garbage collector tries to stay under, as GOMEMLIMIT", set: setMemory},
	{name: "-L", argument: "NAME", help: "local peer name, $HAPROXY_LOCALPEER; by default the host's name", set: text(func(c *commandLine) *string { return &c.localPeer })},
	{name: "-dW", help: "a warning of the configuration is an error", set: flag(func(c *commandLine) *bool { return &c.zeroWarning })},
	{name: "-dD", help: "show the configuration's diagnostic messages (.diag) too", set: flag(func(c *commandLine) *bool { return &c.diagnostics })},
	{name: "-dS", help: "do not use splice", set: flag(func(c *commandLine) *bool { return &c.noSplice })},
	{name: "-dR", help: "do not use SO_REUSEPORT", set: flag(func(c *commandLine) *bool { return &c.noReusePort })},
	{name: "-dG", help: "resolve names without the system's getaddrinfo", set: flag(func(c *commandLine) *bool { return &c.noGetAddrInfo })},
	{name: "-dr", help: "go on when a server's name does not resolve", set: flag(func(c *commandLine) *bool { return &c.lenientDNS })},
	{name: "-dK", help: "list the keywords that the configuration may have", set: flag(func(c *commandLine) *bool { return &c.keywords }), prefix: true},

	// What HAProxy has and what means nothing here.
	{name: "-dM", help: withoutEffect, set: ignore, prefix: true},
	{name: "-dI", help: withoutEffect, set: ignore},
	{name: "-dL", help: withoutEffect, set: ignore},
	{name: "-dV", help: withoutEffect, set: ignore},
	{name: "-dF", help: withoutEffect, set: ignore},
	{name: "-dZ", help: withoutEffect, set: ignore},
	{name: "-de", help: withoutEffect, set: ignore},
	{name: "-dp", help: withoutEffect, set: ignore},
	{name: "-dk", help: withoutEffect, set: ignore},
	{name: "-dv", help: withoutEffect, set: ignore},

	{name: "-W", help: comesLater, set: later},
	{name: "-Ws", help: comesLater, set: later},
	{name: "-S", help: comesLater, set: later},
	{name: "-sf", help: comesLater, set: later},
	{name: "-st", help: comesLater, set: later},
	{name: "-x", help: comesLater, set: later},
}

// The help of flags that have none of their own; the usage collects these in one line each.
const (
	withoutEffect = "accepted, without effect"
	comesLater    = "comes with a later version"
)

// errComesLater is a flag of HAProxy that sluice does not have yet.
var errComesLater = errors.New("comes with a later version of sluice")

func flag(field func(*commandLine) *bool) func(*commandLine, string) error {
	return func(c *commandLine, _ string) error { *field(c) = true; return nil }
}

func text(field func(*commandLine) *string) func(*commandLine, string) error {
	return func(c *commandLine, argument string) error { *field(c) = argument; return nil }
}

func count(field func(*commandLine) *int) func(*commandLine, string) error {
	return func(c *commandLine, argument string) error {
		number, err := strconv.ParseUint(argument, 10, 31)
		if err != nil {
			return fmt.Errorf("needs a number of connections and got '%s'", argument)
		}
		*field(c) = int(number)
		return nil
	}
}

func setMemory(c *commandLine, argument string) error {
	number, err := strconv.ParseUint(argument, 10, 32)
	if err != nil || number == 0 {
		return fmt.Errorf("needs a number of megabytes and got '%s'", argument)
	}
	c.memoryMebibytes = int64(number)
	return nil
}

func ignore(*commandLine, string) error { return nil }

func later(*commandLine, string) error { return errComesLater }

// parseCommandLine reads the arguments without the program's name. A usageError wants the usage shown; any other says by
// itself what is wrong with which flag.
func parseCommandLine(arguments []string) (*commandLine, error) {
	c := &commandLine{}
	for len(arguments) > 0 {
		word := arguments[0]
		arguments = arguments[1:]
		if word == "--" {
			c.files = append(c.files, arguments...)
			break
		}
		flag := findFlag(word)
		if flag == nil {
			return nil, usageError("unknown argument '" + word + "'")
		}
		var argument string
		if flag.argument != "" {
			if len(arguments) == 0 {
				return nil, usageError("'" + word + "' needs an argument, " + flag.argument)
			}
			argument, arguments = arguments[0], arguments[1:]
		}
		if err := flag.set(c, argument); err != nil {
			return nil, fmt.Errorf("'%s' %w", word, err)
		}
	}
	return c, nil
}

// findFlag gives the flag that a word is, or nil.
func findFlag(word string) *commandFlag {
	for i := range commandFlags {
		flag := &commandFlags[i]
		if word == flag.name || flag.prefix && strings.HasPrefix(word, flag.name) {
			return flag
		}
	}
	return nil
}
