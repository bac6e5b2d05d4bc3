package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// httpRequest is what is sent for each request.
func httpRequest(spec *Spec) []byte {
	text := "GET " + spec.Path + " HTTP/1.1\r\nHost: " + spec.Targets[0].String() + "\r\n"
	if spec.connects() && spec.Close == CloseServer {
		text += "Connection: close\r\n"
	}
	return []byte(text + "\r\n")
}

// learn makes one request and gives the length of the whole response, in bytes.
func learn(ctx context.Context, spec *Spec, request []byte) (int64, error) {
	what := "load: the first request to " + spec.Targets[0].String()
	dialer := net.Dialer{Timeout: spec.Timeout}
	connection, err := dialer.DialContext(ctx, "tcp", spec.Targets[0].String())
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(spec.Timeout))
	if _, err := connection.Write(request); err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	reader := bufio.NewReader(connection)
	var head []byte
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		line, err := reader.ReadSlice('\n')
		if err != nil || len(head) > 1<<16 {
			return 0, fmt.Errorf("%s: no end of the response's head: %w", what, err)
		}
		head = append(head, line...)
	}
	response, err := http.ReadResponse(bufio.NewReader(io.MultiReader(bytes.NewReader(head), reader)), nil)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s: %w", what, err)
	case response.StatusCode != http.StatusOK:
		return 0, fmt.Errorf("%s: %s", what, response.Status)
	case response.ContentLength < 0:
		return 0, fmt.Errorf("%s: the response has no Content-Length", what)
	}
	return int64(len(head)) + response.ContentLength, nil
}
