package recycle

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// collectGarbage runs the garbage collector until its finalizers, which are
// called some time later, have brought about what is awaited.
func collectGarbage(t *testing.T, what string, awaited func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !awaited(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("collecting garbage for 10 s does not bring about: %s", what)
		}
		runtime.GC()
	}
}

func TestRecyclerTakesBackWhatIsNotUsed(t *testing.T) {
	r := recycler{classes: map[int]*sizeClass{}, age: time.Hour}
	const size, count = 2 * recycledBytes, 10
	check := func(when string, wantBytes, wantFree, wantInUse int) {
		t.Helper()
		if got, want := r.state(), (State{wantBytes, wantFree, wantInUse}); got != want {
			t.Fatalf("%s: %+v, want %+v", when, got, want)
		}
	}
	take := func(n int) (pieces []*byte) {
		for range n {
			pieces = append(pieces, r.take(size))
		}
		return pieces
	}
	pieces := take(count)
	check("at first", count*size, 0, count)
	kept := pieces[0]
	runtime.KeepAlive(pieces)
	collectGarbage(t, "all but one piece are free", func() bool { return r.state().Free == count-1 })
	check("after a collection", count*size, count-1, 1)
	again := take(count - 1)
	if slices.Contains(again, kept) {
		t.Fatal("got memory that is in use")
	}
	check("taken again", count*size, 0, count)
	runtime.KeepAlive(again)
	runtime.KeepAlive(kept)

	// What nobody asks for goes back to the garbage collector.
	r.mu.Lock()
	r.age = 0
	r.mu.Unlock()
	collectGarbage(t, "nothing is looked after", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.bytes == 0 && len(r.classes) == 0 && !r.watched
	})
	r.age = time.Hour
	r.take(size) // it begins anew
	collectGarbage(t, "a piece is free again", func() bool { return r.state().Free == 1 })
}

func TestRecyclerHasLimits(t *testing.T) {
	r := recycler{classes: map[int]*sizeClass{}}
	if r.take(recycledBytes-1) != nil {
		t.Error("recycles what is small")
	}
	if r.take(recyclerLimit+1) != nil {
		t.Error("recycles more than its limit at once")
	}
	a, b := r.take(recyclerLimit/2), r.take(recyclerLimit/2)
	if a == nil || b == nil || r.take(recycledBytes) != nil {
		t.Error("does not recycle up to its limit and no more")
	}
	runtime.KeepAlive(a)
	runtime.KeepAlive(b)
}

func TestPoisonedMemoryHoldsNaN(t *testing.T) {
	restore := Poison()
	for _, n := range []int{0, 1, 1000, recycledBytes} {
		if at := slices.IndexFunc(Slice[float32](n), func(v float32) bool { return v == v }); at >= 0 {
			t.Errorf("element %d of %d is a number", at, n)
		}
		if at := slices.IndexFunc(Slice[float64](n), func(v float64) bool { return v == v }); at >= 0 {
			t.Errorf("element %d of %d is a number in float64", at, n)
		}
	}
	// What comes back is poisoned too.
	r := recycler{classes: map[int]*sizeClass{}, age: time.Hour}
	r.poisoned.Store(true)
	clear(unsafe.Slice(r.take(recycledBytes), recycledBytes))
	collectGarbage(t, "the piece is free", func() bool { return r.state().Free == 1 })
	back := r.take(recycledBytes)
	if at := slices.IndexFunc(unsafe.Slice(back, recycledBytes), func(b byte) bool { return b != 0xff }); at >= 0 {
		t.Errorf("byte %d of a piece that came back is not poisoned", at)
	}
	runtime.KeepAlive(back)
	restore()
	if !slices.Equal(Slice[float32](3), make([]float32, 3)) {
		t.Error("fresh memory is poisoned after all")
	}
}

// TestSwitches runs itself in a process of its own for each setting.
func TestSwitches(t *testing.T) {
	const size = 2 * recycledBytes
	if os.Getenv("RECYCLE_TEST_CHILD") != "" {
		held := Slice[float32](size / 4)
		println("in use:", Now().InUse)
		runtime.KeepAlive(held)
		return
	}
	for setting, want := range map[string]string{"AFFINE_RECYCLE=on": "in use: 1", "AFFINE_RECYCLE=off": "in use: 0", "GOGC=off": "in use: 0"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSwitches$")
		cmd.Env = append(os.Environ(), "RECYCLE_TEST_CHILD=1", setting)
		text, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, %q, want %q", setting, err, text, want)
		}
	}
}
