package layer

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// collectGarbage runs the garbage collector until the finalizers that it found have
// been called.
func collectGarbage(t *testing.T) {
	t.Helper()
	done := make(chan struct{})
	runtime.SetFinalizer(new(collection), func(*collection) { close(done) })
	runtime.GC()
	select {
	case <-done: // finalizers are called one after the other, in any order
		time.Sleep(10 * time.Millisecond)
	case <-time.After(10 * time.Second):
		t.Fatal("the finalizers were not called within 10 s")
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
	r := recycler{classes: map[int]*sizeClass{}}
	const size = 2 * recycledBytes
	kept := r.take(size)
	for range 9 {
		r.take(size)
	}
	if bytes, _, inUse := r.state(); bytes != 10*size || inUse != 10 {
		t.Fatalf("looks after %d bytes, %d pieces in use; want %d and 10", bytes, inUse, 10*size)
	}
	collectGarbage(t)
	if bytes, free, inUse := r.state(); bytes != 10*size || free != 9 || inUse != 1 {
		t.Fatalf("after a collection: %d bytes, %d pieces free and %d in use; want %d, 9 and 1", bytes, free, inUse, 10*size)
	}
	for range 9 {
		if p := r.take(size); p == kept {
			t.Fatal("got memory that is in use")
		}
	}
	if bytes, free, _ := r.state(); bytes != 10*size || free != 0 {
		t.Fatalf("after 9 pieces were taken again: %d bytes, %d pieces free; want %d and 0", bytes, free, 10*size)
	}
	runtime.KeepAlive(kept)

	// What nobody asks for goes back to the garbage collector.
	for range 3 {
		collectGarbage(t)
	}
	if bytes, free, inUse := r.state(); bytes != 0 || free != 0 || inUse != 0 || len(r.classes) != 0 || r.watched {
		t.Fatalf("without use: %d bytes, %d pieces free and %d in use, %d sizes, watched %v; want nothing", bytes, free, inUse, len(r.classes), r.watched)
	}
	r.take(size) // it begins anew
	collectGarbage(t)
	if _, free, _ := r.state(); free != 1 {
		t.Fatalf("after a new beginning: %d pieces free, want 1", free)
	}
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
			collectGarbage(t)
		}
	}
	for i, h := range all {
		if at := slices.IndexFunc(h.elements, func(v float32) bool { return v != h.want }); at >= 0 {
			t.Fatalf("run %d: element %d is %v by now, want %v", i, at, h.elements[at], h.want)
		}
	}
	if _, free, _ := results.state(); free == 0 {
		t.Error("nothing was recycled, the test shows nothing")
	}
}
