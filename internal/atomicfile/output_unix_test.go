//go:build unix

package atomicfile_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/affine-go/affine/internal/atomicfile"
)

func TestAnOutputReplacesTheTargetOfALink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	must(t, os.WriteFile(target, []byte("before, and longer"), 0o600))
	must(t, os.Symlink(target, link))
	must(t, atomicfile.WriteOutput(link, []byte("after")))
	holds(t, target, "after")
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v", info.Mode())
	}
}

func TestAnOutputIsWrittenThroughAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(path, 0o600))
	read := make(chan string)
	go func() {
		f, err := os.Open(path)
		if err != nil {
			read <- err.Error()
			return
		}
		defer f.Close()
		data, _ := io.ReadAll(f)
		read <- string(data)
	}()
	must(t, atomicfile.WriteOutput(path, []byte("through")))
	if got := <-read; got != "through" {
		t.Errorf("the reader got %q", got)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the pipe became %v", info.Mode())
	}
}

// A process substitution hands over the name of an open descriptor.
func TestAnOutputIsWrittenToADescriptor(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	must(t, atomicfile.WriteOutput(fmt.Sprintf("/dev/fd/%d", w.Fd()), []byte("substituted")))
	must(t, w.Close())
	if got, err := io.ReadAll(r); err != nil || string(got) != "substituted" {
		t.Errorf("the reader got %q, %v", got, err)
	}
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	must(t, err)
	_, err = f.WriteString("first, ")
	must(t, err)
	must(t, atomicfile.WriteOutput(fmt.Sprintf("/dev/fd/%d", f.Fd()), []byte("second")))
	must(t, f.Close())
	holds(t, path, "first, second")
}

func TestADeviceIsWrittenToAndStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "null")
	if err := syscall.Mknod(path, syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
		t.Skip("only root makes devices:", err)
	}
	if f, err := os.OpenFile(path, os.O_WRONLY, 0); err != nil {
		t.Skip("the file system has no devices:", err)
	} else {
		f.Close()
	}
	must(t, atomicfile.WriteOutput(path, []byte("gone")))
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		t.Errorf("the device became %v", info.Mode())
	}
}

func TestWhatMustNotBeReplacedIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.Mkdir(path("folder"), 0o755))
	must(t, os.WriteFile(path("protected"), []byte("kept"), 0o444))
	must(t, os.Symlink(path("nothing"), path("dangling")))
	must(t, os.Symlink(path("loop"), path("loop")))
	if l, err := net.Listen("unix", path("socket")); err == nil {
		defer l.Close()
	}
	for name, words := range map[string]string{
		"folder": "directory", "protected": "write-protected", "dangling": "does not exist", "socket": "socket", "loop": "",
	} {
		if _, err := os.Lstat(path(name)); err != nil {
			continue // no sockets here
		}
		for _, err := range []error{atomicfile.CheckOutput(path(name)), atomicfile.WriteOutput(path(name), []byte("x"))} {
			if err == nil || !strings.Contains(err.Error(), path(name)) || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: got %v, want an error with %q", name, err, words)
			}
		}
	}
	holds(t, path("protected"), "kept")
	if _, err := os.Lstat(path("nothing")); err == nil {
		t.Error("the target of a dangling link was made")
	}
}

func TestNewFilesRespectTheUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o027))
	path := filepath.Join(t.TempDir(), "a.txt")
	must(t, atomicfile.WriteFile(path, nil))
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o640 {
		t.Errorf("mode is %v, want -rw-r-----", info.Mode())
	}
}
