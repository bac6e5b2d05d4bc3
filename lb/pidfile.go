package lb

import (
	"fmt"
	"os"
)

// openPIDFile creates the file, or empties the one that is there. It is called before chroot, and with the privileges that
// the process was started with.
func openPIDFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot create pidfile %s: %w", path, cause(err))
	}
	return file, nil
}

// writePID writes the process's id into the file and closes it. The file stays when the process ends, as HAProxy's does: by
// then it may be a successor's.
func writePID(file *os.File) error {
	_, err := fmt.Fprintf(file, "%d\n", os.Getpid())
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("cannot write pidfile %s: %w", file.Name(), cause(err))
	}
	return nil
}
