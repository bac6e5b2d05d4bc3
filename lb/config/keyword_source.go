package config

import "net/netip"

// readSource reads "ADDR[:port[-port]] [usesrc ADDR|client|clientip] [interface NAME]" from the arguments, and gives the
// number of words that belong to it. On a server line the options of the server follow.
func (s *statement) readSource(ranges bool) (*Source, int) {
	address, ok := s.address(0, AddressOptions{AllowPort: true, AllowRange: ranges})
	if !ok {
		return nil, len(s.args)
	}
	source := &Source{Address: address}
	i := 1
	for ; i < len(s.args); i += 2 {
		option, value := s.text(i), s.text(i+1)
		if option != "usesrc" && option != "interface" {
			break
		}
		if i+1 == len(s.args) {
			s.alert("'%s' needs an argument", option)
			return nil, len(s.args)
		}
		switch {
		case option == "interface":
			source.Interface = value
		case value == "client" || value == "clientip":
			source.UseSource, source.UseAddress = value, nil
		case len(value) > 7 && value[:7] == "hdr_ip(":
			s.alert("'usesrc %s' looks into HTTP, and sluice balances TCP only", value)
			return nil, len(s.args)
		default:
			use, ok := s.address(i+1, AddressOptions{AllowPort: true})
			if !ok {
				return nil, len(s.args)
			}
			source.UseSource, source.UseAddress = "address", &use
		}
	}
	return source, i
}

// words gives what readSource reads.
func (s *Source) words() []string {
	list := []string{s.Address.String()}
	switch {
	case s.UseSource == "address":
		list = append(list, "usesrc", s.UseAddress.String())
	case s.UseSource != "":
		list = append(list, "usesrc", s.UseSource)
	}
	if s.Interface != "" {
		list = append(list, "interface", s.Interface)
	}
	return list
}

func parseProxySource(s *statement) {
	source, used := s.readSource(false)
	if source == nil {
		return
	}
	if used < len(s.args) {
		s.alert("has an unexpected argument '%s'", s.text(used))
		return
	}
	s.proxy.Source = source
}

func printProxySource(p *printer) {
	if p.proxy.Source != nil {
		p.write(p.proxy.Source.words()...)
	}
}

// parseIP gives the zero Addr for what is no literal.
func parseIP(text string) netip.Addr {
	ip, _ := netip.ParseAddr(text)
	return ip
}
