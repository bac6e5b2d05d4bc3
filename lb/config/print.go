package config

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// Print writes a configuration in its canonical form: defaults resolved, one listener and one server on a line, all
// numbers given. Load makes an equal one of it, but for positions and for IDGiven. The error is w's.
func Print(w io.Writer, c *Config) error {
	p := &printer{out: bufio.NewWriter(w), target: target{global: &c.Global}}
	p.out.WriteString("global\n")
	p.all(InGlobal)
	for _, section := range c.Resolvers {
		if !section.Implicit {
			p.out.WriteString("\nresolvers " + Quote(section.Name) + "\n")
			p.dns = section
			p.all(InResolvers)
		}
	}
	for _, section := range c.Mailers {
		p.out.WriteString("\nmailers " + Quote(section.Name) + "\n")
		p.mail = section
		p.all(InMailers)
	}
	for _, section := range c.Tenants {
		p.out.WriteString("\ntenant " + Quote(section.Name) + "\n")
		p.tenant = section
		p.all(InTenant)
	}
	for _, section := range c.Rings {
		p.out.WriteString("\nring " + Quote(section.Name) + "\n")
		p.ring = section
		p.all(InRings)
	}
	if p.listed = c.Namespaces; len(p.listed) > 0 {
		p.out.WriteString("\nnamespace_list\n")
		p.all(InNamespaceList)
	}
	for _, proxy := range c.Proxies {
		p.out.WriteString("\n" + proxy.Kind.String() + " " + Quote(proxy.Name) + "\n")
		p.target.proxy = proxy
		if proxy.HTTP {
			p.out.WriteString("    mode http\n")
		}
		p.all(Sections(1 << (map[ProxyKind]uint{Frontend: 2, Listen: 3, Backend: 4}[proxy.Kind])))
	}
	return p.out.Flush()
}

// printer writes what its target holds. The print functions of keywords call write, once for each line or option.
type printer struct {
	target
	out    *bufio.Writer
	listed []Namespace // of the section that is written
	key    *Keyword
	inline bool // options of a line that is begun
	negate bool // "no" stands before what is written next
}

// all writes the keywords of a section or, inline, the options of a line.
func (p *printer) all(place Sections) {
	for _, k := range keywords() {
		if k.Sections&place != 0 && k.print != nil {
			p.key = k
			k.print(p)
		}
	}
}

// write writes the keyword with its arguments.
func (p *printer) write(words ...string) { p.writeAs(p.key.Name, words...) }

// writeAs writes a keyword under another name.
func (p *printer) writeAs(name string, words ...string) {
	if p.inline {
		p.out.WriteByte(' ')
	} else {
		p.out.WriteString("    ")
	}
	if p.negate {
		p.out.WriteString("no ")
		p.negate = false
	}
	p.out.WriteString(name)
	for _, word := range words {
		p.out.WriteString(" " + Quote(word))
	}
	if !p.inline {
		p.out.WriteByte('\n')
	}
}

// line writes a keyword whose options follow.
func (p *printer) line(place Sections, words ...string) {
	p.out.WriteString("    " + p.key.Name + " " + strings.Join(words, " "))
	p.inline = true
	p.all(place)
	p.inline = false
	p.out.WriteByte('\n')
}

func printBinds(p *printer) {
	key := p.key
	for _, bind := range p.proxy.Binds {
		p.key, p.bind = key, bind
		words := bind.Address.String()
		for _, more := range bind.Lookup[min(1, len(bind.Lookup)):] {
			words += "," + more.String()
		}
		p.line(OnBind, Quote(words))
	}
	p.bind = nil
}

func printServers(p *printer) {
	key := p.key
	var done *Template
	for _, server := range p.proxy.Servers {
		p.key, p.server = key, server
		switch t := server.Template; {
		case t == nil:
			p.line(OnServer, Quote(server.Name), Quote(server.Address.String()))
		case t != done:
			p.key = in(InBackend)["server-template"]
			p.line(OnServer, Quote(t.Prefix), strconv.Itoa(t.Low)+"-"+strconv.Itoa(t.High), Quote(server.Address.String()))
			done = t
		}
	}
	p.server = nil
}

func printStatsSockets(p *printer) {
	key := p.key
	for i := range p.global.StatsSockets {
		socket := &p.global.StatsSockets[i]
		p.key, p.socket, p.bind = key, socket, &socket.Bind
		p.line(OnStatsSocket, Quote(socket.Bind.Address.String()))
	}
	p.socket, p.bind = nil, nil
}
