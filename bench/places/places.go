// Package places makes room in Go's scheduler for threads that wait without telling it.
//
// A goroutine in a system call that the scheduler knows of gives its place (GOMAXPROCS has them) away: its watchdog sees to that after
// 20 µs, and then looks every 20 µs again, which costs a generator more than its requests. One that waits in a raw system call keeps
// its place, so that others would have none. Hold adds places for such threads.
package places

import (
	"runtime"
	"sync"
)

var mutex sync.Mutex

// Hold adds n places until release is called, once.
func Hold(n int) (release func()) {
	change(n)
	return func() { change(-n) }
}

func change(by int) {
	mutex.Lock()
	defer mutex.Unlock()
	runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)+by))
}
