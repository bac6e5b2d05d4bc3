package config

// assignIDs numbers what has no "id": from 1 up, skipping the numbers that are given. Proxies share one sequence, the
// listeners of a proxy another, its servers a third.
func (l *loader) assignIDs() {
	proxies := l.config.Proxies
	for _, p := range proxies {
		p.IDGiven = p.ID != 0
		for _, s := range p.Servers {
			s.IDGiven = s.ID != 0
		}
	}
	numberAll(len(proxies), func(i int) *int { return &proxies[i].ID })
	for _, p := range proxies {
		numberAll(len(p.Binds), func(i int) *int { return &p.Binds[i].ID })
		numberAll(len(p.Servers), func(i int) *int { return &p.Servers[i].ID })
	}
}

// numberAll fills the identifiers that are 0.
func numberAll(count int, id func(int) *int) {
	used := map[int]bool{}
	for i := range count {
		used[*id(i)] = true
	}
	next := 1
	for i := range count {
		if *id(i) != 0 {
			continue
		}
		for used[next] {
			next++
		}
		*id(i) = next
		next++
	}
}
