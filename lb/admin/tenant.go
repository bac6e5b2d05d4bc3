package admin

import (
	"strconv"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

// Tenant is a budget with what is used of it.
type Tenant struct {
	*config.Tenant
	Flows   *stats.Gauge
	Stats   *stats.Counters
	Waiting int64 // its flows that wait for a slot
}

// showTenants lists limits as they are configured, with "-" where there is none.
func (s *session) showTenants([]string) {
	limit := func(n int) string {
		if n == 0 {
			return "-"
		}
		return strconv.Itoa(n)
	}
	s.answer.printf("# tenant namespace flows highest maxconn connections rate_limit bytes_in bandwidth_in bytes_out bandwidth_out waiting queue_share limit_reached rate_reached throttled\n")
	for _, t := range s.process.Tenants() {
		sum := t.Stats.Sum
		s.answer.printf("%s %s %d %d %s %d %s %d %s %d %s %d %s %d %d %d\n", t.Name, t.Namespace, t.Flows.Value(), t.Flows.Highest(), limit(t.MaxConn),
			sum(stats.Connections), limit(t.RateLimitSessions), sum(stats.BytesIn), limit(t.BandwidthIn), sum(stats.BytesOut), limit(t.BandwidthOut),
			t.Waiting, limit(t.QueueShare), sum(stats.LimitReached), sum(stats.RateReached), sum(stats.Throttled))
	}
}
