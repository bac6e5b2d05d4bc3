package frame

import "testing"

func TestHeader(t *testing.T) {
	var b [Header]byte
	for _, test := range []struct {
		request, response uint32
		closing, right    bool
	}{
		{Header, 0, false, true},
		{64, 64, true, true},
		{Longest, Longest, true, true},
		{Endless, Endless, false, true},
		{Header - 1, 1, false, false},
		{Endless + 1, 1, false, false},
	} {
		Put(b[:], test.request, test.response, test.closing)
		request, response, closing, right := Parse(b[:])
		if request != test.request || response != test.response || closing != test.closing || right != test.right {
			t.Errorf("%+v came back as %d %d %v %v", test, request, response, closing, right)
		}
	}
}
