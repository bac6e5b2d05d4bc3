// Package ebpf loads sluice's kernel programs and attaches them: the third door to the kernel. It knows sockets by their
// descriptors and loops by their numbers, and nothing of the balancer.
//
// The contract:
//
//  1. Everything here is optional. What cannot be had (an older kernel, no privilege) is a [*MissingError] that names the
//     feature, the kernel and the privileges that it needs; the caller goes on without, and says so once.
//  2. Programs and maps are loaded by a [Loader], which is a parameter so that a test can make it fail.
//  3. Loading needs privileges. What happens later, while connections come, is done through memory that is shared with the
//     program, or through descriptors that are open already, so that privileges can be given up in between. Each feature's
//     documentation says what is an exception.
//  4. Who opens a thing closes it. Nothing is pinned: the kernel takes all of it away when the process ends.
//  5. No function here is called for each connection or packet, but for those of [Lane].
//
// Each feature has a file of its own and a C source of the same name in c/, from which [bpf2go] makes NAME_bpfel.go,
// NAME_bpfel.o and the same for big-endian machines. They are committed, so that nobody needs clang to build sluice. After a change of
// a C source, tools/objects makes them again; "make check" fails if they differ from what it would make.
//
// [bpf2go]: https://pkg.go.dev/github.com/cilium/ebpf/cmd/bpf2go
package ebpf
