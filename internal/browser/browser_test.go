package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAProgramThatIsNotThereIsAnErrorAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	if _, err := Start(filepath.Join(dir, "missing")); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("error is %v, want one that names the program", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// A program that ends without a word ends all that wait for it.
func TestAProgramThatIsNoBrowserIsAnError(t *testing.T) {
	if _, err := Start(os.Args[0]); err == nil {
		t.Error("this test was taken for a browser")
	}
}

// TestMain lets this binary, started as a browser, end at once.
func TestMain(m *testing.M) {
	for _, arg := range os.Args[1:] {
		if strings.HasPrefix(arg, "--remote-debugging-port") {
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}
