package atomicfile_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/atomicfile"
	"github.com/affine-go/affine/internal/atomicfile/atomicfiletest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func holds(t testing.TB, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	must(t, err)
	if string(got) != want {
		t.Errorf("%s holds %q, want %q", path, got, want)
	}
}

func names(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func TestAFileIsReplacedAsAWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	must(t, atomicfile.WriteFile(path, []byte("first")))
	must(t, os.Chmod(path, 0o640))
	must(t, atomicfile.WriteFile(path, []byte("second")))
	holds(t, path, "second")
	info, err := os.Stat(path)
	must(t, err)
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("mode is %v, want that of the file before, -rw-r-----", info.Mode())
	}
	if got := names(t, dir); got != "a.txt" {
		t.Errorf("the directory holds %s, want a.txt", got)
	}
}

// Wherever a disk becomes full, the previous file is there, or the new one, and
// nothing else.
func TestAFullDiskLosesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	before, after := "what was there", "what is to be there"
	for budget := 0; ; budget++ {
		must(t, atomicfile.WriteFile(path, []byte(before)))
		disk := &atomicfiletest.Failing{Budget: budget}
		restore := atomicfile.Use(disk)
		err := atomicfile.WriteFile(path, []byte(after))
		restore()
		if got := names(t, dir); got != "a.txt" {
			t.Fatalf("after %d units the directory holds %s, want a.txt", budget, got)
		}
		if err == nil {
			holds(t, path, after)
			if budget < len(after) {
				t.Errorf("%d bytes were written in %d units", len(after), budget)
			}
			return
		}
		if !errors.Is(err, atomicfiletest.ErrDiskFull) || !strings.HasPrefix(err.Error(), "write "+path+": ") {
			t.Fatalf("after %d units: %v", budget, err)
		}
		want := before
		if budget == len(after)+3 { // made, written, flushed, renamed; only the directory was not flushed
			want = after
		}
		holds(t, path, want)
	}
}

func TestAnErrorOfTheWriterLeavesTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	must(t, atomicfile.WriteFile(path, []byte("before")))
	broken := errors.New("out of ink")
	err := atomicfile.Write(path, func(w io.Writer) error {
		_, err := io.WriteString(w, "half of")
		must(t, err)
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the writer's error", err)
	}
	holds(t, path, "before")
	if got := names(t, dir); got != "a.txt" {
		t.Errorf("the directory holds %s, want a.txt", got)
	}
}

func TestALinkIsReplacedNotFollowed(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	must(t, os.WriteFile(target, []byte("not to be touched"), 0o644))
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	must(t, atomicfile.WriteFile(link, []byte("new")))
	holds(t, target, "not to be touched")
	holds(t, link, "new")
	if info, err := os.Lstat(link); err != nil || !info.Mode().IsRegular() {
		t.Errorf("it is %v, %v, want a regular file", info.Mode(), err)
	}
}

func TestLeftTemporariesAreRecognised(t *testing.T) {
	dir := t.TempDir()
	var temporary string
	must(t, atomicfile.Write(filepath.Join(dir, "a.txt"), func(io.Writer) error {
		for _, name := range strings.Fields(names(t, dir)) {
			temporary = name
		}
		return nil
	}))
	for name, want := range map[string]bool{
		temporary: true, ".a.txt.0123456789abcdef.tmp": true, "a.txt": false, ".a.txt.tmp": false, ".0123456789abcdef.tmp": false,
		".a.txt.0123456789abcdeg.tmp": false, ".a.txt.0123456789ABCDEF.tmp": false, "a.txt.0123456789abcdef.tmp": false, ".tmp": false, "": false,
	} {
		if got := atomicfile.IsTemporary(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
		if name != "" {
			must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
		}
	}
	must(t, os.Mkdir(filepath.Join(dir, ".d.0123456789abcdef.tmp"), 0o755))
	must(t, atomicfile.RemoveTemporaries(dir))
	for _, name := range strings.Fields(names(t, dir)) {
		if atomicfile.IsTemporary(name) && name != ".d.0123456789abcdef.tmp" {
			t.Errorf("%s was not removed", name)
		}
	}
	if got := len(strings.Fields(names(t, dir))); got != 8 {
		t.Errorf("%d files are left: %s, want 8", got, names(t, dir))
	}
}

func TestLongNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("n", 250))
	must(t, atomicfile.WriteFile(path, []byte("x")))
	holds(t, path, "x")
}

func TestErrorsNameTheFileThatWasAskedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no-such-folder", "a.txt")
	for _, err := range []error{atomicfile.WriteFile(path, nil), atomicfile.WriteOutput(path, nil), atomicfile.CheckOutput(path)} {
		if err == nil || !strings.HasPrefix(err.Error(), "write "+path+": ") || strings.Contains(err.Error(), ".tmp") {
			t.Errorf("got %v, want an error that names %s alone", err, path)
		}
	}
}
