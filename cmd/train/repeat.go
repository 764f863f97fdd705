package main

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train"
	"github.com/alecthomas/kong"
)

// repeatCommand returns the command line, fit or compare, that trains as the
// settings say, or "" if there is a setting that has no flag. Every setting stands in it, so that
// it means the same when defaults change. Lines end where a shell goes on.
func repeatCommand(program, command string, c train.Config) string {
	var rest train.OptimizerConfig // what flags can say of the optimizer
	rest.WeightDecay, rest.Momentum, rest.Nesterov, rest.AMSGrad = c.WeightDecay, c.Momentum, c.Nesterov, c.AMSGrad
	if !reflect.DeepEqual(c.OptimizerConfig, rest) {
		return ""
	}
	computing := computingWords(&c)
	if command == "fit" { // compare trains with both
		computing.add("impl", c.Impl)
	}
	groups := []string{program + " " + command + " " + dataWords(&c).String(), modelWords(&c).String(), computing.String(), trainingWords(&c).String()}
	return strings.Join(groups, " \\\n  ")
}

func dataWords(c *train.Config) words {
	w := words{}
	w.add("dataset", c.Dataset)
	if c.Rows != 0 {
		w.add("n", strconv.Itoa(c.Rows))
	}
	if c.Noise != nil {
		w.number("noise", *c.Noise)
	}
	if c.Target != "" {
		w.add("target", c.Target)
	}
	if c.Task != datasets.AutoTask {
		w.add("task", c.Task.String())
	}
	csv := &c.CSV
	for _, list := range []struct {
		flag    string
		columns []string
	}{{"numeric", csv.Numeric}, {"categorical", csv.Categorical}, {"dates", csv.Dates}, {"drop", csv.Drop}, {"only", csv.Only}} {
		if len(list.columns) > 0 {
			w.add(list.flag, kong.JoinEscaped(list.columns, ','))
		}
	}
	for _, setting := range []struct{ flag, value string }{
		{"missing", string(csv.Missing)}, {"separator", csv.Separator}, {"decimal", csv.DecimalPoint}, {"encoding", csv.Charset},
	} {
		if setting.value != "" {
			w.add(setting.flag, setting.value)
		}
	}
	if csv.MaxCategories != 0 {
		w.add("max-categories", strconv.Itoa(csv.MaxCategories))
	}
	w.number("validation", c.Fractions.Validation)
	w.number("test", c.Fractions.Test)
	w.add("scaling", string(c.Scaling))
	w.add("seed", strconv.FormatUint(c.Seed, 10))
	return w
}

func modelWords(c *train.Config) words {
	w := words{}
	if c.From != "" {
		w.add("from", c.From)
	}
	w.add("hidden", widthList(c.Hidden))
	w.add("activation", c.Activation)
	w.optional("dropout", c.Dropout)
	w.add("init", c.Init)
	w.add("bias-init", c.BiasInit)
	return w
}

func computingWords(c *train.Config) words {
	w := words{}
	w.add("dtype", c.Dtype)
	w.add("device", c.Device)
	w.add("machine", c.Machine)
	return w
}

func trainingWords(c *train.Config) words {
	w := words{}
	w.add("optimizer", c.Optimizer)
	w.number("lr", c.LR)
	w.optional("momentum", c.Momentum)
	if c.Nesterov {
		w = append(w, "--nesterov")
	}
	if c.AMSGrad {
		w = append(w, "--amsgrad")
	}
	w.number("weight-decay", c.WeightDecay)
	w.add("schedule", c.Schedule)
	w.optional("warmup", c.WarmupEpochs)
	w.optional("clip-norm", c.ClipNorm)
	w.optional("clip-value", c.ClipValue)
	w.add("epochs", strconv.Itoa(c.Epochs))
	w.add("batch", strconv.Itoa(c.Batch))
	if c.Microbatches > 1 {
		w.add("microbatches", strconv.Itoa(c.Microbatches))
	}
	if c.Patience != 0 {
		w.add("patience", strconv.Itoa(c.Patience))
	}
	w.optional("min-delta", c.MinDelta)
	if c.ClassWeights != "" {
		w.add("class-weights", c.ClassWeights)
	}
	w.add("monitor", c.Monitor)
	return w
}

// words are flags with their values, as a shell takes them.
type words []string

func (w *words) add(flag, value string) {
	if strings.HasPrefix(value, "-") { // not to be taken for a flag
		*w = append(*w, "--"+flag+"="+quoted(value))
		return
	}
	*w = append(*w, "--"+flag+" "+quoted(value))
}

func (w *words) number(flag string, x float64) {
	w.add(flag, strconv.FormatFloat(x, 'g', -1, 64))
}

// optional leaves out a setting that is off.
func (w *words) optional(flag string, x float64) {
	if x != 0 {
		w.number(flag, x)
	}
}

func (w words) String() string { return strings.Join(w, " ") }
