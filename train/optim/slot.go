package optim

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/affine-go/affine/internal/values"
	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A slot is what an optimizer keeps for one learnable, of either element type.
type slot interface {
	name() string          // the learnable's name, "" if it has none
	label() string         // what errors call it
	value() gorgonia.Value // the weights of the last step
	// read finds the memory of weights and gradient and reports whether the
	// gradient lies elsewhere than in the last step.
	read(weights, grad gorgonia.Value) (moved bool, err error)
	gradient() (start, end uintptr)
	update(lr float64, step int) error
	// save returns copies of the moments by name, load overwrites them.
	save() (map[string]*tensor.Dense, error)
	load(moments map[string]*tensor.Dense) error
	momentNames() []string
}

// slotOf is the slot of a learnable with elements of type T.
type slotOf[T device.Float] struct {
	called  string
	weights gorgonia.Value
	shape   tensor.Shape
	device  device.Device
	kernels device.Kernels[T]
	formula formula[T] // nil for a step by the rule
	lrScale float64    // of the learnable's group
	names   [3]string  // of the moments, "" for those not in use
	next    update[T]
}

// An update is what a step of one learnable works on.
type update[T device.Float] struct {
	device.Update // of the learnable's group, with the learning rate of this step
	w, g          []T
	moments       device.Moments[T]
	gorgonia      *gorgoniaSettings
	scalar        bool // the learnable is a scalar, not a tensor of one element
	// What Gorgonia's formulas need besides: memory, and a step of several.
	spare []T
	part  device.Update
}

// newSlots makes a slot with fresh moments for each learnable.
func (o *Optimizer) newSlots(model []gorgonia.ValueGrad) ([]slot, error) {
	slots := make([]slot, len(model))
	for i, vg := range model {
		if vg == nil {
			return nil, fmt.Errorf("learnable %d is nil", i)
		}
		var err error
		switch v := vg.Value(); {
		case v == nil:
			err = errors.New("has no value")
		case v.Dtype() == tensor.Float32:
			slots[i], err = newSlot(o, nameOf(vg), v, formulaOf[float32](o.kind))
		case v.Dtype() == tensor.Float64:
			slots[i], err = newSlot(o, nameOf(vg), v, formulaOf[float64](o.kind))
		default:
			err = fmt.Errorf("dtype is %v, want float32 or float64", v.Dtype())
		}
		for j := 0; err == nil && j < i; j++ {
			a, b := slots[i].value(), slots[j].value()
			if values.Overlap(a, b) && !(o.kind.gorgonia != nil && a == b) {
				err = fmt.Errorf("shares its memory with learnable %d (%s)", j, slots[j].label())
			}
		}
		if err != nil {
			return nil, fmt.Errorf("learnable %d (%s): %w", i, labelOf(nameOf(vg)), err)
		}
	}
	return slots, nil
}

func newSlot[T device.Float](o *Optimizer, name string, v gorgonia.Value, f formula[T]) (slot, error) {
	w, err := values.Elements[T](v)
	if err != nil {
		return nil, err
	}
	settings, lrScale := o.groupOf(name)
	s := &slotOf[T]{called: name, weights: v, shape: v.Shape().Clone(),
		device: o.device, kernels: device.For[T](o.device), formula: f, lrScale: lrScale, names: o.kind.moments(settings)}
	s.next = update[T]{Update: settings.Update, w: w, gorgonia: &settings.gorgonia}
	s.next.ZeroGrad = true
	switch v.(type) {
	case *gorgonia.F32, *gorgonia.F64:
		s.next.scalar = true
	}
	for i, name := range s.names {
		if name == "" {
			continue
		}
		m, err := s.kernels.Alloc(len(w))
		if err != nil {
			return nil, err
		}
		if start := T(settings.initialAccumulator); start != 0 {
			for j := range m {
				m[j] = start
			}
		}
		s.next.moments[i] = m
	}
	return s, nil
}

func (s *slotOf[T]) name() string          { return s.called }
func (s *slotOf[T]) label() string         { return labelOf(s.called) }
func (s *slotOf[T]) value() gorgonia.Value { return s.weights }

func (s *slotOf[T]) momentNames() []string {
	return slices.DeleteFunc(slices.Clone(s.names[:]), func(name string) bool { return name == "" })
}

func (s *slotOf[T]) read(weights, grad gorgonia.Value) (moved bool, err error) {
	w, err := values.Elements[T](weights)
	if err != nil {
		return false, err
	}
	if !weights.Shape().Eq(s.shape) {
		return false, fmt.Errorf("weights have shape %v, in the steps before %v", weights.Shape(), s.shape)
	}
	g, err := values.Elements[T](grad)
	if err != nil {
		return false, fmt.Errorf("gradient: %w", err)
	}
	if !grad.Shape().Eq(s.shape) {
		return false, fmt.Errorf("gradient has shape %v, want %v", grad.Shape(), s.shape)
	}
	moved = unsafe.SliceData(g) != unsafe.SliceData(s.next.g)
	s.weights, s.next.w, s.next.g = weights, w, g
	return moved, nil
}

func (s *slotOf[T]) gradient() (start, end uintptr) {
	g := s.next.g
	start = uintptr(unsafe.Pointer(unsafe.SliceData(g)))
	return start, start + uintptr(len(g))*unsafe.Sizeof(*new(T))
}

func (s *slotOf[T]) update(lr float64, step int) error {
	s.next.LR, s.next.Step = lr*s.lrScale, step
	if s.formula != nil {
		return s.formula(s.kernels, &s.next)
	}
	return s.kernels.Update(s.next.w, s.next.g, s.next.moments, &s.next.Update)
}

func (s *slotOf[T]) save() (map[string]*tensor.Dense, error) {
	shape := slices.Clone(s.shape)
	if len(shape) == 0 {
		shape = tensor.Shape{1}
	}
	out := map[string]*tensor.Dense{}
	for i, name := range s.names {
		if name == "" {
			continue
		}
		c, err := device.ToHost(s.device, s.next.moments[i])
		if err != nil {
			return nil, err
		}
		out[name] = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(c))
	}
	return out, nil
}

func (s *slotOf[T]) load(moments map[string]*tensor.Dense) error {
	for i, name := range s.names {
		if name == "" {
			continue
		}
		t := moments[name]
		m, err := values.Elements[T](t)
		if err != nil {
			return err
		}
		if !t.Shape().Eq(s.shape) && !(len(s.shape) == 0 && len(m) == 1) {
			return fmt.Errorf("shape is %v, want %v", t.Shape(), s.shape)
		}
		copy(s.next.moments[i], m)
	}
	return nil
}

// nameOf returns the name of a learnable that has one.
func nameOf(vg gorgonia.ValueGrad) string {
	if n, ok := vg.(gorgonia.Namer); ok {
		return n.Name()
	}
	return ""
}

func labelOf(name string) string {
	if name == "" {
		return "unnamed"
	}
	return name
}
