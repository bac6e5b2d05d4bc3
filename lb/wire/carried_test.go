package wire

import (
	"bytes"
	"testing"
)

func TestCarried(t *testing.T) {
	src, dst := ip("198.51.100.1:1000"), ip("203.0.113.2:443")
	for _, x := range []struct{ id, authority, namespace string }{{}, {id: "id-1"}, {authority: "db.example.net"}, {"id-2", "db.example.net", "blue"}, {namespace: "green"}} {
		var o V2Options
		o.CRC32C, o.Namespace = true, x.namespace
		if x.id != "" {
			o.UniqueID = []byte(x.id)
		}
		if x.authority != "" {
			o.Authority = []byte(x.authority)
		}
		b := append(AppendV2(nil, src, dst, o), "payload"...)
		id, authority, namespace := Carried(b)
		if !bytes.Equal(id, o.UniqueID) || !bytes.Equal(authority, o.Authority) || string(namespace) != x.namespace {
			t.Errorf("%+v: got %q, %q and %q", x, id, authority, namespace)
		}
	}
	for _, b := range [][]byte{nil, []byte("PROXY UNKNOWN\r\n"), AppendV1(nil, src, dst), AppendV2(nil, src, dst, V2Options{Local: true, UniqueID: []byte("x"), Namespace: "n"})} {
		if id, authority, namespace := Carried(b); id != nil || authority != nil || namespace != nil {
			t.Errorf("%q carries %q, %q and %q", b, id, authority, namespace)
		}
	}
}
