package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/report"
	"github.com/affine-go/affine/train/report/chart"
)

type datasetsCommand struct {
	Name        string   `arg:"" optional:"" help:"Dataset to describe: a name, csv:FILE, npz:FILE or idx:DIR."`
	N           *int     `name:"n" placeholder:"ROWS" help:"Rows of a generated dataset."`
	Noise       *float64 `placeholder:"X" help:"Noise of a generated dataset."`
	Seed        uint64   `placeholder:"N" default:"1" help:"Seed of a generated dataset."`
	Target      string   `placeholder:"COLUMN" help:"Target column of a CSV file, name or number (default: the last)."`
	Task        string   `placeholder:"NAME" default:"auto" help:"What the targets of a file are: auto, classification or regression."`
	columnFlags `embed:""`

	Plot string `placeholder:"FILE.svg" help:"Plot the rows."`
	Save string `placeholder:"FILE.csv" help:"Write the rows as CSV, the target as the last column."`
	JSON bool   `name:"json" help:"Print one JSON object and nothing else."`
}

func (datasetsCommand) Help() string {
	return `Without a name, lists the built-in datasets. With one, tells how the dataset is made, where it comes from, what it looks like and which settings fit trains it with by default.

Examples:

    train datasets
    train datasets spirals --plot spirals.svg
    train datasets moons --n 50 --seed 7 --save new.csv
    train datasets csv:prices.csv --target price
    train datasets csv:prices.csv --target price --categorical rooms --drop id`
}

func (c *datasetsCommand) Run(t *terminal) error {
	if c.Name == "" {
		if c.Plot != "" || c.Save != "" || c.N != nil || c.Noise != nil || c.Target != "" {
			return usagef("--n, --noise, --target, --plot and --save need the name of a dataset, one of %s", strings.Join(datasets.Names(), ", "))
		}
		return c.list(t)
	}
	d, err := c.open(t)
	if err != nil {
		return err
	}
	notices(t, d)
	info, err := describe(d, c.Name)
	if err != nil {
		return err
	}
	if err := c.write(t, d); err != nil {
		return err
	}
	if c.JSON {
		return t.printJSON(info)
	}
	info.print(t)
	for _, file := range []string{c.Plot, c.Save} {
		if file != "" && !isStandardOutput(file) {
			fmt.Fprintln(t.stdout, "wrote", file)
		}
	}
	return nil
}

func (c *datasetsCommand) list(t *terminal) error {
	var all []datasetInfo
	rows := newTable("name", "task", ">rows", ">features", ">classes", "what it is")
	for _, name := range datasets.Names() {
		info, err := datasets.Describe(name)
		if err != nil {
			return err
		}
		all = append(all, datasetInfo{Info: info, Defaults: train.DefaultsFor(name, nil)})
		classes := ""
		if len(info.Classes) > 0 {
			classes = strconv.Itoa(len(info.Classes))
		}
		rows.add(name, info.Task.String(), strconv.Itoa(info.Rows), strconv.Itoa(len(info.Features)), classes, info.Summary)
	}
	if c.JSON {
		return t.printJSON(map[string]any{"datasets": all})
	}
	rows.write(t.stdout)
	fmt.Fprintf(t.stdout, "\nDescribe one: %s datasets NAME. Your own data: --dataset csv:FILE, npz:FILE or idx:DIR.\n", t.program)
	return nil
}

func (c *datasetsCommand) open(t *terminal) (*datasets.Dataset, error) {
	task, err := parseTask(c.Task)
	if err != nil {
		return nil, err
	}
	if err := checkRows(c.N); err != nil {
		return nil, err
	}
	opts := datasets.Options{Noise: c.Noise, Seed: c.Seed, Target: c.Target, Task: task, CSV: c.options()}
	set(&opts.N, c.N)
	return openWithProgress(t, c.Name, opts)
}

