package tcplog

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"
)

// decoded is a line's object. Numbers stay as they were written.
func decoded(t *testing.T, line []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(line)))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil || d.More() {
		t.Fatalf("%s: %v", line, err)
	}
	return object
}

func TestJSON(t *testing.T) {
	for _, c := range []struct {
		name   string
		items  []string
		record func() Record
		want   string
	}{
		{"full", nil, full, `{"time":"2026-11-02T20:25:06.007+05:30","type":"flow","frontend":"fe_tcp","bind":"2","client_ip":"127.0.0.1","client_port":34172,` +
			`"backend":"bk","server":"s1","server_ip":"127.0.0.1","server_port":1,"handshake_ms":1,"queue_ms":2,"connect_ms":3,"data_ms":51,"total_ms":57,` +
			`"bytes_in":5,"bytes_out":6,"termination":"--","process_connections":1,"frontend_connections":2,"backend_connections":3,"server_connections":4,` +
			`"server_queue":8,"backend_queue":9,"retries":0,"redispatched":false,"final":true}`},
		{"refused", nil, refused, `{"time":"2026-11-02T20:25:06.007+05:30","type":"flow","frontend":"fe_tcp","bind":"2","client_ip":"127.0.0.1","client_port":34172,` +
			`"backend":"bk","server":null,"server_ip":null,"server_port":null,"handshake_ms":1,"queue_ms":null,"connect_ms":null,"data_ms":null,"total_ms":0,` +
			`"bytes_in":5,"bytes_out":0,"termination":"SC","process_connections":1,"frontend_connections":2,"backend_connections":3,"server_connections":4,` +
			`"server_queue":8,"backend_queue":9,"retries":0,"redispatched":false,"final":true}`},
		{"logasap", []string{"total_ms", "bytes_out", "retries", "redispatched", "final"}, asSoonAsPossible, `{"total_ms":6,"bytes_out":0,"retries":1,"redispatched":true,"final":false}`},
		{"unix", []string{"client_ip", "client_port", "server_ip", "server_port"}, overUnix, `{"client_ip":"unix","client_port":null,"server_ip":"unix","server_port":null}`},
		{"named", []string{"bind"}, told, `{"bind":"door"}`},
		{"own", []string{"a=%ci", "b=%cp", "c=%ci:%cp", "d=%ts", "e=%Tw", "f=%t", "g=%ms", "h=%[src]", "i=%[src_port]", "j=%[always_true]", "k=%[env(NONE)]", "l=text", "m=%{+X}cp", "n=%{+Q}b",
			"o=%ID", "p=%hr", "q=%[fc_pp_unique_id]", "r=%[int(4)] ", "s=%rc", "t=%pid"}, told,
			`{"a":"127.0.0.1","b":34172,"c":"127.0.0.1:34172","d":"--","e":2,"f":"02/Nov/2026:20:25:06.007","g":7,"h":"127.0.0.1","i":34172,"j":true,"k":null,"l":"text","m":"857C","n":"bk",` +
				`"o":"a\"b]c\\d","p":null,"q":"id\u000A7","r":"4 ","s":0,"t":` + mustText("%pid") + `}`},
		{"a name", []string{`a"b` + "\n=%b"}, full, `{"a\"b\u000A":"bk"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := ParseJSON(c.items, func(string) (string, bool) { return "", false })
			if err != nil {
				t.Fatal(err)
			}
			r := c.record()
			got := f.Append(nil, &r)
			if string(got) != c.want {
				t.Errorf("\ngot  %s\nwant %s", got, c.want)
			}
			decoded(t, got)
		})
	}
	r := full()
	want := `{"time":"2026-11-02T20:25:06.007+05:30","type":"error","frontend":"fe_tcp","bind":"2","client_ip":"127.0.0.1","client_port":34172,"total_ms":57,"error":"Truncated PROXY protocol header received"}`
	if got := string(JSONError.Append(nil, &r)); got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
}

func mustText(format string) string {
	r := full()
	return string(mustParse(format).Append(nil, &r))
}

func TestJSONErrors(t *testing.T) {
	for _, c := range []struct{ items, want string }{
		{"times", "there is no field 'times' of its own; known: time type frontend "},
		{"a=%zz", "field 'a': at byte 1: unknown variable '%zz'"},
		{"=%b", "'=%b' is not <name>=<format>"},
		{"a=", "'a=' is not <name>=<format>"},
		{"a=%b a=%f", "there are two fields named 'a'"},
		{"time time=%t", "there are two fields named 'time'"},
	} {
		if _, err := ParseJSON(strings.Fields(c.items), nil); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v", c.items, err)
		}
	}
}

// FuzzJSON: whatever a client, a configuration or a name holds, each line is one object, and its strings are what they were.
func FuzzJSON(f *testing.F) {
	f.Add("s1", []byte("host"), "x=%[fc_pp_authority]", int64(1))
	f.Add("a\"b\\\n", []byte{0xFF, 0, 0x7F, 0xE2, 0x80, 0xA8, 0xC3}, "%{+Q,+E}b=%{+X}ci %s", int64(-1))
	f.Fuzz(func(t *testing.T, name string, carried []byte, item string, n int64) {
		r := full()
		r.Server, r.Authority, r.UniqueID, r.Error, r.Frontend = name, carried, name, name, name
		r.Connect, r.Total, r.BytesIn, r.Client = int(n), int(n), uint64(n), netip.AddrPort{}
		own, err := ParseJSON([]string{item, "\x00a=%s", "\x00b=%[fc_pp_authority]", "\x00c=%s/%[fc_pp_authority] %ID"}, nil)
		if err != nil {
			own = JSON
		}
		for _, format := range []*Format{JSON, JSONError, own} {
			line := format.Append(nil, &r)
			object := decoded(t, line)
			for i, c := range line {
				if c < ' ' || c == 0x7F {
					t.Fatalf("control character at %d of %q", i, line)
				}
			}
			if server, there := object["server"]; there && utf8.ValidString(name) && name != "" && server != name {
				t.Fatalf("server is %q, was %q", server, name)
			}
			if carriedBack, there := object["\x00b"]; there && utf8.Valid(carried) && len(carried) > 0 && carriedBack != string(carried) {
				t.Fatalf("authority is %q, was %q", carriedBack, carried)
			}
		}
	})
}
