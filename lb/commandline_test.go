package lb

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParseCommandLine(t *testing.T) {
	for _, test := range []struct {
		arguments string
		want      commandLine
	}{
		{"", commandLine{}},
		{"-f a -f b", commandLine{files: []string{"a", "b"}}},
		{"-f a -db -- b -c", commandLine{files: []string{"a", "b", "-c"}, foreground: true}},
		{"-f -c", commandLine{files: []string{"-c"}}}, // an argument is taken as it comes, as HAProxy does
		{"-c -V -f a", commandLine{files: []string{"a"}, check: true, verbose: true}},
		{"-cc 1", commandLine{evaluate: true, condition: "1"}},
		{"-D -p /run/x.pid -f a", commandLine{files: []string{"a"}, daemon: true, pidFile: "/run/x.pid"}},
		{"-n 100 -N 10 -m 64", commandLine{maxConn: 100, proxyMaxConn: 10, memoryMebibytes: 64}},
		{"-C /etc -L peer", commandLine{directory: "/etc", localPeer: "peer"}},
		{"-d -q -dD -dW -dS -dR -dG -dr", commandLine{debug: true, quiet: true, diagnostics: true, zeroWarning: true, noSplice: true,
			noReusePort: true, noGetAddrInfo: true, lenientDNS: true}},
		{"-v -vv -h", commandLine{version: true, versionLong: true, help: true}},
		{"-dC -dKall", commandLine{dump: true, keywords: true}},
		{"-dM -dM0x50,tag -dI -dL -dV -dF -dZ -de -dp -dk -dv", commandLine{}},
	} {
		got, err := parseCommandLine(strings.Fields(test.arguments))
		if err != nil || !reflect.DeepEqual(*got, test.want) {
			t.Errorf("%q: %+v, %v; want %+v", test.arguments, got, err, test.want)
		}
	}
}

func TestParseCommandLineErrors(t *testing.T) {
	for _, test := range []struct {
		arguments string
		usage     bool
		text      string
	}{
		{"-zz", true, "unknown argument '-zz'"},
		{"x.cfg", true, "unknown argument 'x.cfg'"},
		{"-cV", true, "unknown argument '-cV'"},
		{"-dQ", true, "unknown argument '-dQ'"},
		{"-f", true, "'-f' needs an argument"},
		{"-cc", true, "'-cc' needs an argument"},
		{"-n many", false, "'-n' needs a number of connections and got 'many'"},
		{"-n -5", false, "'-n' needs a number"},
		{"-m 0", false, "'-m' needs a number of megabytes"},
		{"-W", false, "'-W' comes with a later version"},
		{"-Ws", false, "'-Ws' comes with"},
		{"-S x", false, "'-S' comes with"},
		{"-f a -sf 12", false, "'-sf' comes with"},
		{"-f a -st 12", false, "'-st' comes with"},
		{"-x sock", false, "'-x' comes with"},
	} {
		_, err := parseCommandLine(strings.Fields(test.arguments))
		var misuse usageError
		if err == nil || !strings.HasPrefix(err.Error(), test.text) || errors.As(err, &misuse) != test.usage {
			t.Errorf("%q: error %v, usage %v; want %q, %v", test.arguments, err, errors.As(err, &misuse), test.text, test.usage)
		}
	}
}

// Each flag stands in the usage, and no two flags have one name.
func TestUsageNamesEveryFlag(t *testing.T) {
	code, out, _ := inProcess("-h")
	if code != 0 {
		t.Errorf("-h: exit code %d", code)
	}
	seen := make(map[string]bool)
	for _, flag := range commandFlags {
		if seen[flag.name] {
			t.Errorf("%s is there twice", flag.name)
		}
		seen[flag.name] = true
		if !strings.Contains(out, " "+flag.name+" ") {
			t.Errorf("the usage does not name %s", flag.name)
		}
	}
}
