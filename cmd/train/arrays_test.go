package main

import (
	"encoding/binary"
	"os"
	"path/filepath"

	"github.com/sbinet/npyio/npz"
	"gonum.org/v1/gonum/mat"
)

// makeArrays writes array files for the scripts, 60 rows of two classes each:
// made/data.npz and the MNIST-like directory made/idx, with 4×4 pixels that are
// bright in one half.
func makeArrays(dir string) error {
	const rows, side = 60, 4
	made := filepath.Join(dir, "made")
	if err := os.MkdirAll(filepath.Join(made, "idx"), 0o755); err != nil {
		return err
	}
	x, y := mat.NewDense(rows, 2, nil), make([]int64, rows)
	images := binary.BigEndian.AppendUint32(nil, 0x00000803)
	labels := binary.BigEndian.AppendUint32(nil, 0x00000801)
	for _, size := range []uint32{rows, side, side} {
		images = binary.BigEndian.AppendUint32(images, size)
	}
	labels = binary.BigEndian.AppendUint32(labels, rows)
	for i := range rows {
		class := i % 2
		y[i] = int64(class)
		x.Set(i, 0, float64(class)+0.01*float64(i%7))
		x.Set(i, 1, float64(i%5))
		labels = append(labels, byte(class))
		for pixel := range side * side {
			bright := byte(10 * (i % 3))
			if pixel*2/(side*side) == class {
				bright = 250
			}
			images = append(images, bright)
		}
	}
	for name, data := range map[string][]byte{"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels} {
		if err := os.WriteFile(filepath.Join(made, "idx", name), data, 0o644); err != nil {
			return err
		}
	}
	w, err := npz.Create(filepath.Join(made, "data.npz"))
	if err != nil {
		return err
	}
	if err := w.Write("x", x); err != nil {
		return err
	}
	if err := w.Write("y", y); err != nil {
		return err
	}
	return w.Close()
}
