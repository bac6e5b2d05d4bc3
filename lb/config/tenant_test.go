package config

import (
	"strings"
	"testing"
)

func TestTenants(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"tenant a\n namespace x\ntenant b\n namespace y\n", ""},
		{"tenant a\n maxconn 5\n", "tenant 'a' has no 'namespace', so nothing is its own"},
		{"tenant a\n namespace x\ntenant b\n namespace x\n", "tenants 'a' and 'b' have the same namespace 'x'"},
		{"tenant a\n namespace x\ntenant a\n namespace y\n", "tenant 'a' has the same name"},
		{"tenant\n namespace x\n", "'tenant' expects a name"},
		{"tenant a\n namespace x\n queue-share 100\n", "queue-share"},
		{"tenant a\n namespace x\n bandwidth-in 0\n", "expects a size above 0"},
		{"tenant a\n namespace x\n mode tcp\n", "mode"},
	} {
		config, diagnostics := load("tenants", c.text)
		if said := complaints(diagnostics); (config != nil) != (c.says == "") || !strings.Contains(said, c.says) {
			t.Errorf("%s\n%s", c.text, said)
		}
	}
	config, _ := load("tenants", "tenant a\n namespace x\n maxconn 1\n rate-limit sessions 2\n bandwidth-in 3k\n bandwidth-out 4m\n queue-share 5\n")
	if want := (Tenant{config.Tenants[0].Pos, "a", "x", 1, 2, 3 << 10, 4 << 20, 5}); *config.Tenants[0] != want {
		t.Errorf("%+v", *config.Tenants[0])
	}
}
