//go:build gpu

package cuda

import (
	"math"

	"github.com/affine-go/affine/internal/kernel"
)

// update is one learnable's part in a launch of an optimizer's kernel; see
// kernels/optimizer.cu.
type update struct {
	point     entry
	typed     typed
	scalars   [3]float64 // may change from step to step
	constants [5]uint64  // are arguments of the kernel
	n         int
	memory    [5]uint64 // weights, gradient, moments
}

const (
	updateHead  = 4 // words before the learnables
	updateWords = 6 // words of each
	// groupSize is how many learnables share a launch.
	groupSize = 32
)

// group is the launch that the last update of a step belongs to. The learnables
// that follow at once, with the same numbers, join it.
type group struct {
	at    int // its place in the work of the step; 0 for none
	count int
	last  update
	words []int64
}

// takes reports whether u can join.
func (g *group) takes(u *update) bool {
	return g.at > 0 && g.count < groupSize && g.last.point == u.point && g.last.typed == u.typed &&
		g.last.scalars == u.scalars && g.last.constants == u.constants
}

func (u *update) head(words []int64) {
	for i, s := range u.scalars {
		words[i] = int64(math.Float64bits(s))
	}
}

func (u *update) entry(words []int64) {
	words[0] = int64(u.n)
	for i, addr := range u.memory {
		words[1+i] = int64(addr)
	}
}

// update adds u to the call or, within a step, to the launch before it.
func (c *call) update(u update) error {
	d := c.d
	// A learnable need not fill the card alone: the others run beside it.
	blocks := min(d.blocks(u.n), 2*d.processors)
	s := &d.steps
	if s.active && !c.host {
		g := &s.group
		if g.at == len(s.work)-1 && g.takes(&u) {
			u.entry(g.words[updateHead+updateWords*g.count:])
			g.count++
			w := &s.work[g.at]
			w.GridX, w.GridY = max(w.GridX, uint64(blocks)), uint64(g.count)
			return c.end()
		}
		if words, addr, ok := s.pass(updateHead + updateWords*groupSize); ok {
			u.head(words)
			u.entry(words[updateHead:])
			*g = group{at: len(s.work), count: 1, last: u, words: words}
			c.launchUpdate(u, addr, blocks)
			return c.end()
		}
	}
	c.host = true // the words in pinned memory are free again when the call has ended
	u.head(d.words)
	u.entry(d.words[updateHead:])
	c.launchUpdate(u, uint64(addressOfWords(d.words)), blocks)
	return c.end()
}

func (c *call) launchUpdate(u update, data uint64, blocks int) {
	args := [1 + len(u.constants)]uint64{data}
	copy(args[1:], u.constants[:])
	c.launch(u.point, u.typed, blocks, 1, args[:]...)
}

// learnable places weights, gradient and moments, nil for moments that are not
// used. The gradient is written to only where zero is set.
func learnable[T kernel.Float](c *call, w, g []T, zero bool, moments ...[]T) (memory [5]uint64) {
	memory[0] = inout(c, row(w)).addr
	if zero {
		memory[1] = inout(c, row(g)).addr
	} else {
		memory[1] = input(c, row(g)).addr
	}
	for i, m := range moments {
		if m != nil {
			memory[2+i] = inout(c, row(m)).addr
		}
	}
	return memory
}

// used returns m, or nil where it is not used.
func used[T kernel.Float](m []T, used bool) []T {
	if !used {
		return nil
	}
	return m
}

// Flags of the kernels, as in kernels/optimizer.cu.
const (
	flagZeroGrad = 1 << iota
	flagMaximize
	flagNesterov
	flagFirst
	flagEpsInRoot
)

// flags adds up those that are set.
func flags(zeroGrad, maximize bool, others ...uint64) (f uint64) {
	if zeroGrad {
		f |= flagZeroGrad
	}
	if maximize {
		f |= flagMaximize
	}
	for _, o := range others {
		f |= o
	}
	return f
}

// when returns the flag if it is set.
func when(set bool, flag uint64) uint64 {
	if set {
		return flag
	}
	return 0
}

// step updates w by what u says, whose place in memory is still to be found.
func step[T kernel.Float](k Kernels[T], u update, zeroGrad bool, w, g []T, moments ...[]T) error {
	c, err := k.device.begin()
	if err != nil || len(w) == 0 {
		return c.nothing(err)
	}
	u.typed, u.n, u.memory = typeOf[T](), len(w), learnable(c, w, g, zeroGrad, moments...)
	return c.update(u)
}

// SGD updates w by one step.
func (k Kernels[T]) SGD(w, g, momentum []T, s kernel.SGDStep) error {
	return step(k, update{point: kSGD, scalars: [3]float64{s.LR},
		constants: [5]uint64{float(s.Momentum), float(1 - s.Dampening), float(s.WeightDecay),
			flags(s.ZeroGrad, s.Maximize, when(s.Nesterov, flagNesterov), when(s.First, flagFirst))}},
		s.ZeroGrad, w, g, used(momentum, s.Momentum != 0))
}

// Adam updates w by one step.
func (k Kernels[T]) Adam(w, g, m, v, vmax []T, s kernel.AdamStep) error {
	t := float64(s.Step)
	rate, root := s.LR/(1-math.Pow(s.Beta1, t)), math.Sqrt(1-math.Pow(s.Beta2, t))
	decay, keep := s.WeightDecay, 1.0
	if s.Decoupled {
		decay, keep = 0, 1-s.LR*s.WeightDecay
	}
	return step(k, update{point: kAdam, scalars: [3]float64{rate, root, keep},
		constants: [5]uint64{float(s.Beta1), float(s.Beta2), float(s.Eps), float(decay), flags(s.ZeroGrad, s.Maximize)}},
		s.ZeroGrad, w, g, m, v, used(vmax, s.AMSGrad))
}

// RMSprop updates w by one step.
func (k Kernels[T]) RMSprop(w, g, square, momentum, mean []T, s kernel.RMSpropStep) error {
	return step(k, update{point: kRMSprop, scalars: [3]float64{s.LR},
		constants: [5]uint64{float(s.Alpha), float(s.Eps), float(s.WeightDecay), float(s.Momentum),
			flags(s.ZeroGrad, s.Maximize, when(s.EpsInRoot, flagEpsInRoot))}},
		s.ZeroGrad, w, g, square, used(momentum, s.Momentum > 0), used(mean, s.Centered))
}

// Adagrad updates w by one step.
func (k Kernels[T]) Adagrad(w, g, sum []T, s kernel.AdagradStep) error {
	return step(k, update{point: kAdagrad, scalars: [3]float64{s.LR / (1 + float64(s.Step-1)*s.LRDecay)},
		constants: [5]uint64{float(s.WeightDecay), float(s.Eps), flags(s.ZeroGrad, s.Maximize)}}, s.ZeroGrad, w, g, sum)
}

// Lion updates w by one step.
func (k Kernels[T]) Lion(w, g, m []T, s kernel.LionStep) error {
	return step(k, update{point: kLion, scalars: [3]float64{s.LR, 1 - s.LR*s.WeightDecay},
		constants: [5]uint64{float(s.Beta1), float(s.Beta2), flags(s.ZeroGrad, s.Maximize)}}, s.ZeroGrad, w, g, m)
}
