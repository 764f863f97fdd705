// Package notebooks is empty: it stands for the notebooks beside it. Its
// imports are theirs, so that go.mod and go.sum fix every version they run with.
package notebooks

import (
	_ "github.com/chewxy/hm"
	_ "gorgonia.org/gorgonia"
	_ "gorgonia.org/tensor"

	_ "github.com/affine-go/affine/datasets"
	_ "github.com/affine-go/affine/layer"
	_ "github.com/affine-go/affine/layer/gradcheck"
	_ "github.com/affine-go/affine/train"
	_ "github.com/affine-go/affine/train/bench"
	_ "github.com/affine-go/affine/train/optim"
	_ "github.com/affine-go/affine/train/report/chart"
	_ "github.com/affine-go/affine/train/vm"
)
