// Package atomicfiletest lets the writing of files fail in tests, and be fast.
package atomicfiletest

import (
	"errors"

	"github.com/affine-go/affine/internal/atomicfile"
)

// ErrDiskFull is what a failing write returns.
var ErrDiskFull = errors.New("no space left on device")

// Unsynced is the operating system without flushing to the disk, which takes
// tests most of their time and shows only when the power fails.
type Unsynced struct{ atomicfile.OS }

func (s Unsynced) Create(path string) (atomicfile.File, error) {
	f, err := s.OS.Create(path)
	return unsyncedFile{f}, err
}

func (Unsynced) SyncDir(string) error { return nil }

type unsyncedFile struct{ atomicfile.File }

func (unsyncedFile) Sync() error { return nil }

// Failing is the operating system with a disk that becomes full: after Budget
// units, each a byte written, a file made, flushed or renamed or a directory
// flushed, everything fails with ErrDiskFull but the removal of files.
type Failing struct {
	Unsynced
	Budget int
	Spent  int // units used, those that failed among them
}

// take spends up to n units and returns how many there were.
func (s *Failing) take(n int) int {
	left := max(s.Budget-s.Spent, 0)
	s.Spent += n
	return min(n, left)
}

func (s *Failing) one() error {
	if s.take(1) == 0 {
		return ErrDiskFull
	}
	return nil
}

func (s *Failing) Create(path string) (atomicfile.File, error) {
	if err := s.one(); err != nil {
		return nil, err
	}
	f, err := s.Unsynced.Create(path)
	return &file{f, s}, err
}

func (s *Failing) Rename(from, to string) error {
	if err := s.one(); err != nil {
		return err
	}
	return s.Unsynced.Rename(from, to)
}

func (s *Failing) SyncDir(dir string) error {
	if err := s.one(); err != nil {
		return err
	}
	return s.Unsynced.SyncDir(dir)
}

type file struct {
	atomicfile.File
	system *Failing
}

// Write writes what there is space for, as a full disk does.
func (f *file) Write(p []byte) (int, error) {
	room := f.system.take(len(p))
	n, err := f.File.Write(p[:room])
	if err == nil && room < len(p) {
		err = ErrDiskFull
	}
	return n, err
}

func (f *file) Sync() error {
	if err := f.system.one(); err != nil {
		return err
	}
	return f.File.Sync()
}
