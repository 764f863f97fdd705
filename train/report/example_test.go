package report_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/report"
)

// Train, then write the page of the run from its directory.
func ExampleWriteRun() {
	folder, err := os.MkdirTemp("", "runs-*")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	c := train.DefaultConfig("xor", nil)
	c.Epochs = 5
	dir := filepath.Join(folder, "xor-001")
	run, err := train.Fit(context.Background(), c, train.InDirectory(dir))
	if err != nil {
		log.Fatal(err)
	}
	defer run.Close()

	r, err := report.Load(dir)
	if err != nil {
		log.Fatal(err)
	}
	if err := r.Complete(nil); err != nil {
		log.Fatal(err)
	}
	var page bytes.Buffer
	if err := report.WriteRun(&page, r, report.Options{}); err != nil {
		log.Fatal(err)
	}
	for _, part := range []string{"How it learned", "Decision boundary", "Confusion matrix", "The worst mistakes"} {
		fmt.Println(part, strings.Contains(page.String(), part))
	}
	// Output:
	// How it learned true
	// Decision boundary true
	// Confusion matrix true
	// The worst mistakes true
}
