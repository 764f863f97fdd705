package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/affine-go/affine/layer/device"
)

func cpu(t *testing.T) device.Device {
	t.Helper()
	dev, err := device.Open("cpu")
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func quick(t *testing.T) Options {
	return Options{Device: cpu(t), Samples: 3, Sample: time.Millisecond}
}

func TestEveryOpAndImplIsTimed(t *testing.T) {
	var cases []Case
	for _, dtype := range []string{"float32", "float64"} {
		for _, c := range []Case{
			{Op: Linear, Impl: "fused"}, {Op: Linear, Impl: "builtin"}, {Op: LinearDirect, Impl: "fused"},
			{Op: MLPStep, Impl: "fused", Dims: []int{3, 4, 2}}, {Op: MLPStep, Impl: "builtin", Dims: []int{3, 4, 2}},
			{Op: Predict, Impl: "fused", Dims: []int{3, 4, 2}},
		} {
			c.Dtype, c.Batch, c.In, c.Out, c.Device = dtype, 5, 3, 2, "cpu"
			cases = append(cases, c)
		}
	}
	var shapes []string
	report, err := Run(context.Background(), cases, quick(t), func(shape string) { shapes = append(shapes, shape) })
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Cases) != len(cases) {
		t.Fatalf("got %d results for %d cases", len(report.Cases), len(cases))
	}
	for i, r := range report.Cases {
		if r.Shape() != cases[i].Shape() || r.Impl != cases[i].Impl || !(r.NsPerOp > 0) || !(r.GFLOPS > 0) {
			t.Errorf("case %d is %+v, want a time for %+v", i, r, cases[i])
		}
	}
	if want := "linear float32 5×3×2|linear-direct float32 5×3×2|mlp-step float32 5×(3-4-2)|predict float32 5×(3-4-2)|linear float64 5×3×2"; !strings.HasPrefix(strings.Join(shapes, "|"), want) {
		t.Errorf("shapes were timed as %v, want %s first", shapes, want)
	}

	var table bytes.Buffer
	if err := WriteTable(&table, report); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(table.String(), "×\n") + strings.Count(table.String(), "-\n"); got != len(shapes) {
		t.Errorf("the table has %d rows for %d shapes:\n%s", got, len(shapes), table.String())
	}
}

func TestReportHasTheFieldsOfTheContract(t *testing.T) {
	report, err := Run(context.Background(), []Case{{Op: MLPStep, Dtype: "float32", Batch: 4, In: 2, Out: 2, Dims: []int{2, 3, 2}, Impl: "fused", Device: "cpu"}}, quick(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var decoded struct{ Cases []map[string]any }
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"op", "dtype", "batch", "in", "out", "impl", "device", "ns_per_op", "gflops", "peak_fraction", "allocs_per_op", "dims"} {
		if _, ok := decoded.Cases[0][field]; !ok {
			t.Errorf("case lacks %q: %s", field, encoded)
		}
	}
}

func TestOperationsAreCounted(t *testing.T) {
	for _, c := range []struct {
		Case
		want float64
	}{
		{Case{Op: Linear, Batch: 128, In: 784, Out: 512}, 6 * 128 * 784 * 512},
		{Case{Op: MLPStep, Batch: 10, Dims: []int{2, 3, 4}}, 4*10*2*3 + 6*10*3*4},
		{Case{Op: Predict, Batch: 10, Dims: []int{2, 3, 4}}, 2*10*2*3 + 2*10*3*4},
	} {
		if got := c.FLOPs(); got != c.want {
			t.Errorf("%+v: %v operations, want %v", c.Case, got, c.want)
		}
	}
}

// Of one row the weights are nearly all that is read and written.
func TestBytesAreThoseOfTheArguments(t *testing.T) {
	for _, c := range []struct {
		Case
		want float64
	}{
		{Case{Op: LinearDirect, Dtype: "float32", Batch: 2, In: 3, Out: 5}, 4 * (3*2*3 + 3*3*5 + 2*2*5 + 2*5)},
		{Case{Op: Predict, Dtype: "float64", Batch: 1, In: 2, Out: 4, Dims: []int{2, 3, 4}}, 8 * (2*3 + 3 + 3*4 + 4 + 2 + 4)},
		{Case{Op: Linear, Dtype: "float32", Batch: 2, In: 3, Out: 5}, 0},
	} {
		if got := c.Bytes(); got != c.want {
			t.Errorf("%s: %v bytes, want %v", c.Shape(), got, c.want)
		}
	}
}

func TestASweepDoublesTheBatch(t *testing.T) {
	batches := map[string][]int{}
	for _, c := range SweepCases(cpu(t)) {
		name := c.Op + " " + c.Dtype
		if list := batches[name]; len(list) > 0 && c.Batch != 2*list[len(list)-1] {
			t.Errorf("%s: batch %d follows %v", name, c.Batch, list)
		}
		batches[name] = append(batches[name], c.Batch)
	}
	if len(batches) != 4 {
		t.Errorf("swept are %v, want %s and %s in both dtypes", batches, LinearDirect, Predict)
	}
	for name, list := range batches {
		if list[0] != 1 || list[len(list)-1] != 1024 {
			t.Errorf("%s goes from %d to %d, want 1 to 1024", name, list[0], list[len(list)-1])
		}
	}
}

func TestWrongCasesAreRefused(t *testing.T) {
	good := Case{Op: Linear, Dtype: "float32", Batch: 1, In: 1, Out: 1, Impl: "fused"}
	for want, change := range map[string]func(*Case){
		`op is "conv"`:                   func(c *Case) { c.Op = "conv" },
		`dtype is "half"`:                func(c *Case) { c.Dtype = "half" },
		`impl is "other"`:                func(c *Case) { c.Impl = "other" },
		"sizes are 0×1×1":                func(c *Case) { c.Batch = 0 },
		"cannot be called without a gra": func(c *Case) { c.Op, c.Impl = LinearDirect, "builtin" },
		"built-in ops cannot be called":  func(c *Case) { c.Op, c.Dims, c.Impl = Predict, []int{1, 2}, "builtin" },
		"dims are []":                    func(c *Case) { c.Op = MLPStep },
		"dims are [2]":                   func(c *Case) { c.Op, c.Dims = Predict, []int{2} },
	} {
		c := good
		change(&c)
		if _, err := Run(context.Background(), []Case{c}, quick(t), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one that says %q", err, want)
		}
	}
	if _, err := Run(context.Background(), []Case{good}, Options{Device: cpu(t)}, nil); err == nil || !strings.Contains(err.Error(), "0 samples") {
		t.Errorf("no samples: error is %v", err)
	}
}

func TestCancellationEndsTheRun(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Run(ctx, []Case{{Op: Linear, Dtype: "float32", Batch: 1, In: 1, Out: 1, Impl: "fused"}}, quick(t), nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want the context's", err)
	}
}
