// Package atomicfile writes files that are there as a whole or not at all.
//
// [WriteFile] and [Write] replace a file: until the new one is whole and on the
// disk, the previous one stays, whatever happens to the process or the machine.
// [WriteOutput] is for a path that a user named: what can only be written to,
// a device or a pipe, is written to, and what must not be replaced is refused.
package atomicfile

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// WriteFile replaces the file at path by one that holds data. See [Write].
func WriteFile(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Write replaces the file at path by what write writes.
//
// The content goes to a new file with an unpredictable name in the same
// directory, which is flushed to the disk and then renamed; the directory is
// flushed too. If anything fails, the new file is removed and path is as it
// was. A symbolic link at path is replaced, not followed. The mode is that of
// the file that was there or, for a new one, 0666 less the umask. Errors name
// path, never the temporary file.
func Write(path string, write func(io.Writer) error) error {
	err := replace(path, write)
	if err == nil {
		return nil
	}
	return fmt.Errorf("write %s: %w", path, cause(err))
}

func replace(path string, write func(io.Writer) error) error {
	s := system
	temporary := filepath.Join(filepath.Dir(path), temporaryName(filepath.Base(path)))
	f, err := s.Create(temporary)
	if err != nil {
		return err
	}
	err = fill(f, path, write)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = s.Rename(temporary, path)
	}
	if err != nil {
		s.Remove(temporary)
		return err
	}
	return s.SyncDir(filepath.Dir(path))
}

func fill(f File, path string, write func(io.Writer) error) error {
	if old, err := os.Lstat(path); err == nil && old.Mode().IsRegular() {
		if err := f.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := write(f); err != nil {
		return err
	}
	return f.Sync()
}

// The name of a temporary file is that of the file between these, with random
// hexadecimal digits before the suffix.
const (
	temporaryPrefix = "."
	temporarySuffix = ".tmp"
	randomBytes     = 8
	longestName     = 255 // of most file systems, in bytes
)

func temporaryName(base string) string {
	var random [randomBytes]byte
	rand.Read(random[:]) // never fails
	room := longestName - len(temporaryPrefix) - len(".") - 2*randomBytes - len(temporarySuffix)
	return temporaryPrefix + base[:min(len(base), room)] + "." + hex.EncodeToString(random[:]) + temporarySuffix
}

// IsTemporary reports whether name, without a directory, is that of a temporary
// file which a process that ended in the middle of [Write] may have left.
func IsTemporary(name string) bool {
	rest, isSuffix := strings.CutSuffix(name, temporarySuffix)
	digits := len(rest) - 2*randomBytes
	if !isSuffix || !strings.HasPrefix(rest, temporaryPrefix) || digits < 2 || rest[digits-1] != '.' {
		return false
	}
	_, err := hex.DecodeString(rest[digits:])
	return err == nil && rest[digits:] == strings.ToLower(rest[digits:])
}

// RemoveTemporaries removes the temporary files in dir that were left behind.
// The caller makes sure that no other process is writing there.
func RemoveTemporaries(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type().IsRegular() && IsTemporary(e.Name()) {
			if err := system.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// WriteOutput writes data to what a user named.
//
// A regular file, or one that does not exist yet, is replaced as [Write] does;
// the target of a symbolic link is, and the link stays. Character devices,
// pipes and the process's own descriptors (/dev/fd/63 of a process
// substitution) are written to. Directories, sockets, block devices, links to
// nothing and write-protected files are errors, and nothing is written.
func WriteOutput(path string, data []byte) error {
	return WriteOutputBy(path, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(data))
		return err
	})
}

// WriteOutputBy is [WriteOutput] of what write writes, which need not be in
// memory at once.
func WriteOutputBy(path string, write func(io.Writer) error) error {
	target, through, err := resolve(path)
	if err == nil && through {
		err = writeThrough(target, write)
	} else if err == nil {
		err = replace(target, write)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, cause(err))
	}
	return nil
}

// CheckOutput returns the error that [WriteOutput] would give for the path, as
// far as that can be told before anything is written.
func CheckOutput(path string) error {
	if _, _, err := resolve(path); err != nil {
		return fmt.Errorf("write %s: %w", path, cause(err))
	}
	return nil
}

// resolve returns the file to replace or, with through, to write to.
func resolve(path string) (target string, through bool, err error) {
	if isDescriptor(path) {
		return path, true, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if link, e := os.Lstat(path); e == nil && link.Mode()&fs.ModeSymlink != 0 {
			return "", false, errors.New("it is a link to a file that does not exist")
		}
		if parent, e := os.Stat(filepath.Dir(path)); e != nil || !parent.IsDir() {
			return "", false, fmt.Errorf("there is no directory %s", filepath.Dir(path))
		}
		return path, false, nil
	}
	if err != nil {
		return "", false, err
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return "", false, errors.New("it is a directory, want a file")
	case mode&fs.ModeSocket != 0:
		return "", false, errors.New("it is a socket, want a file")
	case mode&fs.ModeNamedPipe != 0, mode&fs.ModeCharDevice != 0:
		return path, true, nil
	case !mode.IsRegular():
		return "", false, errors.New("it is a device, want a file")
	case mode.Perm()&0o222 == 0:
		return "", false, errors.New("it is write-protected")
	}
	target, err = filepath.EvalSymlinks(path)
	return target, false, err
}

// isDescriptor reports whether the path stands for an open file of the process.
func isDescriptor(path string) bool {
	for _, prefix := range []string{"/dev/fd/", "/proc/self/fd/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return path == "/dev/stdout" || path == "/dev/stderr"
}

// writeThrough appends: a descriptor may be of a file that others write to.
func writeThrough(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	err = write(f)
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}

// cause strips what package os adds to an error: the names of temporary files
// tell nobody anything.
func cause(err error) error {
	var onPath *fs.PathError
	var onLink *os.LinkError
	if errors.As(err, &onPath) {
		return onPath.Err
	}
	if errors.As(err, &onLink) {
		return onLink.Err
	}
	return err
}
