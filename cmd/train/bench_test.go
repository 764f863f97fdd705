package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/bench"
)

func processor(t *testing.T) device.Device {
	t.Helper()
	dev, err := device.Open("cpu")
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func TestQuickBenchmarkLeavesOutOnlyWhatTakesLong(t *testing.T) {
	dev := processor(t)
	quick := benchCommand{Quick: true, Dtype: dtypeNames}
	kept, err := quick.cases(dev)
	if err != nil {
		t.Fatal(err)
	}
	ops := map[string]bool{}
	for _, k := range kept {
		ops[k.Op] = true
		if k.FLOPs() > quickFLOPs {
			t.Errorf("%s takes %.2g operations, want at most %.2g", k.Shape(), k.FLOPs(), quickFLOPs)
		}
	}
	if len(ops) != len(bench.Ops()) {
		t.Errorf("ops are %v, want all of %v", ops, bench.Ops())
	}
	left := len(bench.DefaultCases(dev)) - len(kept)
	if left == 0 || left > len(kept) {
		t.Errorf("%d cases were left out of %d", left, left+len(kept))
	}
}

func TestInterruptedBenchmarkSaysHowFarItCame(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dev := processor(t)
	cases, err := (&benchCommand{Size: []string{"1x1x1"}, Dtype: dtypeNames}).cases(dev)
	if err != nil {
		t.Fatal(err)
	}
	_, err = measure(ctx, newTerminal(strings.NewReader(""), io.Discard, io.Discard), cases, (&benchCommand{}).options(dev))
	var interrupted *interruptedError
	if !errors.As(err, &interrupted) || !strings.Contains(err.Error(), "after 0 of 4 shapes") {
		t.Errorf("error is %v, want one that says 0 of 4 shapes and ends with the code of an interrupt", err)
	}
}
