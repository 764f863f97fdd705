package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/export"
)

// exportFormats are what export writes.
var exportFormats = []string{"torch", "onnx"}

type exportCommand struct {
	Run_   string `arg:"" name:"run" help:"Run directory or model file."`
	Format string `required:"" placeholder:"NAME" help:"torch or onnx."`
	Output string `required:"" placeholder:"FILE" help:"Where to write it: FILE.safetensors for torch, FILE.onnx for onnx."`
}

func (exportCommand) Help() string {
	return `torch writes the weights as the state dict of a PyTorch nn.Sequential and, beside them, FILE.py, which rebuilds the model with its scaling: "from FILE import predict". onnx writes one file (opset 17) with scaling and softmax in it: input "features" [rows, features], output "probabilities" and "class", or "value"; any number of rows.

For a model trained on a table, both take the raw columns. predict of FILE.py takes a pandas DataFrame or a dict of columns. The ONNX file has the input "features" for columns of numbers (NaN for a missing one, 0 and 1 for a boolean, days since 1970-01-01 for a date) and, if there are any, "categories" for texts ("" for a missing one; opset 19); its metadata name the columns of each.

Examples:

    train export runs/moons-001 --format torch --output moons.safetensors
    train export runs/moons-001 --format onnx --output moons.onnx`
}

func (c *exportCommand) Run(t *terminal) error {
	if err := oneOf("--format", c.Format, exportFormats); err != nil {
		return err
	}
	p, err := train.LoadPredictor(c.Run_)
	if err != nil {
		return err
	}
	defer p.Close()
	if c.Format == "onnx" {
		model, err := export.ONNX(p)
		if err != nil {
			return err
		}
		return c.write(t, c.Output, model)
	}
	base, found := strings.CutSuffix(c.Output, ".safetensors")
	if !found {
		return usagef("--output %s: want a name that ends in .safetensors, beside which the .py file goes", c.Output)
	}
	state, script, err := export.Torch(p, filepath.Base(c.Output))
	if err != nil {
		return err
	}
	if err := c.write(t, c.Output, state); err != nil {
		return err
	}
	return c.write(t, base+".py", script)
}

func (c *exportCommand) write(t *terminal, path string, data []byte) error {
	if err := writeOutput(t, path, data); err != nil {
		return err
	}
	fmt.Fprintf(t.stderr, "wrote %s\n", path)
	return nil
}

type importCommand struct {
	File       string  `arg:"" name:"file.safetensors" help:"State dict of a PyTorch nn.Sequential of Linear layers."`
	Out        string  `required:"" placeholder:"DIR" help:"Directory for the model; it must be new or empty."`
	Activation *string `placeholder:"NAME" help:"Between the layers, which a state dict does not say (default: relu): ${activations}."`
	Task       *string `placeholder:"NAME" help:"classification or regression (default: regression for one output)."`
	Features   *string `placeholder:"a,b,…" help:"Names of the inputs (default: x1,x2,…)."`
	Classes    *string `placeholder:"a,b,…" help:"Names of the outputs of a classification (default: 0,1,…)."`
}

func (importCommand) Help() string {
	return `Makes a model of this program from weights that PyTorch trained: predict, eval --dataset and export take the directory, and fit --from DIR goes on training. A file that export wrote brings its columns and their scaling with it.

Examples:

    train import net.safetensors --out runs/net --activation gelu
    train predict runs/net --input rows.csv
    train fit --from runs/net --dataset csv:rows.csv --lr 0.001`
}

func (c *importCommand) Run(t *terminal) error {
	o := export.ImportOptions{Features: list(c.Features), Classes: list(c.Classes)}
	set(&o.Activation, c.Activation)
	if c.Task != nil {
		task, err := parseTask(*c.Task)
		if err != nil {
			return err
		}
		o.Task = task
	}
	if found, err := os.ReadDir(c.Out); err == nil && len(found) > 0 {
		return usagef("--out %s: the directory is not empty, want a new one", c.Out)
	}
	state, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	p, err := export.Import(state, o)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	defer p.Close()
	if err := os.MkdirAll(c.Out, 0o777); err != nil {
		return err
	}
	if err := p.Save(filepath.Join(c.Out, train.ModelFile)); err != nil {
		return err
	}
	fmt.Fprintf(t.stderr, "%s: %v\n", c.Out, p)
	return nil
}

// list splits names at commas. nil stays nil.
func list(names *string) []string {
	if names == nil {
		return nil
	}
	parts := strings.Split(*names, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
