package device

import (
	"strings"
	"testing"
)

func TestOpenCPUReturnsOneSharedDevice(t *testing.T) {
	a, err := Open("cpu")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(a.Name())
	if err != nil {
		t.Fatal(err)
	}
	if a != b {
		t.Errorf("two devices, %v and %v, want one", a, b)
	}
	if err := a.Close(); err != nil {
		t.Errorf("closing the processor: %v", err)
	}
	if y, err := For[float32](a).Alloc(1); err != nil || len(y) != 1 {
		t.Errorf("after Close: Alloc gave %v, %v; want a processor that is never released", y, err)
	}
	if a.Description() == "" {
		t.Error("empty description")
	}
}

func TestOpenAutoAlwaysFindsADevice(t *testing.T) {
	d, err := Open("auto")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Open(d.Name()); err != nil || again.Name() != d.Name() {
		t.Errorf("Open(%q) gave %v, %v", d.Name(), again, err)
	}
}

func TestOpenRefusesUnknownNames(t *testing.T) {
	for _, name := range []string{"", "CPU", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:+1", "cuda:1 ", "cuda1", "cuda:99999999999"} {
		d, err := Open(name)
		if err == nil {
			t.Errorf("Open(%q) gave %v, want an error", name, d)
			continue
		}
		for _, want := range []string{`"` + name + `"`, "cpu", "cuda:N", "auto"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("Open(%q): %q does not say %q", name, err, want)
			}
		}
	}
}
