package wire

import "errors"

// ErrShort says that the bytes so far are a good beginning and that more of them are needed.
var ErrShort = errors.New("wire: more bytes needed")

// ErrMalformed matches (errors.Is) every error that says that bytes are not what was expected.
var ErrMalformed error = malformed("wire: malformed header")

// malformed is an error made beforehand: a header's bytes cost no allocation, however bad they are.
type malformed string

func (m malformed) Error() string        { return string(m) }
func (m malformed) Is(target error) bool { return target == ErrMalformed }
