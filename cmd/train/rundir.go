package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

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
