package wire

// The first bytes of each version; the protocol's section 2.
const (
	signatureV1 = "PROXY "
	signatureV2 = "\r\n\r\n\x00\r\nQUIT\n"
)

// Decode reads the PROXY header, of either version, at the start of b, and returns how many bytes it took; what follows
// them in b is payload. It returns ErrShort if b is the beginning of a header (then len(b) < MaxHeader). For every other
// error errors.Is(err, ErrMalformed) holds, and h and n are zero.
func Decode(b []byte) (h Header, n int, err error) {
	if len(b) == 0 {
		return Header{}, 0, ErrShort
	}
	signature, decode := signatureV1, decodeV1
	if b[0] == signatureV2[0] {
		signature, decode = signatureV2, decodeV2
	}
	// Compared as far as there are bytes, so that what is no header is refused at its first wrong byte.
	if k := min(len(b), len(signature)); string(b[:k]) != signature[:k] {
		return Header{}, 0, ErrSignature
	}
	if len(b) < len(signature) {
		return Header{}, 0, ErrShort
	}
	h, n, err = decode(b)
	if err != nil {
		return Header{}, 0, err
	}
	return h, n, nil
}
