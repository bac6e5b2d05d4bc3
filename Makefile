# make run         build, and start the demo
# make build       build ./sluice
# make test        everything that must pass, in under five minutes; as root it installs what it needs
# make test-full   the same end-to-end tests with the race detector in the program, and against haproxy itself
# make fuzz        every fuzz target for FUZZTIME (60s)
# make bench       balancers side by side, in thirty minutes: build/bench.json and a report in build/bench
# make bench-quick the same in three minutes: fewer scenarios, three rounds
# make performance the thirty minutes again, for the documentation: docs/performance/ and the figures in docs/performance.md
# make bench-go    the benchmarks of single functions

STEP := tools/step
UNIT = $$(go list ./... | grep -v -e /tools/e2e -e /bench/runner)
# nginx and haproxy live where an ordinary user's PATH does not look.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

.PHONY: run build test check unit e2e test-full fuzz bench bench-quick performance fill-performance bench-go clean

run: build
	./sluice demo

build:
	@CGO_ENABLED=0 go build -o sluice .

test: check unit e2e

check:
	@$(STEP) "system packages" tools/setup
	@$(STEP) "gofmt" tools/checkformat
	@$(STEP) "go vet" go vet ./...
	@$(STEP) "staticcheck" go tool staticcheck ./...
	@$(STEP) "objects of the kernel programs" tools/checkobjects
	@$(STEP) "build for amd64" env CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -buildvcs=false -o /dev/null ./...
	@$(STEP) "build for arm64" env CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -buildvcs=false -o /dev/null ./...

unit: check
	@$(STEP) "unit tests" go test -race -timeout 4m $(UNIT)
	@$(STEP) "bench: every scenario at its smallest" go test -timeout 4m ./bench/runner
	@$(STEP) "queue: five million admissions, order, cost" go test -timeout 2m ./lb/queue
	@$(STEP) "queue: all interleavings" go test -tags queuestep -timeout 2m ./lb/queue
	@$(STEP) "queue: random yields, race detector" go test -race -tags queuestep -timeout 2m -run 'Stress|Millions|Histor|Order' ./lb/queue

e2e: unit
	@$(STEP) "end-to-end tests" go test -count=1 -timeout 4m ./tools/e2e

test-full: test
	@$(STEP) "end-to-end tests with the race detector" env E2E_RACE=1 go test -count=1 -timeout 10m ./tools/e2e
	@$(STEP) "end-to-end tests of haproxy" env E2E_BALANCER=haproxy go test -count=1 -timeout 10m ./tools/e2e

fuzz:
	@tools/fuzz

bench:
	@mkdir -p build
	@go run ./bench -out build/bench.json && go run ./bench report build/bench.json

bench-quick:
	@mkdir -p build
	@go run ./bench -quick -out build/bench-quick.json && go run ./bench report build/bench-quick.json

performance:
	@mkdir -p docs/performance
	@go run ./bench -out docs/performance/bench.json
	@$(MAKE) --no-print-directory fill-performance

# Writes the report and the figures again, from the result that is there.
fill-performance:
	@go run ./bench report -out docs/performance -page docs/performance.md docs/performance/bench.json

bench-go:
	@$(STEP) "benchmarks" go test -run '^$$' -bench . -benchmem $(UNIT)

clean:
	rm -rf sluice build
