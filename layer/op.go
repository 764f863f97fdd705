package layer

import (
	"fmt"
	"hash"
	"hash/fnv"
	"io"

	"github.com/chewxy/hm"

	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/layer/internal/autodiff"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// BufferedOp is an op that can write its result into a value that a machine
// kept from an earlier run of the same node. All ops of this package are.
type BufferedOp interface {
	gorgonia.Op
	// DoInto is Do, writing into prev if its dtype and shape fit. prev may
	// be nil; it must not be read by anybody else any more.
	DoInto(prev gorgonia.Value, inputs ...gorgonia.Value) (gorgonia.Value, error)
}

// scalarRank is the rank in a signature that stands for a plain scalar.
const scalarRank = 0

// signature is what all ops of this package have in common: the name with
// every attribute, the ranks of inputs and output, and the device. By default
// an op returns a fresh value and never overwrites an input.
type signature struct {
	// label is the op's name and all attributes that make two ops differ.
	// Gorgonia merges nodes whose ops have the same hash and the same inputs.
	label string
	ranks []int
	out   int
	dev   device.Device

	float32, float64 body
}

func (s *signature) Arity() int           { return len(s.ranks) }
func (s *signature) ReturnsPtr() bool     { return false }
func (s *signature) CallsExtern() bool    { return false }
func (s *signature) OverwritesInput() int { return -1 }
func (s *signature) String() string       { return s.label }

// Device is where the op computes.
func (s *signature) Device() device.Device { return s.dev }

// WriteHash covers label, device and ranks.
func (s *signature) WriteHash(h hash.Hash) {
	io.WriteString(h, "affine."+s.label+"@"+s.dev.Name())
	fmt.Fprint(h, s.ranks)
}

func (s *signature) Hashcode() uint32 {
	h := fnv.New32a()
	s.WriteHash(h)
	return h.Sum32()
}

// Type is Tensor-r₀ a → Tensor-r₁ a → … → Tensor-out a, with a plain a for scalars.
func (s *signature) Type() hm.Type {
	element := hm.TypeVariable('a')
	typeOf := func(rank int) hm.Type {
		if rank == scalarRank {
			return element
		}
		return gorgonia.TensorType{Dims: rank, Of: element}
	}
	types := make([]hm.Type, 0, len(s.ranks)+1)
	for _, rank := range s.ranks {
		types = append(types, typeOf(rank))
	}
	return hm.NewFnType(append(types, typeOf(s.out))...)
}

// shapes returns the shapes of the inputs after checking their number.
func (s *signature) shapes(inputs []gorgonia.DimSizer) ([]tensor.Shape, error) {
	if len(inputs) != len(s.ranks) {
		return nil, fmt.Errorf("%s: got %d inputs, want %d", s.label, len(inputs), len(s.ranks))
	}
	shapes, err := gorgonia.DimSizersToShapes(inputs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.label, err)
	}
	return shapes, nil
}

// body computes an op for one element type, into prev if that fits.
type body func(prev gorgonia.Value, inputs []gorgonia.Value) (gorgonia.Value, error)

// Do computes the op into a fresh value. It is what Gorgonia's machines call.
func (s *signature) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	if w, ok := s.dev.(device.Waker); ok {
		w.KeepAwake()
	}
	return s.DoInto(collected, inputs...)
}

// DoInto checks number and dtype of the inputs and runs the body for that dtype.
func (s *signature) DoInto(prev gorgonia.Value, inputs ...gorgonia.Value) (gorgonia.Value, error) {
	if len(inputs) != len(s.ranks) {
		return nil, fmt.Errorf("%s: got %d inputs, want %d", s.label, len(inputs), len(s.ranks))
	}
	for i, v := range inputs {
		if v == nil {
			return nil, fmt.Errorf("%s: input %d has no value", s.label, i)
		}
	}
	var out gorgonia.Value
	var err error
	switch dt := inputs[0].Dtype(); dt {
	case tensor.Float32:
		out, err = s.float32(prev, inputs)
	case tensor.Float64:
		out, err = s.float64(prev, inputs)
	default:
		err = fmt.Errorf("dtype is %v, want float32 or float64", dt)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.label, err)
	}
	return out, nil
}

