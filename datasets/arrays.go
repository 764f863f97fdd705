package datasets

import (
	"fmt"
	"slices"
)

// arrays are the features and targets of one part of a dataset that comes as
// arrays: NPZ or IDX.
type arrays struct {
	xName, yName string // for errors
	rows, cols   int
	image        [2]int
	x            *ndarray
	pixels       bool      // whether x is to be divided by 255
	y            []float64 // nil if there are no targets
}

// setX takes [rows, ...] as the features.
func (a *arrays) setX(x *ndarray) error {
	if len(x.shape) < 2 {
		return fmt.Errorf("%s has shape %v, want [rows, features] or more dimensions", a.xName, x.shape)
	}
	if x.len() == 0 {
		return fmt.Errorf("%s has shape %v, want at least one row and one feature", a.xName, x.shape)
	}
	a.x, a.rows, a.cols = x, x.shape[0], x.len()/x.shape[0]
	a.image = imageShape(x.shape[1:])
	a.pixels = x.dtype.isByte() && len(x.shape) > 2
	return nil
}

// appendX appends the features to dst.
func (a *arrays) appendX(dst []float64) []float64 {
	from := len(dst)
	dst = a.x.appendTo(dst)
	if a.pixels {
		for i := range dst[from:] {
			dst[from+i] /= 255
		}
	}
	return dst
}

// imageShape returns the height and width of an image of one channel, or zero
// where a row's shape is not that of one.
func imageShape(row []int) [2]int {
	switch {
	case len(row) == 2:
		return [2]int{row[0], row[1]}
	case len(row) == 3 && row[2] == 1:
		return [2]int{row[0], row[1]}
	case len(row) == 3 && row[0] == 1:
		return [2]int{row[1], row[2]}
	default:
		return [2]int{}
	}
}

// setY takes [rows] or [rows, 1] as the targets.
func (a *arrays) setY(y *ndarray) error {
	if n := y.len(); n != a.rows || len(y.shape) == 0 || y.shape[0] != n {
		return fmt.Errorf("%s has shape %v, want [%d], one target for each row of %s", a.yName, y.shape, a.rows, a.xName)
	}
	a.y = y.appendTo(nil)
	return nil
}

// fromArrays joins the parts to a dataset; test may be nil.
func fromArrays(name string, train, test *arrays, opts Options) (*Dataset, error) {
	d := &Dataset{Name: name, ImageShape: train.image, Y: train.y, TargetName: "y"}
	if d.ImageShape != [2]int{} {
		d.Features = numbered("pixel", 0, train.cols)
	} else {
		d.Features = numbered("x", 1, train.cols)
	}
	rows := train.rows
	if test != nil {
		rows += test.rows
		switch {
		case test.cols != train.cols || test.image != train.image:
			return nil, fmt.Errorf("%s: %s has rows of shape %v, want %v as in %s", name, test.xName, test.x.shape[1:], train.x.shape[1:], train.xName)
		case (test.y == nil) != (train.y == nil):
			return nil, fmt.Errorf("%s: want both %s and %s, or neither", name, train.yName, test.yName)
		}
		d.TestFrom = train.rows
		d.Y = append(d.Y, test.y...)
	}
	d.X = train.appendX(make([]float64, 0, rows*train.cols))
	if test != nil {
		d.X = test.appendX(d.X)
	}
	if i := slices.IndexFunc(d.Y, func(v float64) bool { return !finite(v) }); i >= 0 {
		part, row := train, i
		if i >= train.rows {
			part, row = test, i-train.rows
		}
		return nil, fmt.Errorf("%s: %s[%d] is %v, want a finite number", name, part.yName, row, d.Y[i])
	}
	d.Task = arraysTask(d.Y, opts)
	if d.Task == Classification {
		d.Classes = classesOfNumbers(d.Y)
	}
	if d.Task == Classification && d.Y == nil {
		d.Classes = slices.Clone(opts.Schema.Classes)
	}
	return d, d.Check()
}

// arraysTask returns the task that is asked for or that the targets suggest.
func arraysTask(y []float64, opts Options) Task {
	switch {
	case opts.Schema != nil:
		return opts.Schema.Task
	case opts.Task != AutoTask:
		return opts.Task
	case numbersAreClasses(y):
		return Classification
	default:
		return Regression
	}
}
