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

// group is a launch of updates in a step. The learnables that follow the last one
// at once, with the same numbers, join it.
type group struct {
	at    int // its place in the work of the step
	count int
	last  update
	words []int64
}

// learnable is an entry of a group's words.
type learnable []int64

func (g *group) learnable(i int) learnable { return g.words[updateHead+updateWords*i:][:updateWords] }

func (l learnable) n() int { return int(l[0]) }

// memory returns the address of the weights, the gradient or a moment.
func (l learnable) memory(role int) uint64 { return uint64(l[1+role]) }

// takes reports whether u can join.
func (g *group) takes(u *update) bool {
	return g.count < groupSize && g.last.point == u.point && g.last.typed == u.typed &&
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
		if last := len(s.updates) - 1; last >= 0 {
			if g := &s.updates[last]; g.at == len(s.work)-1 && g.takes(&u) {
				g.count++
				u.entry(g.learnable(g.count - 1))
				w := &s.work[g.at]
				w.GridX, w.GridY = max(w.GridX, uint64(blocks)), uint64(g.count)
				return c.end()
			}
		}
		if words, addr, ok := s.pass(updateHead + updateWords*groupSize); ok {
			u.head(words)
			u.entry(words[updateHead:])
			s.updates = append(s.updates, group{at: len(s.work), count: 1, last: u, words: words})
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

// memoryOf places weights, gradient and moments, nil for moments that are not
// used. The gradient is written to only where zero is set.
func memoryOf[T kernel.Float](c *call, w, g []T, moments kernel.Moments[T], zero bool) (memory [5]uint64) {
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

// Flags of the kernels, as in kernels/optimizer.cu.
const (
	flagZeroGrad = 1 << iota
	flagMaximize
	flagNesterov
	flagFirst
	flagEpsInRoot
)

// flags adds up those that are set.
func flags(u *kernel.Update) (f uint64) {
	for _, flag := range [...]struct {
		set  bool
		flag uint64
	}{
		{u.ZeroGrad, flagZeroGrad}, {u.Maximize, flagMaximize}, {u.Nesterov, flagNesterov},
		{u.Rule == kernel.SGD && u.Step == 1, flagFirst}, {u.EpsInRoot, flagEpsInRoot},
	} {
		if flag.set {
			f |= flag.flag
		}
	}
	return f
}

// optimizers are the kernels of the rules, which are called as these.
var optimizers = func() map[kernel.Rule]entry {
	all := map[kernel.Rule]entry{}
	for _, rule := range kernel.Rules() {
		all[rule] = entryPoint("optimizer", rule.String())
	}
	return all
}()

// Update makes a step of an optimizer. The arguments of a rule's kernel are those
// of its scalars that are constant, and the flags.
func (k Kernels[T]) Update(w, g []T, moments kernel.Moments[T], u *kernel.Update) error {
	c, err := k.device.begin()
	if err != nil || len(w) == 0 {
		return c.nothing(err)
	}
	for i, used := range u.Uses() {
		if !used {
			moments[i] = nil
		}
	}
	s := u.Scalars()
	launch := update{point: optimizers[u.Rule], typed: typeOf[T](), scalars: s.Changing, n: len(w), memory: memoryOf(c, w, g, moments, u.ZeroGrad)}
	for i := range s.Constants {
		launch.constants[i] = float(s.Constant[i])
	}
	launch.constants[s.Constants] = flags(u)
	return c.update(launch)
}
