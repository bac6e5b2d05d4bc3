package lb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var (
	good    = []string{"listen a", " mode tcp", " bind 127.0.0.1:18500", " timeout client 1s", " timeout server 1s", " timeout connect 1s", " server s 127.0.0.1:1"}
	warning = []string{"listen a", " mode tcp", " bind 127.0.0.1:18500", " server s 127.0.0.1:1"} // no timeouts
	wrong   = []string{"listen a", " mode tcp", " blance roundrobin", " bind 127.0.0.1:18500", " server"}
)

// The exit codes and messages of runs that only look. Where HAProxy 2.6 has the same flag, it ends with the same code.
func TestRunsThatOnlyLook(t *testing.T) {
	goodFile, warningFile, wrongFile := writeFile(t, "good.cfg", good...), writeFile(t, "warning.cfg", warning...), writeFile(t, "wrong.cfg", wrong...)
	quiet := writeFile(t, "quiet.cfg", append([]string{"global", " quiet"}, warning...)...)
	strict := writeFile(t, "strict.cfg", append([]string{"global", " zero-warning"}, warning...)...)
	nobody := writeFile(t, "nobody.cfg", append([]string{"global", " user no-such-user"}, good...)...)
	const valid = "Configuration file is valid\n"
	for _, test := range []struct {
		arguments string
		code      int
		stdout    string   // all of it
		stderr    []string // parts of it, each once; none: nothing at all
	}{
		{"-c -f " + goodFile, 0, "", nil},
		{"-c -V -f " + goodFile, 0, valid, nil},
		{"-c -V -q -f " + goodFile, 0, valid, nil},
		{"-c -f " + warningFile, 0, "", []string{"[WARNING]  (", "missing timeouts", "sluice version is"}},
		{"-c -V -f " + warningFile, 0, "Warnings were found.\n" + valid, []string{"[WARNING]  ("}},
		{"-c -q -f " + warningFile, 0, "", nil},
		{"-c -f " + quiet, 0, "", nil},
		{"-c -dW -f " + warningFile, 1, "", []string{"[WARNING]  (", "'zero-warning' is set"}},
		{"-c -q -dW -f " + warningFile, 1, "", nil},
		{"-c -f " + strict, 1, "", []string{"[WARNING]  (", "'zero-warning' is set"}},
		{"-c -f " + wrongFile, 1, "", []string{wrongFile + ":3]", wrongFile + ":5]", "did you mean 'balance'?", "Fatal errors found"}},
		{"-c -q -f " + wrongFile, 1, "", nil},
		{"-c -f " + nobody, 1, "", []string{"cannot find user id for 'no-such-user'", "Fatal errors found"}},
		{"-c -f /dev/null", 2, "Configuration file has no error but will not start (no listener) => exit(2).\n", nil},
		{"-f /dev/null", 1, "", []string{"nothing to do"}},
		{"-c -f /nonexistent", 1, "", []string{"cannot open configuration file/directory /nonexistent : no such file"}},
		{"-c -f /nonexistent -- /nowhere", 1, "", []string{"/nonexistent", "/nowhere"}},
		{"-C /nonexistent -c -f x", 1, "", []string{"could not change to directory /nonexistent"}},
		{"-c -f " + goodFile + " -- " + warningFile, 1, "", []string{"Fatal errors found"}}, // the same name twice
		{"-cc version_atleast(2.4)", 0, "", nil},
		{"-cc version_atleast(99)", 1, "", nil},
		{"-cc nonsense(", 2, "", []string{"failed to evaluate condition 'nonsense('"}},
		{`-cc streq("$HAPROXY_LOCALPEER",me) -L me`, 0, "", nil},
		{`-cc streq("$HAPROXY_LOCALPEER",you) -L me`, 1, "", nil},
		{"-W -f " + goodFile, 1, "", []string{"'-W' comes with a later version"}},
		{"-zz", 1, "", []string{"unknown argument '-zz'", "Usage : sluice"}},
		{"-c", 1, "", []string{"no configuration file", "Usage : sluice"}},
	} {
		code, stdout, stderr := inProcess(strings.Fields(test.arguments)...)
		if code != test.code || stdout != test.stdout {
			t.Errorf("%s: exit code %d, printed %q; want %d, %q\n%s", test.arguments, code, stdout, test.code, test.stdout, stderr)
		}
		if len(test.stderr) == 0 && stderr != "" {
			t.Errorf("%s: complained %q", test.arguments, stderr)
		}
		for _, part := range test.stderr {
			if strings.Count(stderr, part) != 1 {
				t.Errorf("%s: complained %q; want once %q", test.arguments, stderr, part)
			}
		}
	}
}

// What -dC prints is a configuration again, and prints the same.
func TestDump(t *testing.T) {
	code, first, stderr := inProcess("-dC", "-f", writeFile(t, "good.cfg", good...))
	if code != 0 || !strings.Contains(first, "server s 127.0.0.1:1") {
		t.Fatalf("exit code %d, printed %q, complained %q", code, first, stderr)
	}
	if _, second, stderr := inProcess("-dC", "-f", writeFile(t, "again.cfg", first)); second != first {
		t.Errorf("printed %q and then %q; complained %q", first, second, stderr)
	}
}

func TestVersions(t *testing.T) {
	for flag, parts := range map[string][]string{
		"-v":  {"sluice version " + Version, "Running on: Linux "},
		"-vv": {"sluice version " + Version, "TARGET   = linux/", "+EPOLL", "+PROMEX", "epoll : pref=300"},
	} {
		code, stdout, _ := inProcess(flag)
		for _, part := range parts {
			if code != 0 || !strings.Contains(stdout, part) {
				t.Errorf("%s: exit code %d, printed %q; want %q in it", flag, code, stdout, part)
			}
		}
	}
}

// A directory gives its *.cfg in name order, and nothing else.
func TestDirectory(t *testing.T) {
	directory := t.TempDir()
	for _, name := range []string{"b.cfg", "a.cfg", "B.cfg", ".hidden.cfg", "a.cfg.bak", "c.cfg/x"} {
		os.MkdirAll(filepath.Dir(filepath.Join(directory, name)), 0o755)
		if err := os.WriteFile(filepath.Join(directory, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, problems := readFiles([]string{directory, directory + "/b.cfg"})
	var names []string
	for _, file := range files {
		names = append(names, filepath.Base(file.Name)+"="+string(file.Data))
	}
	if got := strings.Join(names, " "); got != "B.cfg=B.cfg a.cfg=a.cfg b.cfg=b.cfg b.cfg=b.cfg" || problems != nil {
		t.Errorf("read %s, %v", got, problems)
	}
}

// Every file of examples/ is valid, without a warning.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../examples/*.cfg")
	if err != nil || len(files) < 5 {
		t.Fatalf("examples: %v, %v", files, err)
	}
	for _, file := range files {
		code, stdout, stderr := inProcess("-c", "-V", "-dW", "-f", file)
		if code != 0 || stdout != "Configuration file is valid\n" || stderr != "" {
			t.Errorf("%s: exit code %d, printed %q, complained %q", file, code, stdout, stderr)
		}
	}
}
