package wire

import (
	"bytes"
	"testing"
)

func TestCarried(t *testing.T) {
	src, dst := ip("198.51.100.1:1000"), ip("203.0.113.2:443")
	for _, x := range []struct{ id, authority string }{{"", ""}, {"id-1", ""}, {"", "db.example.net"}, {"id-2", "db.example.net"}} {
		var o V2Options
		o.CRC32C = true
		if x.id != "" {
			o.UniqueID = []byte(x.id)
		}
		if x.authority != "" {
			o.Authority = []byte(x.authority)
		}
		b := append(AppendV2(nil, src, dst, o), "payload"...)
		id, authority := Carried(b)
		if !bytes.Equal(id, o.UniqueID) || !bytes.Equal(authority, o.Authority) {
			t.Errorf("%+v: got %q and %q", x, id, authority)
		}
	}
	for _, b := range [][]byte{nil, []byte("PROXY UNKNOWN\r\n"), AppendV1(nil, src, dst), AppendV2(nil, src, dst, V2Options{Local: true, UniqueID: []byte("x")})} {
		if id, authority := Carried(b); id != nil || authority != nil {
			t.Errorf("%q carries %q and %q", b, id, authority)
		}
	}
}
