package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

const (
	unitFile   = "../../examples/sluice.service"
	chrootFile = "../../examples/sluice.service.d/chroot.conf"
)

// unit gives what the lines of unit files come to, in the order of the files: an empty value clears those before (systemd.service(5)).
func unit(t *testing.T, files ...string) map[string][]string {
	t.Helper()
	values := make(map[string][]string)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			name, value, found := strings.Cut(strings.TrimSpace(line), "=")
			switch {
			case !found || line[0] == '#':
			case value == "":
				delete(values, name)
			default:
				values[name] = append(values[name], value)
			}
		}
	}
	return values
}

// systemd itself finds nothing wrong with the unit, and little exposed.
func TestUnitFile(t *testing.T) {
	harness.SluiceOnly(t, harness.ServiceManager)
	t.Parallel()
	data, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	dir := harness.ShortDir(t) // the program is not installed, and verify looks for it
	harness.WriteFile(t, dir+"/sluice.service", strings.Replace(string(data), "/usr/local/sbin/sluice ", harness.Subject.Path+" ", 1))
	dropIn, err := os.ReadFile(chrootFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/sluice.service.d", 0o755); err != nil {
		t.Fatal(err)
	}
	// The threshold is in tenths; "OK" ends at 5.0. They were 1.7 and 2.5 when this was written.
	for _, with := range []struct{ what, threshold string }{{"alone", "18"}, {"with the drop-in", "27"}} {
		if out, stderr, code := harness.Exec(t, nil, "systemd-analyze", "verify", dir+"/sluice.service"); code != 0 || strings.TrimSpace(out+stderr) != "" {
			t.Errorf("systemd-analyze verify, %s: %d\n%s%s", with.what, code, out, stderr)
		}
		out, stderr, code := harness.Exec(t, nil, "systemd-analyze", "security", "--offline=true", "--threshold="+with.threshold, dir+"/sluice.service")
		_, score, found := strings.Cut(out, "Overall exposure level")
		if code != 0 || !found {
			t.Errorf("systemd-analyze security, %s: %d\n%s%s", with.what, code, out, stderr)
		}
		t.Logf("%s%s", with.what, score)
		harness.WriteFile(t, dir+"/sluice.service.d/chroot.conf", string(dropIn))
	}
}

