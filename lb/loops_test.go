package lb

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCPUQuota(t *testing.T) {
	for _, test := range []struct {
		name       string
		membership string
		files      map[string]string
		want       float64
	}{
		{"none", "0::/a/b\n", nil, 0},
		{"unlimited", "0::/\n", map[string]string{"cpu.max": "max 100000\n"}, 0},
		{"a container that sees its group as the root", "0::/\n", map[string]string{"cpu.max": "150000 100000\n"}, 1.5},
		{"the host's path", "0::/kubepods/pod1\n", map[string]string{"cpu.max": "50000 100000\n"}, 0.5},
		{"the parent is tighter", "0::/a/b\n", map[string]string{"a/cpu.max": "200000 100000", "a/b/cpu.max": "400000 100000"}, 2},
		{"version 1", "4:memory:/x\n3:cpu,cpuacct:/docker/1\n", map[string]string{
			"cpu/docker/1/cpu.cfs_quota_us": "300000\n", "cpu/docker/1/cpu.cfs_period_us": "100000\n"}, 3},
		{"version 1, unlimited", "3:cpuacct,cpu:/\n", map[string]string{"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 0},
		{"cpuset is not cpu", "3:cpuset:/\n", map[string]string{"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 0},
	} {
		root := t.TempDir()
		membership := filepath.Join(t.TempDir(), "cgroup")
		if err := os.WriteFile(membership, []byte(test.membership), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, text := range test.files {
			path := filepath.Join(root, name)
			os.MkdirAll(filepath.Dir(path), 0o755)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := cpuQuota(membership, root); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestDefaultLoops(t *testing.T) {
	if n := DefaultLoops(); n < 1 {
		t.Errorf("%d loops", n)
	}
}
