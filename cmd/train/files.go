package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

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

// runsFolder is where run directories go that were not named.
const runsFolder = "runs"

// newRunDir returns the next free numbered directory for a dataset, as
// runs/moons-001, and makes it, so that two programs never get the same one.
func newRunDir(dataset string) (string, error) {
	if err := os.MkdirAll(runsFolder, 0o755); err != nil {
		return "", fmt.Errorf("make a run directory: %w", err)
	}
	prefix := runPrefix(dataset)
	for number := lastRun(prefix) + 1; ; number++ {
		dir := filepath.Join(runsFolder, fmt.Sprintf("%s%03d", prefix, number))
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("make a run directory: %w", err)
		}
	}
}

// runPrefix is what the names of a dataset's runs start with: the dataset's
// name or, for a file, that of the file.
func runPrefix(dataset string) string {
	if _, path, isFile := strings.Cut(dataset, ":"); isFile {
		if absolute, err := filepath.Abs(path); err == nil {
			path = absolute // "idx:." is called after the directory
		}
		dataset = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	plain := func(r rune) rune {
		if r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}
	return strings.Map(plain, dataset) + "-"
}

// lastRun returns the highest number in use, 0 if there is none.
func lastRun(prefix string) int {
	taken, _ := filepath.Glob(filepath.Join(runsFolder, prefix+"*"))
	last := 0
	for _, path := range taken {
		if n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), prefix)); err == nil {
			last = max(last, n)
		}
	}
	return last
}
