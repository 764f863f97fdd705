// Command load opens a dataset and does nothing with it, for read_csv.py to
// measure.
package main

import (
	"fmt"
	"os"

	"github.com/affine-go/affine/datasets"
)

func main() {
	d, err := datasets.Open(os.Args[1], datasets.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(d.Len(), "rows,", d.Inputs(), "features")
}
