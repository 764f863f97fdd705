package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// writeWhole writes a file as a whole or not at all: what cannot be finished
// leaves an older file of that name as it was.
func writeWhole(path string, data []byte) error {
	if err := replaceFile(path, data); err != nil {
		// The names of temporary files tell nobody anything.
		var onPath *fs.PathError
		var onLink *os.LinkError
		if errors.As(err, &onPath) {
			err = onPath.Err
		} else if errors.As(err, &onLink) {
			err = onLink.Err
		}
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already where all went well
	_, err = f.Write(data)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}
