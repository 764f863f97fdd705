// Package reference holds results of real PyTorch for the tests of this
// module: make.py writes them to testdata, one NPZ file per family of cases,
// and this package embeds and reads the files.
//
// The families are:
//
//	linear        Y, dX, dW, db of act(X·W + b) given X, W, b, dY
//	losses        loss, and gradient of factor·loss, given prediction, targets
//	optimizers    parameters W, b after each of 30 steps with given gradients
//	schedules     rates: the learning rate of each of 60 steps (float64 only)
//	clipping      gradients a, b, c before and after clipping; norm before
//	mlp           step 1's logits and gradients, and the losses of 10 steps
//	initializers  settings only: the distribution that PyTorch draws from
//	special       as linear, with NaN, ±Inf, the largest, the smallest and
//	              subnormal numbers in X, W, b and dY
//
// W is [in, out] everywhere, the transpose of PyTorch's weight.
package reference

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"

	"github.com/sbinet/npyio/npz"
)

//go:embed testdata/*.npz
var files embed.FS

// Float is the set of element types.
type Float interface{ float32 | float64 }

// Array is a row-major array of any number of dimensions.
type Array[T Float] struct {
	Shape []int
	Data  []T
}

// Case is one case of a family in one element type.
type Case[T Float] struct {
	Family, Name string
	// Settings is a JSON object: what the case was made with, in PyTorch's names.
	Settings json.RawMessage

	arrays map[string]Array[T]
}

// Versions tells what a file was made with.
type Versions struct{ Torch, Numpy, Python string }

// Families lists the names of all families.
func Families() []string {
	return []string{"linear", "losses", "optimizers", "schedules", "clipping", "mlp", "initializers",
		"second_order", "gradient_penalty", "special"}
}

// Load returns one case of a family by name.
func Load[T Float](family, name string) (Case[T], error) {
	cases, err := Cases[T](family)
	if err != nil {
		return Case[T]{}, err
	}
	for _, c := range cases {
		if c.Name == name {
			return c, nil
		}
	}
	return Case[T]{}, fmt.Errorf("reference: family %q has no case %q", family, name)
}

// Cases returns all cases of a family, in the order in which make.py lists them.
func Cases[T Float](family string) ([]Case[T], error) {
	f, err := open(family)
	if err != nil {
		return nil, err
	}
	arrays := arraysOf[T](f)
	cases := make([]Case[T], len(f.meta.Cases))
	for i, c := range f.meta.Cases {
		cases[i] = Case[T]{Family: family, Name: c.Name, Settings: c.Settings, arrays: map[string]Array[T]{}}
		for _, group := range []string{c.Inputs, c.Name} {
			for name, a := range arrays[group] {
				cases[i].arrays[name] = a
			}
		}
	}
	return cases, nil
}

// VersionsOf tells what the family's file was made with.
func VersionsOf(family string) (Versions, error) {
	f, err := open(family)
	if err != nil {
		return Versions{}, err
	}
	return f.meta.Versions, nil
}

// Decode reads the settings into a struct with PyTorch's names as JSON tags.
func (c Case[T]) Decode(settings any) error {
	if err := json.Unmarshal(c.Settings, settings); err != nil {
		return fmt.Errorf("reference: settings of %s %q: %w", c.Family, c.Name, err)
	}
	return nil
}

// Has reports whether the case holds the named array.
func (c Case[T]) Has(name string) bool { _, ok := c.arrays[name]; return ok }

// Array returns the named array of the case, or of the inputs that it shares
// with other cases. The data are shared by all callers: do not write them.
func (c Case[T]) Array(name string) (Array[T], error) {
	a, ok := c.arrays[name]
	if !ok {
		var zero T
		return a, fmt.Errorf("reference: %s %q has no array %q in %T", c.Family, c.Name, name, zero)
	}
	return a, nil
}

// Tolerance is the largest relative difference from PyTorch that the tests
// allow: 1e-5 in float32 and 1e-10 in float64.
func Tolerance[T Float]() float64 {
	if isFloat32[T]() {
		return 1e-5
	}
	return 1e-10
}