// accumulate adds the gradient grad to what node has collected in its dual
// value, as the LispMachine expects of DoDiff.
func accumulate(node *gorgonia.Node, grad gorgonia.Value) error {
	into, err := node.Grad()
	if err != nil {
		return err
	}
	switch into := into.(type) {
	case *tensor.Dense:
		_, err = tensor.Add(into, grad, tensor.UseUnsafe())
		return err
	case *gorgonia.F32:
		x, err := scalarOf[float32]("gradient", grad)
		*into += gorgonia.F32(x)
		return err
	case *gorgonia.F64:
		x, err := scalarOf[float64]("gradient", grad)
		*into += gorgonia.F64(x)
		return err
	}
	return fmt.Errorf("gradient of %v is a %T, want a tensor or a scalar", node, into)
}

// operand names a value that a gradient is computed from: an input of the op by
// its position, or the gradient that arrives from above.
type operand int

const theGrad operand = -1

// derivative says how the gradient by one input is computed: an op and its
// operands. A nil *derivative stands for an input without a gradient.
type derivative struct {
	op gorgonia.Op
	of []operand
}

// derivedOp is an op each of whose gradients is a single op again.
type derivedOp struct {
	signature
	role        gradientRole
	layout      layout // of a linear layer
	infer       func(inputs []tensor.Shape) (tensor.Shape, error)
	derivatives func() []*derivative
	// onDemand builds gradients by inputs that have no derivative here, as those
	// of losses by their targets: Gorgonia's Grad does not get them, so that
	// nobody computes them in vain. Grad does. May be nil.
	onDemand func(e *expression, input int, inputs gorgonia.Nodes, grad *gorgonia.Node) *gorgonia.Node
}

// InferShape returns the shape of the output, or says what the inputs should be.
func (op *derivedOp) InferShape(inputs ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := op.shapes(inputs)
	if err != nil {
		return nil, err
	}
	out, err := op.infer(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return out, nil
}

// DiffWRT reports which inputs have a derivative.
func (op *derivedOp) DiffWRT(int) []bool {
	by := op.derivatives()
	wrt := make([]bool, len(by))
	for i, d := range by {
		wrt[i] = d != nil
	}
	return wrt
}

// SymDiff adds a node for each derivative.
func (op *derivedOp) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	wanted := op.DiffWRT(len(inputs))
	if op.role != noGradient {
		if err := refuseSecondGrad(op, inputs); err != nil {
			return nil, err
		}
	}
	return op.Gradients(wanted, inputs, output, grad)
}

// Dependences says which inputs have a gradient, be it on demand only.
func (op *derivedOp) Dependences() []autodiff.Dependence {
	all := dependences(op.DiffWRT(op.Arity()))
	for i := range all {
		if op.onDemand != nil {
			all[i] = autodiff.Smooth
		}
	}
	return all
}

// Gradients adds a node for each gradient that is wanted.
func (op *derivedOp) Gradients(wanted []bool, inputs gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	grads := make(gorgonia.Nodes, len(inputs))
	for i, d := range op.derivatives() {
		if !wanted[i] {
			continue
		}
		if d == nil {
			e := newExpression(inputs[i])
			grads[i] = op.onDemand(&e, i, inputs, grad)
			if e.Err != nil {
				return nil, e.Err
			}
			continue
		}
		of := make(gorgonia.Nodes, len(d.of))
		for j, o := range d.of {
			of[j] = pick(o, inputs, grad)
		}
		var err error
		if grads[i], err = gorgonia.ApplyOp(d.op, of...); err != nil {
			return nil, err
		}
	}
	return grads, nil
}

// DoDiff computes each derivative and adds it to the input's dual value.
func (op *derivedOp) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	grad, err := output.Grad()
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	values := make([]gorgonia.Value, len(inputs))
	for i, n := range inputs {
		values[i] = n.Value()
	}
	for i, d := range op.derivatives() {
		if d == nil {
			continue
		}
		of := make([]gorgonia.Value, len(d.of))
		for j, o := range d.of {
			of[j] = pick(o, values, grad)
		}
		v, err := d.op.Do(of...)
		if err == nil {
			err = accumulate(inputs[i], v)
		}
		if err != nil {
			return fmt.Errorf("%s: gradient of input %d: %w", op, i, err)
		}
	}
	return nil
}

func pick[E any](o operand, inputs []E, grad E) E {
	if o == theGrad {
		return grad
	}
	return inputs[o]
}
