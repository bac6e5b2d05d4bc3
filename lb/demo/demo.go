package demo

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-lb/sluice/examples"
	"github.com/sluice-lb/sluice/lb"
	"github.com/sluice-lb/sluice/lb/config"
)

// Main runs the demo until SIGINT or SIGTERM and gives the exit code: 0, or 1 when it cannot start. It takes no arguments.
func Main(arguments []string, stdout, stderr io.Writer) int {
	if len(arguments) > 0 {
		fmt.Fprintln(stderr, "usage: sluice demo\nIt takes no arguments; 'sluice -h' shows the balancer's own.")
		if arguments[0] == "-h" || arguments[0] == "--help" {
			return 0
		}
		return 1
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	if err := run(string(examples.Demo), stdout, stop); err != nil {
		fmt.Fprintln(stderr, "sluice demo:", err)
		return 1
	}
	return 0
}

// run is the demo with a given configuration.
func run(text string, out io.Writer, stop <-chan os.Signal) error {
	origins, err := startOrigins("a", "b", "c")
	if err != nil {
		return err
	}
	defer origins.close()
	cfg, err := load(text, origins.variables())
	if err != nil {
		return err
	}
	if err := portsFree(cfg); err != nil {
		return err
	}
	balancer, err := lb.Open(cfg, lb.Options{MaxConnOverride: cfg.Global.MaxConn})
	if err != nil {
		return err
	}
	if err := balancer.Start(); err != nil {
		return err
	}
	defer balancer.Stop()
	printIntroduction(out, cfg)

	seconds := time.NewTicker(time.Second)
	defer seconds.Stop()
	t := newTable(out)
	t.show(time.Now(), balancer.Snapshot())
	for {
		select {
		case now := <-seconds.C:
			t.show(now, balancer.Snapshot())
		case <-stop:
			t.total(balancer.Snapshot())
			return nil
		}
	}
}

// load reads the configuration; its complaints, warnings too, are the error.
func load(text string, variables []string) (*config.Config, error) {
	files := []config.File{{Name: "examples/demo.cfg", Data: []byte(text)}}
	cfg, found := config.Load(files, config.NewEnv(variables), config.LoadOptions{})
	var complaints []error
	for _, d := range found {
		if d.Severity >= config.Warning {
			complaints = append(complaints, errors.New(d.Format(os.Getpid())))
		}
	}
	return cfg, errors.Join(complaints...)
}

// portsFree makes sure that nobody listens where the demo will. The balancer's own sockets would not notice a second demo:
// they share their ports.
func portsFree(cfg *config.Config) error {
	var problems []error
	for _, address := range addresses(cfg) {
		listener, err := net.Listen("tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			err = fmt.Errorf("%s is taken by another program, perhaps another demo; end that one first ('ss -ltnp' names it)", address)
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		listener.Close()
	}
	return errors.Join(problems...)
}

// addresses lists where the configuration listens, in its order.
func addresses(cfg *config.Config) []string {
	var list []string
	for _, proxy := range cfg.Proxies {
		for _, bind := range proxy.Binds {
			list = append(list, net.JoinHostPort(bind.Address.IP.String(), strconv.Itoa(bind.Address.Port)))
		}
	}
	return list
}

func printIntroduction(out io.Writer, cfg *config.Config) {
	web, echo, _ := strings.Cut(strings.Join(addresses(cfg), " "), " ")
	fmt.Fprintf(out, "sluice balances http://%s and the echo port %s over the origins a, b and c, all in this process.\n", web, echo)
	fmt.Fprint(out, "Try, in another terminal:\n")
	for _, hint := range [][2]string{
		{"curl " + web, "each new connection goes to the next origin"},
		{"curl " + web + " " + web, "one connection twice, so one origin"},
		{"curl -o /dev/null " + web + "/bytes/2000000000", "2 GB, moved by splice"},
		{"curl " + web + "/rest", "that origin refuses connections for 10 s: the others take over"},
		{os.Args[0] + " top abns@sluice-demo", "what it does, live; drain an origin there with D"},
		{"nc " + strings.Replace(echo, ":", " ", 1), "what you type comes back"},
	} {
		fmt.Fprintf(out, "  %-52s %s\n", hint[0], hint[1])
	}
	fmt.Fprint(out, "Ctrl-C ends it. The configuration is examples/demo.cfg; check one of your own with: sluice -c -V -f FILE\n\n")
}
