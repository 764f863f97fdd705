package layer

import (
	"fmt"
	"math"

	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Builtin adds the same function as [Apply], Y = act(X·W + b), made of
// Gorgonia's built-in ops, with their gradients: the twin that the fused op is
// compared with. Values and gradients agree up to rounding.
//
// The product is Mul, the bias BroadcastAdd. Gorgonia has no GELU and no error
// function, so GELU becomes a graph of some hundred elementwise nodes.
func Builtin(x, w, b *gorgonia.Node, opts ...Option) (*gorgonia.Node, error) {
	y, err := builtin(x, w, b, opts)
	if err != nil {
		return nil, fmt.Errorf("layer.Builtin: %w", err)
	}
	return y, nil
}

func builtin(x, w, b *gorgonia.Node, opts []Option) (*gorgonia.Node, error) {
	o, err := collect(opts)
	if err != nil {
		return nil, err
	}
	if _, err := linearNodes(x, w, b); err != nil {
		return nil, err
	}
	e := expression{dtype: x.Dtype()}
	shape := x.Shape().Clone()
	rows, cols := flat(shape)
	flatX := x
	if len(shape) != 2 {
		flatX = e.do(gorgonia.Reshape(x, tensor.Shape{rows, cols}))
	}
	y := e.binary(gorgonia.Mul, flatX, w)
	if b != nil {
		y = e.addRows(y, b)
	}
	y = e.activation(y, o.act)
	if len(shape) != 2 && e.err == nil {
		shape[len(shape)-1] = w.Shape()[1]
		y = e.do(gorgonia.Reshape(y, shape))
	}
	if e.err == nil && o.name != "" {
		gorgonia.WithName(o.name)(y)
	}
	return y, e.err
}

// BuiltinSoftmaxCrossEntropy is [SoftmaxCrossEntropy] made of Gorgonia's
// built-in ops.
func BuiltinSoftmaxCrossEntropy(logits, targets *gorgonia.Node) (*gorgonia.Node, error) {
	return builtinLoss(softmaxCrossEntropy, logits, targets, func(e *expression) *gorgonia.Node {
		rows, cols := flat(logits.Shape())
		z, t := logits, targets
		if logits.Dims() != 2 {
			z = e.do(gorgonia.Reshape(z, tensor.Shape{rows, cols}))
			t = e.do(gorgonia.Reshape(t, tensor.Shape{rows, cols}))
		}
		logSoftmax := e.do(gorgonia.LogSoftMax(z, 1))
		// The mean over all elements is 1/cols of the mean over rows.
		return e.scaled(e.mean(e.binary(gorgonia.HadamardProd, logSoftmax, t)), -float64(cols))
	})
}

// BuiltinMSE is [MSE] made of Gorgonia's built-in ops.
func BuiltinMSE(pred, target *gorgonia.Node) (*gorgonia.Node, error) {
	return builtinLoss(meanSquaredError, pred, target, func(e *expression) *gorgonia.Node {
		return e.mean(e.unary(gorgonia.Square, e.binary(gorgonia.Sub, pred, target)))
	})
}

// BuiltinBinaryCrossEntropy is [BinaryCrossEntropy] made of Gorgonia's built-in ops.
func BuiltinBinaryCrossEntropy(logits, targets *gorgonia.Node) (*gorgonia.Node, error) {
	return builtinLoss(binaryCrossEntropy, logits, targets, func(e *expression) *gorgonia.Node {
		positive := e.activation(logits, ReLU)
		linear := e.binary(gorgonia.Sub, positive, e.binary(gorgonia.HadamardProd, logits, targets))
		tail := e.unary(gorgonia.Log1p, e.unary(gorgonia.Exp, e.scaled(e.unary(gorgonia.Abs, logits), -1)))
		return e.mean(e.binary(gorgonia.Add, linear, tail))
	})
}

func builtinLoss(kind lossKind, pred, target *gorgonia.Node, build func(*expression) *gorgonia.Node) (*gorgonia.Node, error) {
	err := checkLossNodes(kind, pred, target)
	if err == nil {
		e := expression{dtype: pred.Dtype()}
		l := build(&e)
		if e.err == nil {
			return l, nil
		}
		err = e.err
	}
	return nil, fmt.Errorf("layer: built-in %v: %w", kind, err)
}

// expression builds nodes one after the other and remembers the first error,
// after which it does nothing any more.
type expression struct {
	dtype tensor.Dtype
	err   error
}

func (e *expression) do(n *gorgonia.Node, err error) *gorgonia.Node {
	if e.err == nil {
		e.err = err
	}
	return n
}

func (e *expression) unary(f func(*gorgonia.Node) (*gorgonia.Node, error), a *gorgonia.Node) *gorgonia.Node {
	if e.err != nil {
		return nil
	}
	return e.do(f(a))
}

func (e *expression) binary(f func(a, b *gorgonia.Node) (*gorgonia.Node, error), a, b *gorgonia.Node) *gorgonia.Node {
	if e.err != nil {
		return nil
	}
	return e.do(f(a, b))
}

// constant is a scalar of the expression's dtype. Gorgonia takes constants of
// one name for the same, so the name carries the dtype.
func (e *expression) constant(v float64) *gorgonia.Node {
	if e.dtype == tensor.Float32 {
		return gorgonia.NewConstant(float32(v), gorgonia.WithName(fmt.Sprintf("%vf32", float32(v))))
	}
	return gorgonia.NewConstant(v, gorgonia.WithName(fmt.Sprintf("%vf64", v)))
}

func (e *expression) scaled(a *gorgonia.Node, factor float64) *gorgonia.Node {
	return e.binary(gorgonia.HadamardProd, a, e.constant(factor))
}

// shifted is a + v.
func (e *expression) shifted(a *gorgonia.Node, v float64) *gorgonia.Node {
	return e.binary(gorgonia.Add, a, e.constant(v))
}

func (e *expression) mean(a *gorgonia.Node) *gorgonia.Node {
	return e.unary(func(a *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.Mean(a) }, a)
}

// addRows adds the vector b to every row of y.
func (e *expression) addRows(y, b *gorgonia.Node) *gorgonia.Node {
	return e.binary(func(y, b *gorgonia.Node) (*gorgonia.Node, error) {
		return gorgonia.BroadcastAdd(y, b, nil, []byte{0})
	}, y, b)
}

// positive is 1 where z > 0 and 0 elsewhere. Gorgonia's Rectify and LeakyRelu
// take z ≥ 0, which makes the derivative at 0 another one than the fused op's
// and PyTorch's.
func (e *expression) positive(z *gorgonia.Node) *gorgonia.Node {
	return e.binary(func(z, zero *gorgonia.Node) (*gorgonia.Node, error) {
		return gorgonia.Gt(z, zero, true)
	}, z, e.constant(0))
}

func (e *expression) activation(z *gorgonia.Node, act Activation) *gorgonia.Node {
	switch act.spec.Kind {
	case device.ReLU:
		return e.binary(gorgonia.HadamardProd, z, e.positive(z))
	case device.LeakyReLU:
		// z ⊙ (α + (1−α)·[z > 0])
		slope := e.shifted(e.scaled(e.positive(z), 1-act.spec.Alpha), act.spec.Alpha)
		return e.binary(gorgonia.HadamardProd, z, slope)
	case device.Tanh:
		return e.unary(gorgonia.Tanh, z)
	case device.Sigmoid:
		return e.unary(gorgonia.Sigmoid, z)
	case device.GELU:
		return e.binary(gorgonia.HadamardProd, z, e.normalCDF(z))
	case device.SiLU:
		return e.binary(gorgonia.HadamardProd, z, e.unary(gorgonia.Sigmoid, z))
	}
	return z
}

// normalCDF is Φ(z) = q + [z > 0]·(1 − 2q) with q = erfc(|z|/√2)/2.
func (e *expression) normalCDF(z *gorgonia.Node) *gorgonia.Node {
	q := e.scaled(e.erfc(e.scaled(e.unary(gorgonia.Abs, z), math.Sqrt2/2)), 0.5)
	upper := e.binary(gorgonia.HadamardProd, e.positive(z), e.shifted(e.scaled(q, -2), 1))
	return e.binary(gorgonia.Add, q, upper)
}

// erfcChebyshev holds the Chebyshev coefficients of log(erfc(x)·exp(x²)/t) on
// t = 2/(2+x) in [0, 1], computed with 60 digits; the first one is halved. The
// form is that of Press et al., Numerical Recipes, 3rd edition, section 6.2.2.
var erfcChebyshev = [...]float64{
	-0.6513268598908547171, 0.6419697923564902603, 0.019476473204185836312, -0.0095615147868086316419,
	-0.0009465953444820368663, 0.00036683949785276145187, 4.2523324806907771645e-5, -2.0278578112534243154e-5,
	-1.6242900046470255135e-6, 1.3036558355805232018e-6, 1.5626441722066143171e-8, -8.5238095914926542519e-8,
	6.5290544390988514906e-9, 5.0593434955514689471e-9, -9.9136415649303309147e-10, -2.2736512229318358144e-10,
	9.6467911020155264503e-11, 2.3940380830391176275e-12, -6.8860275264975556314e-12, 8.9448792730907414282e-13,
	3.1309213993429490705e-13, -1.1270822361367229812e-13, 3.8109052551937413938e-16, 7.1060976136081120286e-15,
	-1.523028201455311416e-15, -9.4574945715363441584e-17, 1.2102371892552393135e-16, -2.8166630881195954718e-17,
}

// erfc is erfc(x) = t·exp(P(t) − x²) for x ≥ 0, with P summed by Clenshaw's recurrence.
func (e *expression) erfc(x *gorgonia.Node) *gorgonia.Node {
	t := e.scaled(e.unary(gorgonia.Inverse, e.shifted(x, 2)), 2)
	twice := e.shifted(e.scaled(t, 4), -2) // 2u for u = 2t − 1 in [−1, 1]
	last := len(erfcChebyshev) - 1
	var older *gorgonia.Node // zero at first
	newer := e.shifted(e.scaled(t, 0), erfcChebyshev[last])
	for i := last - 1; i >= 0; i-- {
		factor := twice
		if i == 0 {
			factor = e.scaled(twice, 0.5)
		}
		next := e.shifted(e.binary(gorgonia.HadamardProd, factor, newer), erfcChebyshev[i])
		if older != nil {
			next = e.binary(gorgonia.Sub, next, older)
		}
		newer, older = next, newer
	}
	exponent := e.binary(gorgonia.Sub, newer, e.unary(gorgonia.Square, x))
	return e.binary(gorgonia.HadamardProd, t, e.unary(gorgonia.Exp, exponent))
}
