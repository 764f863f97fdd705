//go:build gpu

package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The cases, in float32. pytorch.py has the same under the same names.
var linears = []struct{ rows, in, out int }{{128, 784, 512}, {1024, 1024, 1024}, {4096, 4096, 4096}}

var mlps = []struct {
	rows int
	dims []int
}{{32, []int{2, 16, 16, 2}}, {128, []int{784, 512, 256, 10}}}

// mlps predicts the steps of models.
func (b *bench) mlps() error {
	for _, c := range mlps {
		if err := b.mlp(c.rows, c.dims, "highest"); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) all() error {
	for _, precision := range []string{"highest", "high", "medium"} {
		if err := b.device.(device.PrecisionSetter).SetMatmulPrecision(precision); err != nil {
			return err
		}
		for _, c := range linears {
			if err := b.linear(c.rows, c.in, c.out, precision); err != nil {
				return err
			}
		}
		for _, c := range mlps {
			if err := b.mlp(c.rows, c.dims, precision); err != nil {
				return err
			}
		}
	}
	return nil
}

// linear is Y = X·W + b and all three gradients.
func (b *bench) linear(rows, in, out int, precision string) error {
	k := b.device.Float32()
	rng := rand.New(rand.NewPCG(1, 2))
	var err error
	matrix := func(rows, cols int) device.Matrix[float32] {
		data, failed := k.Alloc(rows * cols)
		if failed != nil {
			err = failed
		}
		for i := range data {
			data[i] = float32(rng.NormFloat64())
		}
		return device.MatrixOf(data, rows, cols)
	}
	x, w, bias, y, dy := matrix(rows, in), matrix(in, out), matrix(1, out), matrix(rows, out), matrix(rows, out)
	dx, dw, db := matrix(rows, in), matrix(in, out), matrix(1, out)
	if err != nil {
		return err
	}
	var none device.Matrix[float32]
	name := fmt.Sprintf("linear %d×%d×%d, %s", rows, in, out, precision)
	err = b.measure(name, 6*float64(rows)*float64(in)*float64(out), counts{}, func() error {
		if err := k.Linear(y, none, x, w, bias.Data, device.Activation{}); err != nil {
			return err
		}
		return k.LinearBackward(dx, dw, db.Data, x, w, dy, none, device.Activation{})
	})
	for _, m := range []device.Matrix[float32]{x, w, bias, y, dy, dx, dw, db} {
		k.Free(m.Data)
	}
	return err
}

// mlp is a whole training step: forward, backward, Adam.
func (b *bench) mlp(rows int, dims []int, precision string) error {
	g := gorgonia.NewGraph()
	rng := rand.New(rand.NewPCG(1, 2))
	input := func(name string, cols int) (*gorgonia.Node, error) {
		data, err := b.device.Float32().Alloc(rows * cols)
		if err != nil {
			return nil, err
		}
		for i := range data {
			if data[i] = float32(rng.NormFloat64()); name == "targets" {
				data[i] = 0
				if i%cols == i/cols%cols {
					data[i] = 1
				}
			}
		}
		v := tensor.New(tensor.WithShape(rows, cols), tensor.WithBacking(data))
		return gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(rows, cols), gorgonia.WithName(name), gorgonia.WithValue(v)), nil
	}
	h, err := input("x", dims[0])
	if err != nil {
		return err
	}
	last := len(dims) - 1
	targets, err := input("targets", dims[last])
	if err != nil {
		return err
	}
	var learnables gorgonia.Nodes
	for i, out := range dims[1:] {
		opts := []layer.Option{layer.WithDevice(b.device), layer.WithDtype(tensor.Float32), layer.WithName(fmt.Sprint("linear", i))}
		if i == 0 {
			opts = append(opts, layer.WithoutInputGrad())
		}
		if i+1 < last {
			opts = append(opts, layer.WithActivation(layer.ReLU))
		}
		l, err := layer.NewLinear(g, dims[i], out, opts...)
		if err != nil {
			return err
		}
		if h, err = l.Fwd(h); err != nil {
			return err
		}
		learnables = append(learnables, l.Learnables()...)
	}
	loss, err := layer.SoftmaxCrossEntropy(h, targets, layer.WithDevice(b.device))
	if err != nil {
		return err
	}
	grads, err := gorgonia.Grad(loss, learnables...)
	if err != nil {
		return err
	}
	params, err := vm.NewParams(learnables, grads)
	if err != nil {
		return err
	}
	m, err := vm.New(g, vm.WithOutputs(loss), vm.WithOutputs(params.Gradients()...))
	if err != nil {
		return err
	}
	optimizer, err := optim.NewAdam(optim.WithDevice(b.device))
	if err != nil {
		return err
	}
	step := func() error {
		if err := m.RunAll(); err != nil {
			return err
		}
		return optimizer.Step(params.ValueGrads())
	}
	if err := step(); err != nil { // allocates
		return err
	}
	flops := 0.0
	// Adam reads four numbers of a weight and writes three, its gradient is written
	// once, and the products read the weight three times; an activation and its
	// gradient are each written once and read twice.
	c := counts{layers: last, bytes: 6 * 4 * float64(rows*dims[0])}
	name := fmt.Sprint("step of MLP ", dims[0])
	for i, out := range dims[1:] {
		products := 6.0
		if i == 0 {
			products = 4
		}
		c.bytes += 4 * (11*float64((dims[i]+1)*out) + 6*float64(rows*out))
		flops += products * float64(rows) * float64(dims[i]) * float64(out)
		name += fmt.Sprint("-", out)
	}
	return b.measure(fmt.Sprintf("%s, batch %d, Adam, %s", name, rows, precision), flops, c, step)
}
