package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

const valid = "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n" +
	"listen front\n  bind 127.0.0.1:1\n  server a 127.0.0.1:9\n"

// -c, -V and -q: the exit code tells, and words come only when asked for.
func TestCheck(t *testing.T) {
	t.Parallel()
	dir := harness.ShortDir(t)
	good, bad, warned := dir+"/good.cfg", dir+"/bad.cfg", dir+"/warned.cfg"
	harness.WriteFile(t, good, valid)
	harness.WriteFile(t, bad, valid+"listen two\n  bind 127.0.0.1:2\n  blance roundrobin\n  frobnicate\n")
	harness.WriteFile(t, warned, valid+"listen two\n  bind 127.0.0.1:2\n  server b 127.0.0.1:9\n  timeout client 0\n  no timeout client\nfrontend three\n  bind 127.0.0.1:3\n  timeout server 1s\n")
	for _, c := range []struct {
		args   []string
		code   int
		stdout string
		stderr []string
	}{
		{[]string{"-c", "-f", good}, 0, "", nil},
		{[]string{"-c", "-V", "-f", good}, 0, "Configuration file is valid\n", nil},
		{[]string{"-c", "-f", bad}, 1, "", []string{"[ALERT]", "bad.cfg:11]", "'blance'", "bad.cfg:12]", "'frobnicate'"}},
		{[]string{"-c", "-f", dir + "/absent.cfg"}, 1, "", []string{"absent.cfg"}},
		{[]string{"-c"}, 1, "", nil},
		{[]string{"-f"}, 1, "", nil},
		{[]string{"--frobnicate"}, 1, "", nil},
		{[]string{"-c", "-f", good, "--", bad}, 1, "", []string{"'blance'"}},
		{[]string{"-c", "--", good}, 0, "", nil},
	} {
		stdout, stderr, code := harness.RunSubject(t, c.args...)
		if code != c.code {
			t.Errorf("%q ended with %d, want %d:\n%s%s", c.args, code, c.code, stdout, stderr)
		}
		if c.stdout != "" && stdout != c.stdout {
			t.Errorf("%q printed %q, want %q", c.args, stdout, c.stdout)
		}
		if c.stdout == "" && code == 0 && stdout != "" && !harness.Differs(harness.CheckSpeaks) {
			t.Errorf("%q printed %q without being asked", c.args, stdout)
		}
		for _, piece := range c.stderr {
			if !strings.Contains(stderr, piece) {
				t.Errorf("%q does not say '%s':\n%s", c.args, piece, stderr)
			}
		}
	}
}

// -cc: a condition's value as the exit code.
func TestCheckCondition(t *testing.T) {
	t.Parallel()
	for condition, want := range map[string]int{
		"1": 0, "0": 1, "": 1, "streq(a,a)": 0, "strneq(a,a)": 1, "!streq(a,a)": 1,
		"version_atleast(1.0)": 0, "version_before(1.0)": 1, "defined(PATH) && 1": 0, "defined(E2E_NOT_SET)": 1,
		"0 || (1 && streq(x,x))": 0, "frob(": 2, "streq(a": 2, "nonsense": 2,
	} {
		if _, stderr, code := harness.RunSubject(t, "-cc", condition); code != want {
			t.Errorf("-cc '%s' ended with %d, want %d: %s", condition, code, want, stderr)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	stdout, _, code := harness.RunSubject(t, "-v")
	if code != 0 || !regexp.MustCompile(`(?i)^`+harness.Tag()+` version \d+\.\d+`).MatchString(stdout) {
		t.Errorf("-v ended with %d and printed %q", code, stdout)
	}
	stdout, _, code = harness.RunSubject(t, "-vv")
	if code != 0 || !strings.Contains(stdout, "epoll") {
		t.Errorf("-vv ended with %d and does not name epoll:\n%s", code, stdout)
	}
}

// Several files and a directory, whose *.cfg come in the order of their names.
func TestSeveralFiles(t *testing.T) {
	t.Parallel()
	dir, addr := harness.ShortDir(t), harness.Loopback(t)
	origin := harness.Serve(t, harness.Echo)
	harness.WriteFile(t, dir+"/first.cfg", "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n")
	// The directory only works in order: 10 sets what 20 tests, and the file without .cfg is not read.
	harness.WriteFile(t, dir+"/d/20-front.cfg", ".if !streq(\"${E2E_SET}\",yes)\n.alert order\n.endif\nlisten front\n  bind "+addr+"\n  server origin "+origin.Addr+"\n")
	harness.WriteFile(t, dir+"/d/10-set.cfg", "global\n  setenv E2E_SET yes\n")
	harness.WriteFile(t, dir+"/d/30-not.conf", "nonsense\n")
	b := harness.Start(t, "", harness.Options{Args: []string{"-db", "-f", dir + "/first.cfg", "-f", dir + "/d"}})
	harness.Eventually(t, "it listens", func() bool { return b.Listens(addr) })
	b.Rebase()
	exchange(t, harness.DialTCP(t, addr))
}

// -D leaves a process of its own behind, whose number is in -p's file and that no terminal holds.
func TestDaemon(t *testing.T) {
	t.Parallel()
	dir, addr, origin := harness.ShortDir(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
	config := dir + "/a.cfg"
	harness.WriteFile(t, config, strings.NewReplacer("127.0.0.1:1\n", addr+"\n", "127.0.0.1:9", origin.Addr).Replace(valid))
	// Exec would wait for whoever holds its pipes: the daemon must not.
	_, stderr, code := harness.RunSubject(t, "-D", "-p", dir+"/pid", "-f", config)
	if code != 0 {
		t.Fatalf("-D ended with %d: %s", code, stderr)
	}
	// The parent returns when the daemon listens and the file is written: no waiting here.
	text, err := os.ReadFile(dir + "/pid")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 2 {
		t.Fatalf("the pid file has %q", text)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	client := harness.DialTCP(t, addr)
	exchange(t, client)
	client.Close()
	if session := harness.Session(pid); session != pid {
		t.Errorf("process %d is in session %d: it has not left the terminal's", pid, session)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the daemon ends", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d/fd/0", pid))
		return err != nil
	})
}

// A port that is taken is an error that names the address, before anything runs.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	dir, origin := harness.ShortDir(t), harness.Serve(t, harness.Echo)
	harness.WriteFile(t, dir+"/a.cfg", strings.Replace(valid, "127.0.0.1:1\n", origin.Addr+"\n", 1))
	_, stderr, code := harness.RunSubject(t, "-db", "-f", dir+"/a.cfg")
	if code != 1 || !strings.Contains(stderr, origin.Addr) || !strings.Contains(stderr, "[ALERT]") {
		t.Errorf("ended with %d, want 1 and an alert that names %s:\n%s", code, origin.Addr, stderr)
	}
}
