package ebpf

//go:generate go tool bpf2go -tags linux -output-stem steering steering c/steering.c -- -Wall -Werror -mcpu=v3
