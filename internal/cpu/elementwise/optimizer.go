package elementwise

import (
	"sync"

	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/cpu/threads"
	"github.com/affine-go/affine/internal/kernel"
)

// updateGrain is the number of weights that one thread takes at a time: with
// the gradient and two moments, 256 kB of float32 in and as much out. These
// many take Adam about 8 µs on a 2.6 GHz Xeon; waking a thread takes 5.
const updateGrain = 16384

// Update makes a step of an optimizer, see [kernel.Rule].
func Update[T kernel.Float](w, g []T, m kernel.Moments[T], u *kernel.Update) {
	if len(w) <= updateGrain {
		update(w, g, m, u)
		return
	}
	task, ok := updatePool[T]().Get().(*updateTask[T])
	if !ok {
		task = new(updateTask[T])
	}
	task.w, task.g, task.m, task.u = w, g, m, *u
	for i, used := range u.Uses() {
		if !used {
			task.m[i] = nil
		}
	}
	threads.Run(len(w), updateGrain, task)
	*task = updateTask[T]{}
	updatePool[T]().Put(task)
}

// updateTask is an update for several threads. Tasks are kept and used again, so
// that a step allocates nothing.
type updateTask[T kernel.Float] struct {
	w, g []T
	m    kernel.Moments[T]
	u    kernel.Update
}

func (t *updateTask[T]) Run(lo, hi int) {
	m := t.m
	for i := range m {
		if m[i] != nil {
			m[i] = m[i][lo:hi]
		}
	}
	update(t.w[lo:hi], t.g[lo:hi], m, &t.u)
}

var updates32, updates64 sync.Pool

func updatePool[T kernel.Float]() *sync.Pool {
	if arch.Size[T]() == 4 {
		return &updates32
	}
	return &updates64
}

// updatesOf returns the updates of the set for element type T, or nil for plain
// Go.
func updatesOf[T kernel.Float](set arch.Set) *updateKernels[T] {
	if set == arch.Generic {
		return nil
	}
	var zero T
	if _, ok := any(zero).(float32); ok {
		return any(&updateKernels32[set]).(*updateKernels[T])
	}
	return any(&updateKernels64[set]).(*updateKernels[T])
}