// Compare returns an error that names the first element of got which is not
//
//	|gotᵢ − wantᵢ| ≤ Tolerance · maxⱼ |wantⱼ|
//
// or the lengths, where they differ.
func Compare[T Float](got, want []T) error {
	if len(got) != len(want) {
		return fmt.Errorf("got %d elements, PyTorch has %d", len(got), len(want))
	}
	var scale float64
	for _, v := range want {
		scale = max(scale, math.Abs(float64(v)))
	}
	limit := Tolerance[T]() * scale
	for i, v := range want {
		diff := math.Abs(float64(got[i]) - float64(v))
		if !(diff <= limit) { // also where either is not a number
			return fmt.Errorf("element %d: got %v, PyTorch has %v: difference %.3g, allowed %.3g", i, got[i], v, diff, limit)
		}
	}
	return nil
}

// SameClass returns an error that names the first element of got that is of
// another class than PyTorch's: NaN, +Inf, −Inf or finite.
func SameClass[T Float](got, want []T) error {
	if len(got) != len(want) {
		return fmt.Errorf("got %d elements, PyTorch has %d", len(got), len(want))
	}
	class := func(v T) T {
		if math.IsInf(float64(v), 0) {
			return v
		}
		return v - v // 0, or NaN
	}
	for i, v := range want {
		if a, b := class(got[i]), class(v); a != b && (a == a || b == b) {
			return fmt.Errorf("element %d: got %v, PyTorch has %v", i, got[i], v)
		}
	}
	return nil
}

// file is one NPZ file in memory; arrays are by group (a case's name or the
// name of shared inputs), then by name.
type file struct {
	meta struct {
		Versions Versions
		Cases    []struct {
			Name, Inputs string
			Settings     json.RawMessage
		}
	}
	float32 map[string]map[string]Array[float32]
	float64 map[string]map[string]Array[float64]
}

var (
	mu     sync.Mutex
	opened = map[string]*file{}
)

// open reads a family's file, once.
func open(family string) (*file, error) {
	mu.Lock()
	defer mu.Unlock()
	if f, ok := opened[family]; ok {
		return f, nil
	}
	raw, err := files.ReadFile("testdata/" + family + ".npz")
	if err != nil {
		return nil, fmt.Errorf("reference: no family %q, there are %s", family, strings.Join(Families(), ", "))
	}
	f, err := read(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, fmt.Errorf("reference: reading family %q: %w", family, err)
	}
	opened[family] = f
	return f, nil
}

func read(r io.ReaderAt, size int64) (*file, error) {
	z, err := npz.NewReader(r, size)
	if err != nil {
		return nil, err
	}
	f := &file{float32: map[string]map[string]Array[float32]{}, float64: map[string]map[string]Array[float64]{}}
	for _, key := range z.Keys() {
		path := strings.Split(strings.TrimSuffix(key, ".npy"), "/")
		switch n := len(path); {
		case n == 1 && path[0] == "meta":
			var text []byte
			if err := z.Read(key, &text); err != nil {
				return nil, err
			}
			if err := json.Unmarshal(text, &f.meta); err != nil {
				return nil, fmt.Errorf("member %q: %w", key, err)
			}
		case n > 2 && path[n-2] == "float32":
			err = readArray(z, key, f.float32, strings.Join(path[:n-2], "/"), path[n-1])
		case n > 2 && path[n-2] == "float64":
			err = readArray(z, key, f.float64, strings.Join(path[:n-2], "/"), path[n-1])
		default:
			err = fmt.Errorf("member %q: want CASE/DTYPE/ARRAY", key)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(f.meta.Cases) == 0 {
		return nil, fmt.Errorf("member %q lists no cases", "meta")
	}
	return f, nil
}

func readArray[T Float](z *npz.Reader, key string, into map[string]map[string]Array[T], group, name string) error {
	h := z.Header(key)
	if h == nil {
		return fmt.Errorf("member %q: no array header", key)
	}
	a := Array[T]{Shape: h.Descr.Shape}
	if h.Descr.Fortran {
		return fmt.Errorf("member %q: column-major, want row-major", key)
	}
	if err := z.Read(key, &a.Data); err != nil {
		return fmt.Errorf("member %q: %w", key, err)
	}
	if into[group] == nil {
		into[group] = map[string]Array[T]{}
	}
	into[group][name] = a
	return nil
}

func isFloat32[T Float]() bool {
	var zero T
	_, ok := any(zero).(float32)
	return ok
}

func arraysOf[T Float](f *file) map[string]map[string]Array[T] {
	if isFloat32[T]() {
		return any(f.float32).(map[string]map[string]Array[T])
	}
	return any(f.float64).(map[string]map[string]Array[T])
}
