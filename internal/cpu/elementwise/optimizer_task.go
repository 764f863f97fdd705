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

// rule names an optimizer.
type rule uint8

const (
	sgdRule rule = iota
	adamRule
	rmspropRule
	adagradRule
	lionRule
)

// update is one step of an optimizer on one tensor of weights, as a task for
// threads. Updates are kept and used again, so that a step allocates nothing.
type update[T kernel.Float] struct {
	w, g    []T
	moments [3][]T
	rule    rule
	sgd     kernel.SGDStep
	adam    kernel.AdamStep
	rmsprop kernel.RMSpropStep
	adagrad kernel.AdagradStep
	lion    kernel.LionStep
}

var updates32, updates64 sync.Pool

func updatePool[T kernel.Float]() *sync.Pool {
	if arch.Size[T]() == 4 {
		return &updates32
	}
	return &updates64
}

func newUpdate[T kernel.Float](w, g, a, b, c []T) *update[T] {
	u, ok := updatePool[T]().Get().(*update[T])
	if !ok {
		u = new(update[T])
	}
	u.w, u.g, u.moments = w, g, [3][]T{a, b, c}
	return u
}

// do makes the update on as many threads as it is worth.
func (u *update[T]) do() {
	threads.Run(len(u.w), updateGrain, u)
	u.w, u.g, u.moments = nil, nil, [3][]T{}
	updatePool[T]().Put(u)
}

func (u *update[T]) Run(lo, hi int) {
	w, g := u.w[lo:hi], u.g[lo:hi]
	m := u.moments
	for i := range m {
		if m[i] != nil {
			m[i] = m[i][lo:hi]
		}
	}
	switch u.rule {
	case sgdRule:
		sgd(w, g, m[0], u.sgd)
	case adamRule:
		adam(w, g, m[0], m[1], m[2], u.adam)
	case rmspropRule:
		rmsprop(w, g, m[0], m[1], m[2], u.rmsprop)
	case adagradRule:
		adagrad(w, g, m[0], u.adagrad)
	case lionRule:
		lion(w, g, m[0], u.lion)
	}
}
