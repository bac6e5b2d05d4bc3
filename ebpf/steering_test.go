package ebpf

import (
	"testing"

	"github.com/cilium/ebpf"
)

// The verifier takes both programs, with the licence that they have.
func TestSteeringLoads(t *testing.T) {
	spec, err := loadSteering()
	if err != nil {
		t.Fatal(err)
	}
	var objects steeringObjects
	if err := Loader(nil).load(spec, &objects, &ebpf.CollectionOptions{}); err != nil {
		available(t, &MissingError{"accept steering", "5.14", "CAP_BPF", err})
	}
	if err := objects.Close(); err != nil {
		t.Error(err)
	}
}