// The program works with the unit's capabilities and system calls, on a port that needs privileges, and does not without the capability: as a
// plain user, and with the drop-in as root that becomes one in a chroot.
func TestUnitRestrictions(t *testing.T) {
	harness.SluiceOnly(t, harness.ServiceManager)
	t.Parallel()
	const someone = "65534"
	for _, test := range []struct {
		name, global string
		files        []string
		identity     []string
	}{
		{"as the unit has it", "", []string{unitFile}, []string{"--reuid", someone, "--regid", someone, "--clear-groups"}},
		{"with the drop-in", "  user nobody\n  chroot ROOT\n", []string{unitFile, chrootFile}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			values := unit(t, test.files...)
			bounding := privileges(values["CapabilityBoundingSet"])
			if !strings.Contains(bounding, "net_bind_service") {
				t.Fatalf("the bounding set is %q", bounding)
			}
			without := strings.Replace(bounding, "+net_bind_service", "-net_bind_service", 1)
			ambient := privileges(values["AmbientCapabilities"])
			namespace := harness.Namespace(t, "unit")
			dir := harness.ShortDir(t)
			if err := os.Chmod(dir, 0o777); err != nil { // where another user makes files
				t.Fatal(err)
			}
			text := "global\n  stats socket " + dir + "/stats level admin\n" + strings.Replace(test.global, "ROOT", dir, 1) +
				"defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n" +
				"listen front\n  bind 127.0.0.1:443\n  server origin 127.0.0.1:8080 check inter 200ms\n"
			m := startManager(t, dir+"/notify")
			start := func(bounding, ambient string, trace ...string) *harness.Balancer {
				wrap := append(harness.Inside(namespace), trace...)
				wrap = append(append(wrap, "setpriv", "--no-new-privs", "--bounding-set", "-all,"+bounding), test.identity...)
				if ambient != "" {
					wrap = append(wrap, "--inh-caps", "-all,"+ambient, "--ambient-caps", "-all,"+ambient)
				}
				return harness.Start(t, text, harness.Options{Wrap: wrap, Unready: true, Env: m.env})
			}
			refused := start(without, "")
			if code := refused.WaitExit(); code != 1 || refused.Stderr.Count("permission denied") == 0 {
				t.Errorf("without the capability it ended with %d: %s", code, refused.Stderr.Text())
			}

			harness.Background(t, append(harness.Inside(namespace), "socat", "TCP-LISTEN:8080,reuseaddr,fork", "SYSTEM:'echo hello'")...)
			b := start(bounding, ambient, "strace", "-D", "-f", "-qq", "-o", dir+"/trace")
			m.main = b.PID
			for !strings.HasPrefix(m.await(t, fmt.Sprintf("MAINPID=%d", b.PID)), "READY=1") {
			}
			harness.Eventually(t, "a connection is served", func() bool {
				out, _, _ := harness.Exec(t, nil, harness.Inside(namespace)[0], append(harness.Inside(namespace)[1:], "socat", "-u", "TCP:127.0.0.1:443", "-")...)
				return out == "hello\n"
			})
			if out := operate(t, "unix", dir+"/stats", "show info"); !strings.Contains(out, "Name: sluice") {
				t.Errorf("show info: %q", out)
			}
			b.Signal(syscall.SIGUSR1)
			if code := b.WaitExit(); code != 0 {
				t.Errorf("ended with %d", code)
			}
			harness.Eventually(t, "the trace is whole", func() bool {
				data, _ := os.ReadFile(dir + "/trace")
				return strings.Contains(string(data), " exit_group(")
			})
			permitted := permittedCalls(t, values["SystemCallFilter"])
			calls := callsMade(t, dir+"/trace")
			if len(calls) < 20 || calls["accept4"] == nil || calls["epoll_pwait"] == nil {
				t.Errorf("the trace has %d calls only", len(calls))
			}
			families := strings.Fields(strings.Join(values["RestrictAddressFamilies"], " "))
			for name, lines := range calls {
				if !permitted[name] {
					t.Errorf("the unit forbids %s: %s", name, lines[0])
				}
				for _, line := range lines {
					if name == "socket" && strings.Contains(line, "socket(") && !slices.ContainsFunc(families, func(f string) bool { return strings.Contains(line, "("+f+",") }) {
						t.Errorf("the unit forbids %s", line)
					}
					if strings.Contains(line, "PROT_WRITE|PROT_EXEC") {
						t.Errorf("the unit forbids memory that is writable and executable: %s", line)
					}
				}
			}
		})
	}
}

// privileges turns capabilities of a unit into setpriv's words for them.
func privileges(lines []string) string {
	words := strings.Fields(strings.Join(lines, " "))
	for i, word := range words {
		words[i] = "+" + strings.ToLower(strings.TrimPrefix(word, "CAP_"))
	}
	return strings.Join(words, ",")
}

var tracedCall = regexp.MustCompile(`^\d+ +(?:<\.\.\. )?([a-z0-9_]+)[( ]`)

// callsMade gives the system calls of a trace from the start of the program on.
func callsMade(t *testing.T, file string) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, own, found := strings.Cut(string(data), `execve("`+harness.Subject.Path)
	if !found {
		t.Fatalf("the program does not start in the trace:\n%s", data)
	}
	calls := make(map[string][]string)
	for line := range strings.Lines(own) {
		if match := tracedCall.FindStringSubmatch(line); match != nil {
			calls[match[1]] = append(calls[match[1]], line)
		}
	}
	return calls
}

// permittedCalls gives the system calls that the lines of SystemCallFilter leave, by what systemd's sets hold.
func permittedCalls(t *testing.T, lines []string) map[string]bool {
	t.Helper()
	sets := make(map[string][]string)
	set := ""
	for line := range strings.Lines(harness.Run(t, "systemd-analyze", "syscall-filter")) {
		word := strings.TrimSpace(line)
		switch {
		case word == "" || word[0] == '#':
		case line[0] == '@':
			set = word
		default:
			sets[set] = append(sets[set], word)
		}
	}
	permitted := make(map[string]bool)
	var apply func(word string, to bool)
	apply = func(word string, to bool) {
		if word[0] != '@' {
			permitted[word] = to
			return
		}
		if len(sets[word]) == 0 {
			t.Errorf("systemd knows no set %s", word)
		}
		for _, member := range sets[word] {
			apply(member, to)
		}
	}
	for _, line := range lines {
		list, denied := strings.CutPrefix(line, "~")
		for word := range strings.FieldsSeq(list) {
			apply(word, !denied)
		}
	}
	return permitted
}
