package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/bench"
	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"
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
				t.Errorf("test accuracy or R² is %s, want at least %v", format.Known(got), want)
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

func TestDurationsAreShort(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{duration(0), "0:00"}, {duration(0.2), "0:01"}, {duration(61), "1:01"}, {duration(3599), "59:59"}, {duration(3723), "1:02:03"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

// The epoch stays, then the time that is left.
func TestProgressFitsTheTerminal(t *testing.T) {
	parts := []part{{0, "epoch 3/10"}, {2, "loss 0.5"}, {3, "accuracy 0.91"}, {1, "0:03 left"}}
	for _, c := range []struct {
		room int
		want string
	}{
		{80, "epoch 3/10 loss 0.5 accuracy 0.91 0:03 left"},
		{35, "epoch 3/10 loss 0.5 0:03 left"},
		{20, "epoch 3/10 0:03 left"},
		{12, "epoch 3/10"},
		{1, "epoch 3/10"},
	} {
		if got := fitting(" ", c.room, parts); got != c.want {
			t.Errorf("in %d columns: %q, want %q", c.room, got, c.want)
		}
	}
	if len(parts) != 4 || parts[1].text != "loss 0.5" {
		t.Errorf("the parts have become %v", parts)
	}
}

// A terminal of 60 columns has room for the time left, whatever the numbers.
func TestSixtyColumnsHaveRoomForTheTimeLeft(t *testing.T) {
	p := &train.Progress{Config: train.Config{Epochs: 100_000}, Epoch: 99_999, Step: 1, EpochSteps: 100, Rows: 1 << 30,
		History: &train.History{Task: datasets.Classification, Epochs: []train.EpochRecord{{Epoch: 1, TrainLoss: 1.23e-10, ValLoss: 1.23e-10, ValMetric: 0.123}}}}
	c := clock{started: time.Now().Add(-time.Hour)}
	if text := fitting(" ", 60-leastBar-barFrame, c.parts(p)); !strings.HasPrefix(text, "epoch ") || !strings.Contains(text, " left") {
		t.Errorf("60 columns show %q", text)
	}
}

func TestTenLinesAreLeftOfAnyNumberOfEpochs(t *testing.T) {
	for _, epochs := range []int{1, 2, 9, 10, 11, 15, 99, 100, 101, 1000} {
		lines := 0
		for epoch := 1; epoch <= epochs; epoch++ {
			if tenth(epoch, epochs) {
				lines++
			}
		}
		if lines != min(epochs, 10) || !tenth(epochs, epochs) {
			t.Errorf("%d epochs leave %d lines, the last one: %t", epochs, lines, tenth(epochs, epochs))
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

// FuzzFlags reads arguments, separated by spaces, and the settings that they
// make, but runs no command.
func FuzzFlags(f *testing.F) {
	for _, line := range []string{
		"", "fit", "--help", "--version", "fit --help", "ftt", "--lr -1", "--lr=-1e999", "--lr NaN", "--hidden 64,,64", "--hidden none",
		"fit --dataset moons --n 0 --noise -1 --validation 0.5 --test 0.5", "--activation leakyrelu(0.2) --init he --dtype float16",
		"--optimizer sgd --momentum 0.9 --nesterov --schedule cosine --warmup 1.5", "--epochs 9223372036854775808 --batch -9", "--microbatches 3",
		"--class-weights balanced", "--class-weights a=1,b=", "--monitor val_loss --validation 0", "--device cuda:-1", "--matmul-precision medium",
		"--numeric a,b --categorical c --drop d --separator \t --missing drop", "--what", "-x", "--", "-- a", "fit  ", "--target=\x1b[2J", "--out", "--seed \xff",
		"eval", "eval a b", "predict run --input a.csv --proba=maybe", "export run --format onnx", "bench --quick", "bench --ops all", "compare --impl fused",
		"datasets moons --json", "lr-find --dataset moons", "gradcheck --tolerance x", "doctor --json=2", "completion", "report a b c", "import x --hidden 2",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var stdout, stderr bytes.Buffer
		out := &checkedWriter{Writer: &stdout}
		code := exitCode(parse(strings.Split(line, " "), newTerminal(nil, out, &stderr), func(ctx *kong.Context) error {
			fit, ok := ctx.Selected().Target.Addr().Interface().(*fitCommand)
			if !ok || fit.Resume || fit.From != nil || fit.Config != nil {
				return nil
			}
			if fit.Dataset != nil {
				if _, err := datasets.Describe(*fit.Dataset); err != nil {
					return nil // it names a file
				}
			}
			_, err := fit.config()
			return err
		}), out, &stderr)
		message := stderr.String()
		switch {
		case code == exitDone && message == "":
		case code != exitFailed && code != exitUsage:
			t.Errorf("%q: exit code %d, and on standard error %q", line, code, message)
		case !strings.HasSuffix(message, "\n") || strings.ContainsFunc(strings.TrimSuffix(message, "\n"), unicode.IsControl) || !utf8.ValidString(message):
			t.Errorf("%q: got %q, want one line without control characters", line, message)
		case stdout.Len() > 0:
			t.Errorf("%q: got %q on standard output besides the error %q", line, stdout.String(), message)
		}
	})
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

// near FILE PATH PATH DISTANCE checks that two numbers of a JSON object are no
// further apart than the distance; FILE may be stdout. PATH is made of names
// with dots between them.
func near(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: near FILE PATH PATH DISTANCE")
	}
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &object))
	numbers := [2]float64{}
	for i, path := range args[1:3] {
		var value any = object
		for step := range strings.SplitSeq(path, ".") {
			fields, _ := value.(map[string]any)
			value = fields[step]
		}
		number, ok := value.(float64)
		if !ok {
			ts.Fatalf("%s is %v, want a number", path, value)
		}
		numbers[i] = number
	}
	distance, err := strconv.ParseFloat(args[3], 64)
	ts.Check(err)
	if math.Abs(numbers[0]-numbers[1]) > distance {
		ts.Fatalf("%s is %v and %s is %v, want them within %v", args[1], numbers[0], args[2], numbers[1], distance)
	}
}

func processor(t *testing.T) device.Device {
	t.Helper()
	dev, err := device.Open("cpu")
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func TestQuickBenchmarkLeavesOutOnlyWhatTakesLong(t *testing.T) {
	dev := processor(t)
	quick := benchCommand{Quick: true, Dtype: dtypeNames}
	kept, err := quick.cases(dev)
	if err != nil {
		t.Fatal(err)
	}
	ops := map[string]bool{}
	for _, k := range kept {
		ops[k.Op] = true
		if k.FLOPs() > quickFLOPs {
			t.Errorf("%s takes %.2g operations, want at most %.2g", k.Shape(), k.FLOPs(), quickFLOPs)
		}
	}
	if len(ops) != len(bench.Ops()) {
		t.Errorf("ops are %v, want all of %v", ops, bench.Ops())
	}
	left := len(bench.DefaultCases(dev)) - len(kept)
	if left == 0 || left > len(kept) {
		t.Errorf("%d cases were left out of %d", left, left+len(kept))
	}
}

func TestInterruptedBenchmarkSaysHowFarItCame(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dev := processor(t)
	cases, err := (&benchCommand{Size: []string{"1x1x1"}, Dtype: dtypeNames}).cases(dev)
	if err != nil {
		t.Fatal(err)
	}
	_, err = measure(ctx, newTerminal(strings.NewReader(""), io.Discard, io.Discard), cases, (&benchCommand{}).options(dev))
	var interrupted *interruptedError
	if !errors.As(err, &interrupted) || !strings.Contains(err.Error(), "after 0 of 4 shapes") {
		t.Errorf("error is %v, want one that says 0 of 4 shapes and ends with the code of an interrupt", err)
	}
}

// parsed returns the settings that fit takes from a command line, which it
// splits as a shell does: at blanks, with quotes and continued lines.
func parsed(t *testing.T, line string) train.Config {
	t.Helper()
	var args []string
	quoted, word := false, strings.Builder{}
	for _, r := range strings.ReplaceAll(line, "\\\n", " ") + " " {
		switch {
		case r == '\'':
			quoted = !quoted
		case r == ' ' && !quoted:
			if word.Len() > 0 {
				args = append(args, word.String())
			}
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	var fit fitCommand
	parser, err := kong.New(&fit, kong.Vars(helpVars()), kong.Exit(func(int) { t.Fatalf("%s: wanted help", line) }), kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args[2:]); err != nil { // after "train fit"
		t.Fatalf("%s: %v", line, err)
	}
	c, err := fit.config()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return c
}

func TestTheRepeatedCommandMeansTheSameSettings(t *testing.T) {
	noise, moons := 0.05, train.DefaultConfig("moons", nil)
	moons.Seed = 7
	all := moons
	all.Rows, all.Noise, all.Fractions, all.Scaling = 90, &noise, datasets.Fractions{Validation: 0.25, Test: 0.125}, datasets.MinMax
	all.Hidden, all.Activation, all.Init, all.BiasInit = []int{}, "leakyrelu(0.2)", "he-normal", "zeros"
	all.Dtype, all.Device, all.Impl, all.Machine = "float64", "cpu", train.Builtin, train.TapeMachine
	all.Optimizer, all.LR, all.Momentum, all.Nesterov, all.WeightDecay = "sgd", 1e-7, 0.9, true, 0.001
	all.Schedule, all.WarmupEpochs, all.ClipNorm, all.ClipValue = "cosine", 1.5, 2, 0.5
	all.Epochs, all.Batch, all.Patience, all.MinDelta, all.Monitor = 12, 5, 3, 1e-5, "val_metric"
	for name, c := range map[string]train.Config{"defaults": moons, "every flag": all} {
		line := repeatCommand("train", "fit", c)
		if got := parsed(t, line); !reflect.DeepEqual(got, c) {
			t.Errorf("%s:\n%s\ngives %+v\nwant  %+v", name, line, got, c)
		}
	}
}

func TestWordsOfTheRepeatedCommandAreQuoted(t *testing.T) {
	c := train.DefaultConfig("csv:my data.csv", nil)
	c.Target = "-price $"
	line := repeatCommand("train", "fit", c)
	for _, want := range []string{"--dataset 'csv:my data.csv'", "--target='-price $'"} {
		if !strings.Contains(line, want) {
			t.Errorf("%q is not in %s", want, line)
		}
	}
}

func TestSettingsWithoutAFlagHaveNoCommand(t *testing.T) {
	c := train.DefaultConfig("moons", nil)
	c.Betas = &[2]float64{0.8, 0.9}
	if line := repeatCommand("train", "fit", c); line != "" {
		t.Errorf("command is %q, but no flag sets the betas", line)
	}
}

func TestTheRepeatedComparisonNamesNoImplementation(t *testing.T) {
	c := train.DefaultConfig("moons", nil)
	if line := repeatCommand("train", "compare", c); !strings.HasPrefix(line, "train compare --dataset moons ") || strings.Contains(line, "--impl") {
		t.Errorf("command is %q, want one of compare without --impl", line)
	}
}
