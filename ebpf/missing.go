package ebpf

import "fmt"

// MissingError says that the kernel, or this process's privileges, do not have what a feature needs.
type MissingError struct {
	Feature   string // as the documentation calls it: "accept steering"
	Kernel    string // the first version that has it: "5.8"
	Privilege string // what the process needs: "CAP_BPF and CAP_NET_ADMIN"
	Err       error  // what was tried, and how it failed
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s needs Linux %s or later and %s: %v", e.Feature, e.Kernel, e.Privilege, e.Err)
}

func (e *MissingError) Unwrap() error { return e.Err }
