package vm

import (
	"fmt"
	"math"

	"github.com/affine-go/affine/internal/cpu"
	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// matchSoftmax recognises gorgonia.SoftMax and LogSoftMax along the last
// dimension, and their gradients, which get (Z, Y, dY). A shape that ends in 1
// stays with Gorgonia, which takes another dimension for some of these.
func (f *fusion) matchSoftmax(n *gorgonia.Node) *part {
	name, text := builtin(n)
	shape := n.Shape()
	if !isFloat(n) || n.IsScalar() || shape.TotalSize() < smallTensor || shape[len(shape)-1] == 1 {
		return nil
	}
	c := &softmax{shape: shape, classes: shape[len(shape)-1]}
	inputs := f.args[n]
	format := "Softmax{%d, %t}()"
	if name == "softmaxDiffOp" {
		format, c.backward, inputs = "SoftmaxDiff{%d, %t}()", true, inputs[1:]
	} else if name != "softmaxOp" {
		return nil
	}
	var axis int
	if _, err := fmt.Sscanf(text, format, &axis, &c.log); err != nil || axis != -1 && axis != len(shape)-1 {
		return nil
	}
	for _, in := range inputs {
		if !in.Shape().Eq(shape) {
			return nil
		}
	}
	what := "softmax"
	if c.log {
		what = "the logarithm of softmax"
	}
	if c.backward {
		what = "the gradient of " + what
	}
	return &part{outputs: gorgonia.Nodes{n}, inputs: inputs, what: what, make: func() computation { return c }}
}

// softmax computes, for each row of so many classes,
//
//	y = softmax(z), or log softmax(z)
//	dz = y ⊙ (dy − Σ y ⊙ dy), or dy − softmax(z)·Σ dy
type softmax struct {
	shape         tensor.Shape
	classes       int
	log, backward bool
}

func (c *softmax) keeps() bool { return true }

func (c *softmax) compute(results, args []gorgonia.Value) error {
	switch args[0].Dtype() {
	case tensor.Float32:
		return runSoftmax[float32](c, results, args)
	case tensor.Float64:
		return runSoftmax[float64](c, results, args)
	}
	return otherDtype(args[0])
}

func runSoftmax[T device.Float](c *softmax, results, args []gorgonia.Value) error {
	var in [2][]T // z, or y and dy
	for i, v := range args {
		x, err := contiguous[T](v)
		if err != nil {
			return err
		}
		if len(x) != c.shape.TotalSize() {
			return fmt.Errorf("argument %d has shape %v, want %v", i, v.Shape(), c.shape)
		}
		in[i] = x
	}
	t, out := roomFor[T](results[0], c.shape)
	results[0] = t
	rows := len(out) / c.classes
	if c.log || !c.backward {
		// The softmax of a logarithm of a softmax is that softmax.
		k, err := kernels[T]()
		if err != nil {
			return err
		}
		if err := k.Softmax(device.MatrixOf(out, rows, c.classes), device.MatrixOf(in[0], rows, c.classes)); err != nil {
			return err
		}
		if !c.backward && !c.log {
			return nil
		}
	}
	if len(out) < 2*elementsOfPart {
		softmaxRows(c, out, in)
		return nil
	}
	cpu.Parallel(rows, max(1, elementsOfPart/c.classes), func(lo, hi int) {
		part := in
		for i, x := range part {
			if x != nil {
				part[i] = x[lo*c.classes : hi*c.classes]
			}
		}
		softmaxRows(c, out[lo*c.classes:hi*c.classes], part)
	})
	return nil
}

// softmaxRows does the rest of some rows, after their softmax has been put into
// out if it is needed.
func softmaxRows[T device.Float](c *softmax, out []T, in [2][]T) {
	for ; len(out) > 0; out = out[c.classes:] {
		row, x := out[:c.classes], in[0][:c.classes]
		in[0] = in[0][c.classes:]
		if !c.backward {
			logOfSoftmax(row, x)
			continue
		}
		dy := in[1][:c.classes]
		in[1] = in[1][c.classes:]
		sum := 0.0
		if c.log {
			for _, d := range dy {
				sum += float64(d)
			}
			s := T(sum)
			for j, d := range dy {
				row[j] = d - row[j]*s
			}
			continue
		}
		for j, d := range dy {
			sum += float64(x[j]) * float64(d)
		}
		s := T(sum)
		for j, d := range dy {
			row[j] = x[j] * (d - s)
		}
	}
}

// logOfSoftmax turns the softmax of z into its logarithm. With m the largest z,
// whose softmax is 1/Σ exp(z − m), that is z − m + log softmax(m).
func logOfSoftmax[T device.Float](y, z []T) {
	largest := 0
	for j, x := range z {
		if x > z[largest] || x != x {
			largest = j
		}
	}
	m, l := z[largest], T(math.Log(float64(y[largest])))
	for j, x := range z {
		y[j] = x - m + l
	}
}
