package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

// System is what writing a file asks of the operating system.
type System interface {
	// Create makes a file that does not exist yet, mode 0666 less the umask.
	Create(path string) (File, error)
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir flushes the names in a directory to the disk.
	SyncDir(dir string) error
}

// File is a file that a [System] made.
type File interface {
	io.Writer
	Chmod(mode fs.FileMode) error
	Sync() error
	Close() error
}

var system System = OS{}

// Use puts another system in the place of the operating system until restore
// is called. It is for tests of what happens when writing fails; no file must
// be written meanwhile by another goroutine.
func Use(s System) (restore func()) {
	before := system
	system = s
	return func() { system = before }
}

// OS is the operating system.
type OS struct{}

func (OS) Create(path string) (File, error) {
	// O_EXCL refuses what is there already, a planted link too.
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

func (OS) Rename(from, to string) error { return os.Rename(from, to) }

func (OS) Remove(path string) error { return os.Remove(path) }

func (OS) SyncDir(dir string) error {
	if runtime.GOOS == "windows" { // which flushes names by itself and cannot be asked to
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err // EINVAL: a file system that does not flush directories
	}
	return nil
}