// write makes the files that were asked for.
func (c *datasetsCommand) write(t *terminal, d *datasets.Dataset) error {
	if c.Plot != "" {
		var svg bytes.Buffer
		if err := chart.WriteSVG(&svg, report.RowsChart(d)); err != nil {
			return fmt.Errorf("draw %s: %w", c.Plot, err)
		}
		if err := writeOutput(t, c.Plot, svg.Bytes()); err != nil {
			return err
		}
	}
	if c.Save == "" {
		return nil
	}
	var rows bytes.Buffer
	if err := datasets.WriteCSV(&rows, d); err != nil {
		return err
	}
	return writeOutput(t, c.Save, rows.Bytes())
}

// datasetInfo describes a dataset and the settings that fit starts from.
type datasetInfo struct {
	datasets.Info
	Defaults train.Defaults           `json:"defaults"`
	Columns  []datasets.ColumnSummary `json:"columns,omitempty"` // of a table
}

// describe tells of a built-in dataset what its package does, with the rows
// that were asked for, and of a file what was found in it.
func describe(d *datasets.Dataset, source string) (datasetInfo, error) {
	info, err := datasets.Describe(source)
	if err != nil {
		if unknown := (*datasets.UnknownNameError)(nil); !errors.As(err, &unknown) {
			return datasetInfo{}, err
		}
		info = datasets.Info{
			Name: source, Summary: d.Name, Task: d.Task, Features: d.Features, TargetName: d.TargetName,
			Classes: d.Classes, ImageShape: d.ImageShape, Fixed: true, Source: source,
		}
	}
	info.Rows = d.Len()
	found := datasetInfo{Info: info, Defaults: train.DefaultsFor(source, d)}
	if d.Table != nil {
		found.Columns = d.Columns()
	}
	return found, nil
}

func (info *datasetInfo) print(t *terminal) {
	heading(t.stdout, "%s: %s", info.Name, info.Summary)
	task := info.Task.String()
	if len(info.Classes) > 0 {
		task += fmt.Sprintf(" of %d classes: %s", len(info.Classes), listed(info.Classes))
	}
	features := fmt.Sprintf("%d: %s", len(info.Features), listed(info.Features))
	if info.ImageShape != [2]int{} {
		features = fmt.Sprintf("%d×%d pixels", info.ImageShape[0], info.ImageShape[1])
	}
	rows, noise := strconv.Itoa(info.Rows), ""
	if !info.Fixed {
		rows += " (--n)"
		noise = fmt.Sprintf("%v by default (--noise): %s", info.Noise, info.NoiseMeaning)
	}
	facts(t.stdout, "task", task, "features", features, "target", info.TargetName, "rows", rows,
		"noise", noise, "formula", info.Formula, "source", info.Source,
		"defaults", t.program+" fit --dataset "+info.Name+" "+defaultFlags(info.Defaults))
	if len(info.Columns) == 0 {
		return
	}
	fmt.Fprintln(t.stdout)
	columns := newTable("column", "type", ">missing", ">distinct", "example")
	for _, c := range info.Columns {
		columns.add(shortened(c.Name), c.Kind, strconv.Itoa(c.Missing), strconv.Itoa(c.Distinct), shortened(c.Example))
	}
	columns.write(t.stdout)
}

// defaultFlags writes the settings that fit takes if no flag is given.
func defaultFlags(d train.Defaults) string {
	return fmt.Sprintf("--hidden %s --activation %s --optimizer %s --lr %v --schedule %s --weight-decay %v --epochs %d --batch %d --scaling %s",
		widthList(d.Hidden), d.Activation, d.Optimizer, d.LR, d.Schedule, d.WeightDecay, d.Epochs, d.Batch, d.Scaling)
}

// shortened cuts a text that would fill the screen.
func shortened(text string) string {
	const most = 40
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// listed joins names and counts those that would fill the screen.
func listed(names []string) string {
	const most = 12
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s, … (%d more)", strings.Join(names[:most], ", "), len(names)-most)
}
