package wire

// Decode reads the PROXY header, of either version, at the start of b, and returns how many bytes it took. It returns
// ErrShort if b is a header's beginning and len(b) < MaxHeader; errors.Is(err, ErrMalformed) holds for all others.
func Decode(b []byte) (h Header, n int, err error) {
	return Header{}, 0, ErrShort
}
