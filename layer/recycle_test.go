package layer

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
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

func (r *recycler) state() (bytes, free, inUse int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, class := range r.classes {
		free += len(class.free)
		inUse += class.inUse
	}
	return r.bytes, free, inUse
}

func TestRecyclerTakesBackWhatIsNotUsed(t *testing.T) {
	r := recycler{classes: map[int]*sizeClass{}, age: time.Hour}
	const size, count = 2 * recycledBytes, 10
	check := func(when string, wantBytes, wantFree, wantInUse int) {
		t.Helper()
		if bytes, free, inUse := r.state(); bytes != wantBytes || free != wantFree || inUse != wantInUse {
			t.Fatalf("%s: %d bytes, %d pieces free and %d in use; want %d, %d and %d", when, bytes, free, inUse, wantBytes, wantFree, wantInUse)
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
	collectGarbage(t, "all but one piece are free", func() bool { _, free, _ := r.state(); return free == count-1 })
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
	collectGarbage(t, "a piece is free again", func() bool { _, free, _ := r.state(); return free == 1 })
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

// Whoever holds a result, a view of it or its elements keeps what stands there,
// however often the machine runs and the garbage collector too.
func TestResultsOfEarlierRunsStay(t *testing.T) {
	const batch, in, out = 64, 96, 80
	g := gorgonia.NewGraph()
	matrix := func(name string, rows, cols int) *gorgonia.Node {
		return gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithName(name), gorgonia.WithShape(rows, cols))
	}
	x, w, dy := matrix("x", batch, in), matrix("w", in, out), matrix("dy", batch, out)
	b := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithName("b"), gorgonia.WithShape(out))
	y, err := Apply(x, w, b)
	if err != nil {
		t.Fatal(err)
	}
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{y}, gorgonia.Nodes{dy}, gorgonia.Nodes{x, w, b})
	if err != nil {
		t.Fatal(err)
	}
	vm := gorgonia.NewTapeMachine(g)
	defer vm.Close()

	fill := func(n *gorgonia.Node, v float32) {
		values := make([]float32, n.Shape().TotalSize())
		for i := range values {
			values[i] = v
		}
		if err := gorgonia.Let(n, tensor.New(tensor.WithShape(n.Shape()...), tensor.WithBacking(values))); err != nil {
			t.Fatal(err)
		}
	}
	type held struct {
		elements []float32
		want     float32
	}
	var all []held
	for run := range 60 {
		v := float32(run%7 + 1)
		fill(x, v)
		fill(w, 1)
		fill(b, 0)
		fill(dy, v)
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		// Of each run something else is held.
		switch run % 3 {
		case 0:
			all = append(all, held{y.Value().Data().([]float32), in * v})
		case 1:
			row, err := grads[0].Value().(*tensor.Dense).Slice(gorgonia.S(batch - 1))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, held{row.Data().([]float32), out * v})
		case 2:
			all = append(all, held{grads[1].Value().Data().([]float32)[5:6], batch * v * v})
		}
		vm.Reset()
		if run%10 == 9 {
			collectGarbage(t, "memory of a result is free", func() bool { _, free, _ := results.state(); return free > 0 })
		}
	}
	for i, h := range all {
		if at := slices.IndexFunc(h.elements, func(v float32) bool { return v != h.want }); at >= 0 {
			t.Fatalf("run %d: element %d is %v by now, want %v", i, at, h.elements[at], h.want)
		}
	}
}
