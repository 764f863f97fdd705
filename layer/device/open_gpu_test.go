//go:build gpu

package device

import (
	"strings"
	"testing"
)

func TestAutoSaysWhyItIsNoCard(t *testing.T) {
	d, err := Open("auto")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	n, why := Cards()
	f, fallback := d.(Fallback)
	if fallback != (n == 0) {
		t.Fatalf("with %d cards (%v) auto is %s", n, why, d.Name())
	}
	if fallback && (d.Name() != "cpu" || !strings.Contains(d.Description(), f.Instead().Error())) {
		t.Errorf("auto is %s, described as %q; want cpu and %q", d.Name(), d.Description(), f.Instead())
	}
}

func TestCardsDescribeThemselves(t *testing.T) {
	d, err := Open("cuda:0")
	if err != nil {
		t.Skip(err)
	}
	defer d.Close()
	details, err := d.(Inspector).Details()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"memory", "driver", "kernels", "cublasLt"} {
		if details[i].Name != want || details[i].Value == "" {
			t.Errorf("detail %d is %v, want one on %s", i, details[i], want)
		}
	}
	if !strings.Contains(d.Description(), "compute capability") {
		t.Errorf("description %q", d.Description())
	}
	p := d.(PrecisionSetter)
	if err := p.SetMatmulPrecision("low"); err == nil || !strings.Contains(err.Error(), "highest, high or medium") {
		t.Errorf("error %v, want the names of the precisions", err)
	}
	without := strings.HasPrefix(details[3].Value, "none")
	if err := p.SetMatmulPrecision("high"); (err != nil) != without {
		t.Errorf("cublasLt is %q: error %v", details[3].Value, err)
	}
}
