package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks returns the fenced blocks of a language.
func blocks(text, language string) []string {
	var list []string
	for _, found := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		list = append(list, found[1])
	}
	return list
}

// inModule makes a program of one file a package of this module, without
// writing into it, and returns the arguments for the go command.
func inModule(t *testing.T, source string) []string {
	t.Helper()
	dir := t.TempDir()
	file, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "program", "main.go"): file}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{file: []byte(source), overlay: replace} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"-overlay", overlay}
}

func TestTheWholeProgramRunsAsPasted(t *testing.T) {
	programs := 0
	for _, block := range blocks(read(t, "README.md"), "go") {
		if !strings.HasPrefix(block, "package main") {
			continue
		}
		programs++
		out, err := exec.Command("go", append(append([]string{"run"}, inModule(t, block)...), "./program")...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v:\n%s", err, out)
		}
		losses := regexp.MustCompile(`loss ([0-9.]+)`).FindAllStringSubmatch(string(out), -1)
		if len(losses) < 2 || losses[0][1][:3] < "0.6" || losses[len(losses)-1][1][:4] != "0.00" {
			t.Errorf("the loss does not go from 0.7 to nearly 0:\n%s", out)
		}
	}
	if programs != 1 {
		t.Errorf("the README has %d whole programs, want 1", programs)
	}
}

// fragment is what a block that is no whole program may take for granted.
const fragment = `package main

import (
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/blas"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
)

func fragment(g *gorgonia.ExprGraph, x, w, b, targets *gorgonia.Node) {
%s}

func main() {}
`

func TestEveryGoBlockCompiles(t *testing.T) {
	unused := regexp.MustCompile(`declared and not used|imported and not used`)
	for _, block := range blocks(read(t, "README.md"), "go") {
		if strings.HasPrefix(block, "package ") {
			continue
		}
		// -e: all errors. What a fragment declares it need not use.
		args := append(append([]string{"build", "-gcflags=-e", "-o", os.DevNull}, inModule(t, fmt.Sprintf(fragment, block))...), "./program")
		out, _ := exec.Command("go", args...).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !unused.MatchString(line) {
				t.Errorf("%s\ndoes not compile: %s", block, line)
			}
		}
	}
}

var (
	numbers = regexp.MustCompile(`[0-9][0-9.\x{202f}]*(e-?[0-9]+|·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?[kM]?( (µs|ms|s)\b)?`)
	spaces  = regexp.MustCompile(` +`)
)

// masked leaves of a line what is the same on every machine.
func masked(line string) string {
	return strings.TrimSpace(spaces.ReplaceAllString(numbers.ReplaceAllString(line, "N"), " "))
}

func TestTheTerminalShowsWhatTheCommandPrints(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "train")
	if out, err := exec.Command("go", "build", "-o", program, root+"/cmd/train").CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	command := exec.Command(program)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	printed := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		printed[masked(line)] = true
	}
	shown := blocks(read(t, "README.md"), "console")[0]
	for line := range strings.Lines(strings.TrimPrefix(shown, "$ go run ./cmd/train\n")) {
		if line = strings.TrimSpace(line); line != "" && line != "…" && !printed[masked(line)] {
			t.Errorf("the command does not print %q but\n%s", line, out)
		}
	}
	if !regexp.MustCompile(`(?m)^test +200 .* (0\.9[5-9]|1\.0)`).Match(out) {
		t.Errorf("the command trains a model that is worse than shown:\n%s", out)
	}
	testPython(t, program, dir)
}

// testPython runs what the README says of Python with the interpreter that
// AFFINE_PYTHON names, which has PyTorch and safetensors.
func testPython(t *testing.T, program, dir string) {
	python := os.Getenv("AFFINE_PYTHON")
	if python == "" {
		return
	}
	export := exec.Command(program, "export", "runs/moons-001", "--format", "torch", "--output", "moons.safetensors")
	script := exec.Command(python, "-c", blocks(read(t, "README.md"), "python")[0])
	for _, command := range []*exec.Cmd{export, script} {
		command.Dir = dir
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v:\n%s", command.Args, err, out)
		}
		if command == script && !strings.Contains(string(out), "Sequential(") {
			t.Errorf("Python prints\n%s", out)
		}
	}
}

// Other instruction sets round otherwise, so a few pixels may differ.
func TestThePictureIsWhatTheTrainingDraws(t *testing.T) {
	drawn, err := draw()
	if err != nil {
		t.Fatal(err)
	}
	got, want := decode(t, drawn), decode(t, []byte(read(t, "docs/boundary.png")))
	if got.Bounds() != want.Bounds() {
		t.Fatalf("the picture is %v large, the one in docs %v", got.Bounds(), want.Bounds())
	}
	different, all := 0, 0
	for y := range got.Bounds().Dy() {
		for x := range got.Bounds().Dx() {
			a, b := color.GrayModel.Convert(got.At(x, y)).(color.Gray), color.GrayModel.Convert(want.At(x, y)).(color.Gray)
			if max(a.Y, b.Y)-min(a.Y, b.Y) > 16 {
				different++
			}
			all++
		}
	}
	if 50*different > all {
		t.Errorf("%d of %d pixels differ, want at most 2 %%; draw it again: go run ./internal/readme docs/boundary.png", different, all)
	}
}

func decode(t *testing.T, data []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}
