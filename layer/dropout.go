package layer

import (
	"fmt"
	"hash/fnv"
	"sync/atomic"

	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/layer/internal/autodiff"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Masks tells the [Dropout] ops that share it which masks to draw: those of a
// step, for a batch whose first row has a number. The same seed, step and row
// give the same mask, on any number of threads.
type Masks struct {
	id, seed  uint64
	step, row atomic.Uint64
}

var masksMade atomic.Uint64

// NewMasks returns masks of step 0.
func NewMasks(seed uint64) *Masks { return &Masks{id: masksMade.Add(1), seed: seed} }

// Set chooses the masks of the runs that follow: those of a step, and of rows
// from firstRow on, 0 unless a batch is computed in parts.
func (m *Masks) Set(step, firstRow int) {
	m.step.Store(uint64(step))
	m.row.Store(uint64(firstRow))
}

// Dropout adds the node
//
//	Y = X ⊙ M / (1 − p)
//
// for X [..., d] and a mask M that is 0 with probability p in [0, 1) and 1
// otherwise, of the same shape (Srivastava et al. 2014, "inverted"). Its
// gradient is dY ⊙ M / (1 − p). A machine in evaluation mode (vm.WithEvalMode,
// gorgonia.EvalMode) lets X through as it is.
//
// The masks are those of the step that masks.Set chose, so that two runs without
// a call of Set between them draw the same; in them each op has a stream of its
// own, which its name tells apart: that of [WithName] or the next free
// "dropout1", "dropout2", … in the graph. Leading dimensions count as rows. It
// takes [WithName] and [WithDevice]; only the processor computes it.
func Dropout(x *gorgonia.Node, p float64, masks *Masks, opts ...Option) (*gorgonia.Node, error) {
	n, err := dropout(x, p, masks, opts)
	if err != nil {
		return nil, fmt.Errorf("layer.Dropout: %w", err)
	}
	return n, nil
}

func dropout(x *gorgonia.Node, p float64, masks *Masks, opts []Option) (*gorgonia.Node, error) {
	o, err := collect(opts, []string{"WithName", "WithDevice"})
	if err != nil {
		return nil, err
	}
	if err := checkNodes([]string{"X"}, gorgonia.Nodes{x}); err != nil {
		return nil, err
	}
	switch {
	case masks == nil:
		return nil, fmt.Errorf("masks are nil, want those of NewMasks")
	case x.Dims() == 0:
		return nil, fmt.Errorf("X is a scalar, want at least one dimension")
	case !(p >= 0 && p < 1):
		return nil, fmt.Errorf("probability is %v, want at least 0 and less than 1", p)
	}
	for i := 1; o.name == ""; i++ {
		if name := fmt.Sprintf("dropout%d", i); len(x.Graph().ByName(name)) == 0 {
			o.name = name
		}
	}
	return addNode(newDropoutOp(o.name, x.Dims(), p, masks, o.dev), o.name, x)
}

// dropoutOp is Y = X ⊙ M / (1 − p), and its own gradient.
//
//	X [..., d]   Y [..., d]
type dropoutOp struct {
	derivedOp
	evaluates atomic.Bool
}

func newDropoutOp(name string, rank int, p float64, masks *Masks, dev device.Device) *dropoutOp {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", masks.seed, name)
	stream := h.Sum64()
	op := &dropoutOp{}
	mask := func() device.Dropout {
		if op.evaluates.Load() {
			return device.Dropout{}
		}
		return device.Dropout{P: p, Stream: stream, Step: masks.step.Load(), FirstRow: masks.row.Load()}
	}
	op.derivedOp = derivedOp{
		signature: signature{label: fmt.Sprintf("dropout(%v, %s, masks %d)", p, name, masks.id), ranks: []int{rank}, out: rank, dev: dev,
			float32: drop[float32](dev, mask), float64: drop[float64](dev, mask)},
		infer:       func(s []tensor.Shape) (tensor.Shape, error) { return s[0].Clone(), nil },
		derivatives: func() []*derivative { return []*derivative{{op, []operand{theGrad}}} },
	}
	return op
}

var (
	_ gorgonia.TrainModeOp    = &dropoutOp{}
	_ BufferedOp              = &dropoutOp{}
	_ autodiff.Differentiable = &dropoutOp{}
)

// SetTraining is how machines tell training from evaluation.
func (op *dropoutOp) SetTraining(trains bool) error {
	op.evaluates.Store(!trains)
	return nil
}

func drop[T device.Float](dev device.Device, mask func() device.Dropout) body {
	return func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
		x, err := rowsOf[T]("X", in[0])
		if err != nil {
			return nil, err
		}
		y, m, err := roomFor[T](dev, prev, in[0].Shape(), -1)
		if err != nil {
			return nil, err
		}
		return y, device.For[T](dev).Dropout(m, x, mask())
	}
}
