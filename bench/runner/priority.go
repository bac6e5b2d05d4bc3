//go:build linux

package runner

import (
	"net/netip"

	"github.com/sluice-lb/sluice/bench/load"
)

// patient gives the address for those who may wait, if the scenario has such: another than that for the urgent.
func (p *place) patient(urgent netip.AddrPort) (patient netip.AddrPort, err error) {
	for p.Priorities && err == nil && (!patient.IsValid() || patient == urgent) {
		patient, err = p.network.listen()
	}
	return patient, err
}

// classes are the metrics of the two classes. The load's first target is the urgent one's.
func classes(v map[string]float64, targets []load.Latency) {
	for i, name := range []string{"urgent", "patient"} {
		if i < len(targets) && targets[i].Count > 0 {
			v[name+"_mean"], v[name+"_p99"] = targets[i].Mean, float64(targets[i].P99)
		}
	}
}
