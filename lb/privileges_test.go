package lb

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The user, the group, the supplementary groups, the root directory and the capabilities of every thread. The program is
// built without cgo, as it is released: with cgo no capability can be kept.
func TestPrivilegesOfEveryThread(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	binary := filepath.Join(t.TempDir(), "sluice")
	build := exec.Command("go", "build", "-o", binary, "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const none, netRaw = "0000000000000000", "0000000000002000"
	const sysAdmin, andBind, andRaw = "0000000000200000", "0000000000200400", "0000000000202000"
	for _, test := range []struct {
		name         string
		source       string // last lines of the listen section
		capabilities string
	}{
		{"plain", "", none},
		{"usesrc", " source 0.0.0.0 usesrc clientip", netRaw},
		{"server elsewhere", " server x 127.0.0.1:1 namespace /proc/self/ns/net", sysAdmin},
		{"nowhere in particular", " server x 127.0.0.1:1 namespace *", none},
		{"bind elsewhere", " bind 127.0.0.1:8080 namespace /run/no-such late", sysAdmin},
		{"low port elsewhere", " bind 127.0.0.1:81 namespace /run/no-such late", andBind},
		{"transparent elsewhere", " bind 127.0.0.1:8081 transparent namespace /run/no-such late", andRaw},
		{"usesrc and server elsewhere", " source 0.0.0.0 usesrc clientip\n server x 127.0.0.1:1 namespace /proc/self/ns/net", andRaw},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			pidFile := t.TempDir() + "/pid"
			lines := append(listening(freePort(t), " uid 65534", " gid 65533", " chroot "+root, " set-dumpable"), test.source)
			command := exec.Command(binary, "-D", "-f", writeFile(t, "a.cfg", lines...), "-p", pidFile)
			command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{0, 7}}}
			if out, err := command.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			pid := readPID(t, pidFile)
			if got, err := os.Readlink(fmt.Sprintf("/proc/%d/root", pid)); got != root {
				t.Errorf("root directory is %s, %v; want %s", got, err, root)
			}
			threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
			if err != nil || len(threads) < 3 {
				t.Fatalf("threads %v, %v", threads, err)
			}
			for _, thread := range threads {
				data, err := os.ReadFile(thread)
				if err != nil {
					continue // it ended
				}
				for _, want := range []string{
					"Uid:\t65534\t65534\t65534\t65534\n", "Gid:\t65533\t65533\t65533\t65533\n", "Groups:\t \n", "CapInh:\t" + none + "\n",
					"CapPrm:\t" + test.capabilities + "\n", "CapEff:\t" + test.capabilities + "\n",
				} {
					if !strings.Contains(string(data), want) {
						t.Errorf("%s lacks %q:\n%s", thread, want, data)
					}
				}
			}
		})
	}
}

// What cannot be had ends the start with exit code 1 and a word about it.
func TestStartThatFails(t *testing.T) {
	for _, test := range []struct {
		setting, complaint string
		flags              []string
	}{
		{" chroot /nonexistent", "cannot chroot(/nonexistent): ", nil},
		{" group no-such-group", "cannot find group id for 'no-such-group'", nil},
		{" ulimit-n 2000000000", "cannot set the limit of file descriptors to 2000000000", nil},
		{" ulimit-n 200", "'ulimit-n' 200 is too low for maxconn 100", nil},
		{"", "that maxconn 1000000000 needs", []string{"-n", "1000000000"}},
	} {
		arguments := append(test.flags, "-f", writeFile(t, "a.cfg", listening(freePort(t), test.setting)...))
		out, err := program(t, arguments...).CombinedOutput()
		exit, ended := err.(*exec.ExitError)
		if !ended || exit.ExitCode() != 1 || !strings.Contains(string(out), test.complaint) {
			t.Errorf("%s: %v, said %s", test.setting, err, out)
		}
	}
}
