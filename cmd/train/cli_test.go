package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// quality is what the defaults of each dataset must reach on the test part with
// seed 1.
var quality = map[string]float64{
	"iris": 0.93, "moons": 0.97, "circles": 0.97, "spirals": 0.95, "xor": 0.98, "glyphs": 0.97, // accuracy
	"linear": 0.99, "sine": 0.98, "friedman1": 0.90, // R²
}

func TestDefaultsReachTheirQuality(t *testing.T) {
	for dataset, want := range quality {
		t.Run(dataset, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			args := []string{"fit", "--dataset", dataset, "--seed", "1", "--json", "--no-plots", "--out", filepath.Join(t.TempDir(), "run")}
			if code := run(args, nil, &stdout, &stderr); code != exitDone {
				t.Fatalf("exit code %d: %s", code, stderr.String())
			}
			var metrics struct {
				TestAccuracy *float64 `json:"test_accuracy"`
				TestR2       *float64 `json:"test_r2"`
			}
			if err := json.Unmarshal(stdout.Bytes(), &metrics); err != nil {
				t.Fatal(err)
			}
			got := either(metrics.TestAccuracy, metrics.TestR2)
			if got == nil || *got < want {
				t.Errorf("test accuracy or R² is %s, want at least %v", known(got), want)
			}
		})
	}
}

func TestNearestNamesComeFirst(t *testing.T) {
	for _, c := range []struct {
		name, want string
		valid      []string
	}{
		{"rleu", "relu", []string{"identity", "relu", "gelu", "silu"}},
		{"RELU", "relu", []string{"identity", "gelu", "relu"}},
		{"he", "he-uniform", []string{"zeros", "he-uniform", "he-normal"}},
		{"classify", "classification", []string{"auto", "classification", "regression"}},
		{"evaluate", "eval", []string{"fit", "eval", "predict"}},
		{"", "a", []string{"a", "bb"}},
		{"ä", "sgd", []string{"sgd", "adam"}},
	} {
		if got := nearest(c.name, c.valid)[0]; got != c.want {
			t.Errorf("nearest to %q is %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRunDirectoriesAreNumbered(t *testing.T) {
	t.Chdir(t.TempDir())
	next := func(dataset string) string {
		dir, err := newRunDir(dataset)
		if err != nil {
			t.Fatal(err)
		}
		return filepath.ToSlash(dir)
	}
	for _, c := range []struct{ dataset, want string }{
		{"moons", "runs/moons-001"},
		{"moons", "runs/moons-002"},
		{"csv:data/my flowers.csv", "runs/my_flowers-001"},
		{"idx:mnist/", "runs/mnist-001"},
		{"npz:a.b.npz", "runs/a_b-001"},
	} {
		if got := next(c.dataset); got != c.want {
			t.Errorf("run of %s is kept in %s, want %s", c.dataset, got, c.want)
		}
	}
	for _, name := range []string{"moons-041", "moons-best", "moons-007"} {
		if err := os.Mkdir(filepath.Join(runsFolder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got := next("moons"); got != "runs/moons-042" {
		t.Errorf("the run after 41 is %s", got)
	}
}

func TestWidthsAreReadAsTheyAreWritten(t *testing.T) {
	for _, list := range []string{"none", "1", "64,64", "512,256,10"} {
		widths, err := parseWidths(list)
		if err != nil || widthList(widths) != list {
			t.Errorf("%s is read as %v, %v", list, widths, err)
		}
	}
	for _, list := range []string{"0", "-1", "64,", "64;64", "sixty"} {
		if _, err := parseWidths(list); err == nil {
			t.Errorf("%q is taken for widths", list)
		}
	}
}

func TestDurationsAndRatesAreShort(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{duration(0), "0:00"}, {duration(0.2), "0:01"}, {duration(61), "1:01"}, {duration(3599), "59:59"}, {duration(3723), "1:02:03"},
		{rate(12), "12 rows/s"}, {rate(9999), "9999 rows/s"}, {rate(12345), "12k rows/s"}, {rate(2.3e6), "2.3M rows/s"},
		{microseconds(8.4), "8 µs"}, {microseconds(2500), "2.50 ms"}, {microseconds(3e6), "3.00 s"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestProgressFitsTheTerminal(t *testing.T) {
	parts := []string{"epoch 3/10", "loss 0.5", "", "accuracy 0.91", "0:03 left"}
	for _, c := range []struct {
		room int
		want string
	}{
		{80, "epoch 3/10 loss 0.5 accuracy 0.91 0:03 left"},
		{35, "epoch 3/10 loss 0.5 accuracy 0.91"},
		{20, "epoch 3/10 loss 0.5"},
		{1, "epoch 3/10"},
	} {
		if got := fitting(" ", c.room, parts...); got != c.want {
			t.Errorf("in %d columns: %q, want %q", c.room, got, c.want)
		}
	}
}

func TestTablesLineUp(t *testing.T) {
	rows := newTable("name", ">n", "what")
	rows.add("a", "1", "first")
	rows.add("größer", "1000", "")
	var out bytes.Buffer
	rows.write(&out)
	want := "name       n  what\na          1  first\ngrößer  1000\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestPathsAreQuotedForTheShell(t *testing.T) {
	for path, want := range map[string]string{
		"runs/moons-001": "runs/moons-001", "my runs/a": "'my runs/a'", "it's": `'it'\''s'`, "a$b": "'a$b'",
	} {
		if got := quoted(path); got != want {
			t.Errorf("%s is quoted as %s, want %s", path, got, want)
		}
	}
}

func TestProgramIsCalledAsItWasStarted(t *testing.T) {
	for arg, want := range map[string]string{
		"train": "train", "./train": "./train", "/tmp/go-build123/b001/exe/train": "go run ./cmd/train",
	} {
		if got := programName(arg); got != want {
			t.Errorf("%s is called %s, want %s", arg, got, want)
		}
	}
}

// Every error is one line, whatever the cause says.
func TestErrorsAreOneLine(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{
		{"fit", "--dataset", "a\nb"}, {"eval", "x\ny"}, {"fit", "--lr"}, {"--what"}, {"predict", "x", "--input"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(args, strings.NewReader(""), &stdout, &stderr); code == exitDone {
			t.Errorf("%q succeeds", args)
		}
		if n := strings.Count(stderr.String(), "\n"); n != 1 || stdout.Len() > 0 {
			t.Errorf("%q: %d lines on standard error, %d bytes on standard output:\n%s", args, n, stdout.Len(), stderr.String())
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// What was asked for has not been done if it could not be printed.
func TestOutputThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, args := range [][]string{{"doctor"}, {"doctor", "--json"}, {"datasets"}} {
		var stderr strings.Builder
		code := run(args, strings.NewReader(""), brokenWriter{}, &stderr)
		if code != exitFailed || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%v: exit code %d and %q, want %d and one line that says why", args, code, stderr.String(), exitFailed)
		}
	}
}

func TestHelpListsTheCommands(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run([]string{"--help"}, nil, &stdout, &stderr); code != exitDone {
		t.Fatal(stderr.String())
	}
	for _, command := range []string{"fit", "eval", "predict", "datasets", "gradcheck", "doctor"} {
		lines := strings.Split(stdout.String(), "\n")
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), command+" ") }) {
			t.Errorf("%s is not listed in\n%s", command, stdout.String())
		}
	}
}
