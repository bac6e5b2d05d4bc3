package origin

import (
	"fmt"
	"io"
	"net/netip"
	"text/template"
)

// NGINXSpec is an nginx that answers every GET with a fixed page.
type NGINXSpec struct {
	// Directory is for its pid file and its temporary files. It has to be there.
	Directory string
	Listen    []netip.AddrPort
	// Bytes are the page's length. The response has a head of some 150 bytes besides.
	Bytes int
	// Workers are processes, one thread each. 0: 1.
	Workers int
	// Page is what WriteNGINX fills in.
	Page string
}

// The page is in the configuration: no file is opened for it. "return" makes a response without a date that varies in length.
var nginxTemplate = template.Must(template.New("nginx").Parse(`# Made by bench: nginx as an origin. One page, no log, connections that stay for as long as their client wants.
daemon off;
pid {{.Directory}}/nginx.pid;
error_log stderr crit;
worker_processes {{.Workers}};
worker_rlimit_nofile 65536;
events {
	worker_connections 16384;
	multi_accept on;
}
http {
	access_log off;
	keepalive_requests 1000000000;
	keepalive_timeout 1h;
	tcp_nodelay on;
	default_type text/plain;
	client_body_temp_path {{.Directory}}/client;
	proxy_temp_path {{.Directory}}/proxy;
	fastcgi_temp_path {{.Directory}}/fastcgi;
	uwsgi_temp_path {{.Directory}}/uwsgi;
	scgi_temp_path {{.Directory}}/scgi;
	server {
{{- range .Listen}}
		listen {{.}} backlog=4096;
{{- end}}
		location / { return 200 "{{.Page}}"; }
	}
}
`))

// WriteNGINX writes the configuration. Start it with "nginx -p Directory -e stderr -c file".
func WriteNGINX(out io.Writer, spec NGINXSpec) error {
	if spec.Bytes < 0 || spec.Bytes > 2000 {
		return fmt.Errorf("origin: nginx takes a word of up to 2000 bytes from its configuration, not %d", spec.Bytes)
	}
	spec.Workers = max(spec.Workers, 1)
	page := make([]byte, spec.Bytes)
	for i := range page {
		page[i] = 'x'
	}
	spec.Page = string(page)
	return nginxTemplate.Execute(out, spec)
}
