// Package atomicfiletest lets the writing of files fail in tests.
package atomicfiletest

import (
	"errors"

	"github.com/affine-go/affine/internal/atomicfile"
)

// ErrDiskFull is what a failing write returns.
var ErrDiskFull = errors.New("no space left on device")

// Failing is the operating system with a disk that becomes full: after Budget
// units, each a byte written, a file made, flushed or renamed or a directory
// flushed, everything fails with ErrDiskFull but the removal of files.
type Failing struct {
	atomicfile.OS
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
	f, err := s.OS.Create(path)
	return &file{f, s}, err
}

func (s *Failing) Rename(from, to string) error {
	if err := s.one(); err != nil {
		return err
	}
	return s.OS.Rename(from, to)
}

func (s *Failing) SyncDir(dir string) error {
	if err := s.one(); err != nil {
		return err
	}
	return s.OS.SyncDir(dir)
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
