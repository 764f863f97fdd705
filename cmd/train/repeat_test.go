package main

import (
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train"
	"github.com/alecthomas/kong"
)

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
	if _, err := parser.Parse(args[2:]); err != nil { // behind "train fit"
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
