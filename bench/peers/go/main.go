// Go's side of the topic "tasks": goroutines and channels. It answers requests
// as bench/peer.h describes.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Goroutines that are started before they are waited for.
const batch = 1000

// A subject takes one sample of so many operations; its figures go into the
// answer as they are.
type subject struct {
	key    string
	count  int
	name   string
	sample func(count int) string
}

var subjects = []subject{
	{"spawn_join", 100000, "Go, WaitGroup", spawnJoin},
	{"forkjoin_fib27", 50000, "Go, channel join", forkJoin},
	{"roundtrip", 100000, "Go, unbuffered", func(count int) string {
		return roundTrip(count, 0)
	}},
	{"roundtrip.1", 100000, "Go, capacity 1", func(count int) string {
		return roundTrip(count, 1)
	}},
	{"spsc_1024", 500000, "Go chan", func(count int) string {
		return queue(count, 1)
	}},
	{"mpmc44_1024", 500000, "Go chan", func(count int) string {
		return queue(count, 4)
	}},
	{"switch2", 500000, "Go Gosched", func(count int) string {
		return yield(count, 2)
	}},
	{"yield1000", 500000, "Go Gosched", func(count int) string {
		return yield(count, 1000)
	}},
	{"parked", 1000000, "Go goroutine", parked},
	{"pmap_cheap", 20000000, "Go, a goroutine a processor", mapCheap},
	{"pmap_heavy", 2000, "Go, a goroutine a processor", mapHeavy},
}

func must(ok bool, what string) {
	if !ok {
		fmt.Fprintln(os.Stderr, "peer go: failed:", what)
		os.Exit(1)
	}
}

func perOperation(begin time.Time, count int) string {
	return fmt.Sprintf("%.3f", float64(time.Since(begin).Nanoseconds())/float64(count))
}

func spawnJoin(count int) string {
	begin := time.Now()
	for done := 0; done < count; done += batch {
		var group sync.WaitGroup
		group.Add(batch)
		for i := 0; i < batch; i++ {
			go group.Done()
		}
		group.Wait()
	}
	return perOperation(begin, count)
}

// The largest n for which fib(n) forks at most so many times, and how often it
// does.
func fibSize(forks int) (int, int) {
	n, these, next := 1, 0, 1
	for next <= forks {
		n, these, next = n+1, next, these+next+1
	}
	return n, these
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	other := make(chan int, 1)
	go func() { other <- fib(n - 1) }()
	mine := fib(n - 2)
	return mine + <-other
}

func forkJoin(count int) string {
	n, forks := fibSize(count)
	begin := time.Now()
	must(fib(n) > forks/2, "the sum")
	return perOperation(begin, forks)
}

func roundTrip(count, capacity int) string {
	there, back := make(chan int, capacity), make(chan int, capacity)
	begin := time.Now()
	go func() {
		for i := 0; i < count; i++ {
			back <- <-there
		}
	}()
	for i := 0; i < count; i++ {
		there <- i
		must(<-back == i, "the answer")
	}
	return perOperation(begin, count)
}

func queue(count, parties int) string {
	words := make(chan int, 1024)
	share := count / parties
	var group sync.WaitGroup
	group.Add(2 * parties)
	begin := time.Now()
	for p := 0; p < parties; p++ {
		go func() {
			for i := 0; i < share; i++ {
				words <- i
			}
			group.Done()
		}()
		go func() {
			for i := 0; i < share; i++ {
				<-words
			}
			group.Done()
		}()
	}
	group.Wait()
	return perOperation(begin, count)
}

func yield(count, parties int) string {
	var group sync.WaitGroup
	group.Add(parties)
	begin := time.Now()
	for p := 0; p < parties; p++ {
		go func() {
			for i := 0; i < count/parties; i++ {
				runtime.Gosched()
			}
			group.Done()
		}()
	}
	group.Wait()
	return perOperation(begin, count)
}

func residentBytes() int {
	var all, resident int
	text, err := os.ReadFile("/proc/self/statm")
	must(err == nil, "/proc/self/statm")
	_, err = fmt.Sscan(string(text), &all, &resident)
	must(err == nil, "/proc/self/statm")
	return resident * os.Getpagesize()
}

func parked(count int) string {
	var waiting int64
	gate := make(chan int)
	before, begin := residentBytes(), time.Now()
	for i := 0; i < count; i++ {
		go func() {
			atomic.AddInt64(&waiting, 1)
			<-gate
		}()
	}
	for atomic.LoadInt64(&waiting) < int64(count) {
		runtime.Gosched()
	}
	created := perOperation(begin, count)
	grown := residentBytes() - before
	close(gate)
	return fmt.Sprintf("%.1f %s", float64(grown)/float64(count), created)
}

func answer(request string) string {
	var key string
	var workers, count int
	if _, err := fmt.Sscan(request, &key, &workers, &count); err != nil {
		return "- not a request"
	}
	for _, s := range subjects {
		if s.key == key {
			if runtime.GOMAXPROCS(0) != workers {
				runtime.GOMAXPROCS(workers)
			}
			return s.sample(count)
		}
	}
	return "- no such subject"
}

// Fills out from in, a part on each processor.
func mapParts(in, out []uint64, part func(in, out []uint64)) {
	var group sync.WaitGroup
	parts := runtime.GOMAXPROCS(0)
	for p := 0; p < parts; p++ {
		from, to := len(in)*p/parts, len(in)*(p+1)/parts
		group.Add(1)
		go func() {
			part(in[from:to], out[from:to])
			group.Done()
		}()
	}
	group.Wait()
}

func numbers(count int) []uint64 {
	words := make([]uint64, count)
	for i := range words {
		words[i] = uint64(i)
	}
	return words
}

func mapCheap(count int) string {
	words := numbers(1000000)
	begin := time.Now()
	for done := 0; done < count; done += len(words) {
		out := make([]uint64, len(words))
		mapParts(words, out, func(in, out []uint64) {
			for i, x := range in {
				out[i] = 3*x + 1
			}
		})
	}
	return perOperation(begin, count)
}

func mapHeavy(count int) string {
	words, out := numbers(count), make([]uint64, count)
	begin := time.Now()
	mapParts(words, out, func(in, out []uint64) {
		for i, x := range in {
			for step := 0; step < 13000; step++ {
				x = (x ^ x>>31) * 6364136223846793005
			}
			out[i] = x
		}
	})
	return perOperation(begin, count)
}

func main() {
	var list strings.Builder
	for _, s := range subjects {
		fmt.Fprintf(&list, "%s\t1,2\t%d\t%s\n", s.key, s.count, s.name)
	}
	fmt.Println(list.String())
	requests := bufio.NewScanner(os.Stdin)
	for requests.Scan() {
		fmt.Println(answer(requests.Text()))
	}
}
