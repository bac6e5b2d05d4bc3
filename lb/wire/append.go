package wire

// AppendV1 appends a version 1 header for a connection from src to dst.
func AppendV1(b []byte, src, dst Endpoint) []byte { return b }

// AppendV2 appends a version 2 header for a connection from src to dst.
func AppendV2(b []byte, src, dst Endpoint, o V2Options) []byte { return b }
