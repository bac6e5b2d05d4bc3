package ebpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Loader brings the programs and maps of spec into the kernel and assigns those that the fields of to name, a pointer to a
// structure with `ebpf:"name"` tags. See [ebpf.CollectionSpec.LoadAndAssign].
type Loader func(spec *ebpf.CollectionSpec, to any, options *ebpf.CollectionOptions) error

// Load is the Loader of the kernel.
func Load(spec *ebpf.CollectionSpec, to any, options *ebpf.CollectionOptions) error {
	err := spec.LoadAndAssign(to, options)
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	// Kernels before 5.11 count maps as locked memory, and say EPERM at its limit.
	unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if unix.Prlimit(0, unix.RLIMIT_MEMLOCK, &unlimited, nil) != nil {
		return err
	}
	return spec.LoadAndAssign(to, options)
}

// load loads with the given loader; nil: the kernel's.
func (l Loader) load(spec *ebpf.CollectionSpec, to any, options *ebpf.CollectionOptions) error {
	if l == nil {
		l = Load
	}
	if err := l(spec, to, options); err != nil {
		return fmt.Errorf("loading the program: %w", err)
	}
	return nil
}
