package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/affine-go/affine/internal/atomicfile"
	"github.com/affine-go/affine/train"
)

// writeOutput writes data to a path that the user named. See
// atomicfile.WriteOutput; besides, the files that a run is made of are not
// replaced.
func writeOutput(t *terminal, path string, data []byte) error {
	if isStandardOutput(path) {
		if _, err := t.stdout.Write(data); err != nil {
			return fmt.Errorf("write standard output: %w", err)
		}
		return nil
	}
	if err := checkOutput(path); err != nil {
		return err
	}
	return atomicfile.WriteOutput(path, data)
}

// writeOutputBy is writeOutput of what write writes. What write itself fails with
// is returned as it is.
func writeOutputBy(t *terminal, path string, write func(io.Writer) error) error {
	if isStandardOutput(path) {
		return write(t.stdout)
	}
	if err := checkOutput(path); err != nil {
		return err
	}
	var failed error
	err := atomicfile.WriteOutputBy(path, func(w io.Writer) error {
		failed = write(w)
		return failed
	})
	if failed != nil {
		return failed
	}
	return err
}

// checkOutput returns the error that writeOutput would give for the path, for
// commands that work long before they write.
func checkOutput(path string) error {
	if isStandardOutput(path) {
		return nil
	}
	dir, name := filepath.Split(path)
	if slices.Contains(train.RunFiles(), name) {
		if _, err := os.Stat(filepath.Join(dir, train.ConfigFile)); err == nil {
			return usagef("write %s: it belongs to the run in %s, want another file", path, filepath.Clean(dir))
		}
	}
	return atomicfile.CheckOutput(path)
}

func isStandardOutput(path string) bool {
	return path == "/dev/stdout" || path == "/dev/fd/1" || path == "/proc/self/fd/1"
}
