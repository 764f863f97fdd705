package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train"
)

// fact is a name and a value.
type fact struct{ Name, Value string }

// facts are listed under a heading.
type facts struct {
	Title string
	Facts []fact
}

func (f *facts) add(name, value string) { f.Facts = append(f.Facts, fact{name, value}) }

// addSet adds what is not off.
func (f *facts) addSet(name string, value float64) {
	if value != 0 {
		f.add(name, format.Exact(value))
	}
}

// settings lists all that was chosen about a run.
func settings(c *train.Config) []facts { return []facts{dataFacts(c), modelFacts(c), trainingFacts(c)} }

func dataFacts(c *train.Config) facts {
	f := facts{Title: "Data"}
	f.add("dataset", c.Dataset)
	if c.Rows != 0 {
		f.add("rows", format.Count(c.Rows))
	}
	if c.Noise != nil {
		f.add("noise", format.Exact(*c.Noise))
	}
	if c.Target != "" {
		f.add("target", c.Target)
	}
	if c.Task != datasets.AutoTask {
		f.add("task", c.Task.String())
	}
	f.add("validation part", format.Exact(c.Fractions.Validation))
	f.add("test part", format.Exact(c.Fractions.Test))
	f.add("scaling", string(c.Scaling))
	f.add("seed", strconv.FormatUint(c.Seed, 10))
	return f
}

func modelFacts(c *train.Config) facts {
	f := facts{Title: "Model"}
	f.add("hidden layers", widths(c.Hidden))
	f.add("activation", c.Activation)
	f.addSet("dropout", c.Dropout)
	f.add("weights start as", c.Init)
	f.add("biases start as", c.BiasInit)
	f.add("layers", c.Impl)
	f.add("machine", c.Machine)
	f.add("device", c.Device)
	f.add("dtype", c.Dtype)
	return f
}

func trainingFacts(c *train.Config) facts {
	f := facts{Title: "Training"}
	f.add("optimizer", c.Optimizer)
	f.add("learning rate", format.Exact(c.LR))
	f.add("schedule", c.Schedule)
	f.addSet("warm-up epochs", c.WarmupEpochs)
	f.addSet("weight decay", c.WeightDecay)
	f.addSet("momentum", c.Momentum)
	f.addSet("dampening", c.Dampening)
	if c.Nesterov {
		f.add("Nesterov momentum", "on")
	}
	if c.Betas != nil {
		f.add("betas", format.Exact(c.Betas[0])+", "+format.Exact(c.Betas[1]))
	}
	if c.Eps != nil {
		f.add("eps", format.Exact(*c.Eps))
	}
	if c.Alpha != nil {
		f.add("alpha", format.Exact(*c.Alpha))
	}
	if c.Centered {
		f.add("centered", "on")
	}
	f.addSet("rate decay", c.LRDecay)
	f.addSet("first accumulator", c.InitialAccumulator)
	f.addSet("limit of each gradient", c.ClipValue)
	f.addSet("limit of the gradients' norm", c.ClipNorm)
	f.add("epochs", format.Count(c.Epochs))
	f.add("batch", format.Count(c.Batch))
	if c.Microbatches > 1 {
		f.add("micro-batches", format.Count(c.Microbatches))
	}
	f.add("best epoch by", c.Monitor)
	if c.Patience > 0 {
		f.add("patience", format.Plural(c.Patience, "epoch"))
	}
	f.addSet("least improvement", c.MinDelta)
	return f
}

func widths(hidden []int) string {
	if len(hidden) == 0 {
		return "none"
	}
	return strings.Join(words(hidden), ", ")
}

func words(numbers []int) []string {
	list := make([]string, len(numbers))
	for i, n := range numbers {
		list[i] = strconv.Itoa(n)
	}
	return list
}

// environment lists where a training ran.
func environment(e *train.Environment) facts {
	f := facts{Title: "Environment"}
	f.add("system", e.OS+"/"+e.Arch+", "+e.Go)
	f.add("computed on", e.Device)
	f.add("threads", fmt.Sprintf("%d, on %s", e.Threads, format.Plural(e.CPUs, "logical processor")))
	for _, path := range sortedKeys(e.Modules) {
		f.add(path, e.Modules[path])
	}
	return f
}
