package compare

import (
	"context"
	"testing"
	"time"

	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/bench"
)

func TestOpErrorsAreThoseOfFloat32(t *testing.T) {
	dev, err := device.Open("cpu")
	if err != nil {
		t.Fatal(err)
	}
	shapes := [][3]int{{1, 1, 1}, {1, 5, 3}, {7, 1, 4}, {33, 17, 9}}
	rows, err := Ops(context.Background(), shapes, bench.Options{Device: dev, Samples: 1, Sample: time.Millisecond}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		if r.Batch != shapes[i][0] || !(r.Speedup > 0) {
			t.Errorf("row %d is %+v", i, r)
		}
		for side, e := range map[string]Errors{"fused": r.FusedError, "built-in": r.BuiltinError} {
			for _, v := range []float64{e.Y, e.DX, e.DW, e.DB} {
				// k additions of float32 products are off by at most k·2⁻²⁴ of their absolute sum.
				if bound := 34 * 0x1p-24 * 4; v > bound {
					t.Errorf("%v %s: error %g, want at most %g", shapes[i], side, v, bound)
				}
			}
		}
		if r.Batch*r.In*r.Out > 1000 && r.FusedError.Y == 0 {
			t.Errorf("%v: no error at all against float64, which cannot be", shapes[i])
		}
	}
}
