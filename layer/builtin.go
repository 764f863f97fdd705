package layer

import (
	"fmt"
	"math"
	"slices"

	"github.com/affine-go/affine/layer/internal/autodiff"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Builtin adds the same function as [Apply], Y = act(X·W + b), made of
// Gorgonia's built-in ops, with their gradients: the twin that the fused op is
// compared with. Values and gradients agree up to rounding.
//
// The product is Mul, the bias BroadcastAdd. It takes [WithActivation],
// [WithName] and [WithTransposedWeight]. Gorgonia has no GELU and no error
// function, so GELU becomes a graph of some hundred elementwise nodes.
func Builtin(x, w, b *gorgonia.Node, opts ...Option) (*gorgonia.Node, error) {
	y, err := builtin(x, w, b, opts)
	if err != nil {
		return nil, fmt.Errorf("layer.Builtin: %w", err)
	}
	return y, nil
}

func builtin(x, w, b *gorgonia.Node, opts []Option) (*gorgonia.Node, error) {
	o, err := collect(opts, builtinOptions)
	if err != nil {
		return nil, err
	}
	_, l, err := linearNodes(x, w, b, o.transposed)
	if err != nil {
		return nil, err
	}
	e := newExpression(x)
	rows, cols := flat(x.Shape())
	_, out := l.inAndOut(w.Shape())
	reshaped := func(n *gorgonia.Node, shape ...int) *gorgonia.Node {
		if e.Err != nil || slices.Equal(n.Shape(), shape) {
			return n
		}
		return e.Do(gorgonia.Reshape(n, shape))
	}
	matrix := w
	switch l.weight {
	case outIn:
		matrix = e.Do(gorgonia.Transpose(w, 1, 0))
	case oneOutput:
		matrix = reshaped(w, cols, 1)
	}
	y := e.Binary(gorgonia.Mul, reshaped(x, rows, cols), matrix)
	switch {
	case b == nil:
	case b.IsScalar():
		y = e.Binary(gorgonia.Add, y, b)
	default:
		y = e.addRows(y, reshaped(b, out))
	}
	y = reshaped(e.activation(y, o.act), l.outShape(x.Shape(), out)...)
	if e.Err == nil && o.name != "" {
		gorgonia.WithName(o.name)(y)
	}
	return y, e.Err
}

// BuiltinSoftmaxCrossEntropy is [SoftmaxCrossEntropy] made of Gorgonia's
// built-in ops.
func BuiltinSoftmaxCrossEntropy(logits, targets *gorgonia.Node) (*gorgonia.Node, error) {
	return builtinLoss(softmaxCrossEntropy, logits, targets, func(e *expression) *gorgonia.Node {
		rows, cols := flat(logits.Shape())
		z, t := logits, targets
		if logits.Dims() != 2 {
			z = e.Do(gorgonia.Reshape(z, tensor.Shape{rows, cols}))
			t = e.Do(gorgonia.Reshape(t, tensor.Shape{rows, cols}))
		}
		logSoftmax := e.Do(gorgonia.LogSoftMax(z, 1))
		// The mean over all elements is 1/cols of the mean over rows.
		return e.Scaled(e.Mean(e.Binary(gorgonia.HadamardProd, logSoftmax, t)), -float64(cols))
	})
}

// BuiltinMSE is [MSE] made of Gorgonia's built-in ops.
func BuiltinMSE(pred, target *gorgonia.Node) (*gorgonia.Node, error) {
	return builtinLoss(meanSquaredError, pred, target, func(e *expression) *gorgonia.Node {
		return e.Mean(e.Unary(gorgonia.Square, e.Binary(gorgonia.Sub, pred, target)))
	})
}

// BuiltinBinaryCrossEntropy is [BinaryCrossEntropy] made of Gorgonia's built-in ops.
func BuiltinBinaryCrossEntropy(logits, targets *gorgonia.Node) (*gorgonia.Node, error) {
	return builtinLoss(binaryCrossEntropy, logits, targets, func(e *expression) *gorgonia.Node {
		// max(z, 0) = (z + |z|)/2, whose derivative at 0 is 1/2.
		size := e.Unary(gorgonia.Abs, logits)
		positive := e.Scaled(e.Binary(gorgonia.Add, logits, size), 0.5)
		linear := e.Binary(gorgonia.Sub, positive, e.Binary(gorgonia.HadamardProd, logits, targets))
		tail := e.Unary(gorgonia.Log1p, e.Unary(gorgonia.Exp, e.Scaled(size, -1)))
		return e.Mean(e.Binary(gorgonia.Add, linear, tail))
	})
}

func builtinLoss(kind lossKind, pred, target *gorgonia.Node, build func(*expression) *gorgonia.Node) (*gorgonia.Node, error) {
	err := checkLossNodes(kind, pred, target)
	if err == nil {
		e := newExpression(pred)
		l := build(&e)
		if e.Err == nil {
			return l, nil
		}
		err = e.Err
	}
	return nil, fmt.Errorf("layer: built-in %v: %w", kind, err)
}

// expression adds what a linear layer is made of.
type expression struct{ autodiff.Expression }

func newExpression(like *gorgonia.Node) expression {
	return expression{autodiff.Expression{Dtype: like.Dtype()}}
}

// addRows adds the vector b to every row of y.
func (e *expression) addRows(y, b *gorgonia.Node) *gorgonia.Node {
	return e.Binary(func(y, b *gorgonia.Node) (*gorgonia.Node, error) {
		return gorgonia.BroadcastAdd(y, b, nil, []byte{0})
	}, y, b)
}

// positive is 1 if z > 0, else 0. Gorgonia's Rectify and LeakyRelu
// take z ≥ 0, which makes the derivative at 0 another one than the fused op's
// and PyTorch's.
func (e *expression) positive(z *gorgonia.Node) *gorgonia.Node {
	return e.Binary(func(z, zero *gorgonia.Node) (*gorgonia.Node, error) {
		return gorgonia.Gt(z, zero, true)
	}, z, e.Constant(0))
}

// normalCDF is Φ(z) = q + [z > 0]·(1 − 2q) with q = erfc(|z|/√2)/2.
func (e *expression) normalCDF(z *gorgonia.Node) *gorgonia.Node {
	q := e.Scaled(e.erfc(e.Scaled(e.Unary(gorgonia.Abs, z), math.Sqrt2/2)), 0.5)
	upper := e.Binary(gorgonia.HadamardProd, e.positive(z), e.Shifted(e.Scaled(q, -2), 1))
	return e.Binary(gorgonia.Add, q, upper)
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
	t := e.Scaled(e.Unary(gorgonia.Inverse, e.Shifted(x, 2)), 2)
	twice := e.Shifted(e.Scaled(t, 4), -2) // 2u for u = 2t − 1 in [−1, 1]
	last := len(erfcChebyshev) - 1
	var older *gorgonia.Node // zero at first
	newer := e.Shifted(e.Scaled(t, 0), erfcChebyshev[last])
	for i := last - 1; i >= 0; i-- {
		factor := twice
		if i == 0 {
			factor = e.Scaled(twice, 0.5)
		}
		next := e.Shifted(e.Binary(gorgonia.HadamardProd, factor, newer), erfcChebyshev[i])
		if older != nil {
			next = e.Binary(gorgonia.Sub, next, older)
		}
		newer, older = next, newer
	}
	exponent := e.Binary(gorgonia.Sub, newer, e.Unary(gorgonia.Square, x))
	return e.Binary(gorgonia.HadamardProd, t, e.Unary(gorgonia.Exp, exponent))
}
