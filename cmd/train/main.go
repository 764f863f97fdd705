// Command train trains Gorgonia models made of the layers of this module.
//
//	go run ./cmd/train             trains the default model on the default dataset
//	go run ./cmd/train --help      lists the commands
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/affine-go/affine/cmd/train/internal/job"
	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/bench"
	"github.com/affine-go/affine/train/optim"
	"github.com/alecthomas/kong"
	completion "github.com/jotaen/kong-completion"
)

func main() {
	keepClosedPipes()
	os.Exit(job.Run(func(j *job.Job, stdin io.Reader, stdout, stderr io.Writer) int {
		return runIn(j, os.Args[1:], stdin, stdout, stderr)
	}, func(code int) bool { return code == exitFailed || code == exitUsage }))
}

// interruptedError ends the program with the exit code of an interrupt.
type interruptedError struct{ error }

func (e *interruptedError) Unwrap() error { return e.error }

// untilInterrupted returns a context that ends with the first Ctrl-C,
// termination signal or hang-up, when it says what happens now. A second Ctrl-C
// or termination signal stops the program at once; further hang-ups, which
// shells and terminals send together, do not. A program that was started to
// outlive its terminal (nohup) ignores hang-ups. done releases the signals.
func untilInterrupted(parent context.Context, stderr io.Writer, what string) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 4)
	released := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		for first := true; ; first = false {
			select {
			case s := <-signals:
				if !first && s != syscall.SIGHUP {
					os.Exit(exitInterrupted)
				}
				if first {
					fmt.Fprintf(stderr, "\n%s; interrupt again to stop at once\n", what)
					cancel()
				}
			case <-released:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(released)
		cancel()
	}
}

// keepClosedPipes lets writing to a pipe that nobody reads any more fail, where
// it would end the program, perhaps in the middle of a training.
func keepClosedPipes() { signal.Ignore(syscall.SIGPIPE) }

// isClosedPipe reports whether whoever read the output has had enough of it.
func isClosedPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// What the program tells its caller when it ends.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // 128 + SIGINT, as shells count
)

// commands is the command line; each command stands in a file of its own.
type commands struct {
	Fit       fitCommand       `cmd:"" default:"withargs" help:"Train a model; the command if none is named."`
	Eval      evalCommand      `cmd:"" help:"Measure a trained model on a dataset."`
	Predict   predictCommand   `cmd:"" help:"Predict the rows of a file with a trained model."`
	Export    exportCommand    `cmd:"" help:"Write a trained model for PyTorch or ONNX."`
	Import    importCommand    `cmd:"" help:"Make a model from the weights of a PyTorch nn.Sequential."`
	LRFind    lrFindCommand    `cmd:"" name:"lr-find" help:"Try learning rates and draw how the loss takes them."`
	Datasets  datasetsCommand  `cmd:"" help:"List, describe and plot the datasets."`
	Compare   compareCommand   `cmd:"" help:"Train with the fused op and with the built-in ops, side by side."`
	Bench     benchCommand     `cmd:"" help:"Time the fused op beside the built-in ops."`
	Report    reportCommand    `cmd:"" help:"Write a page that shows a run, or compares several."`
	Gradcheck gradcheckCommand `cmd:"" help:"Compare analytic gradients with finite differences."`
	Doctor    doctorCommand    `cmd:"" help:"Report what was found: processor, threads, CUDA, versions."`

	Completion completion.Completion `cmd:"" help:"Print what makes your shell complete commands and flags."`
	Version    kong.VersionFlag      `help:"Print the version and exit."`
}

const description = `Train multi-layer perceptrons made of one fused linear layer on Gorgonia.

With no arguments it trains the default model on the default dataset in seconds and writes a run directory.`

// run is the whole program: it reads the arguments, runs one command and
// returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return runIn(nil, args, stdin, stdout, stderr)
}

// runIn is run as a process of a job, or with nil alone.
func runIn(j *job.Job, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	warn(stderr)
	out := &checkedWriter{Writer: stdout}
	t := newTerminal(stdin, out, stderr)
	t.job = j
	return exitCode(runCommand(args, t), out, stderr)
}

// exitCode returns what the program tells its caller after err, which it writes
// to stderr on one line.
func exitCode(err error, out *checkedWriter, stderr io.Writer) int {
	if err == nil && out.err != nil {
		err = fmt.Errorf("write output: %w", out.err)
	}
	var interrupted *interruptedError
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case isClosedPipe(out.err) && errors.As(err, &interrupted):
		return exitInterrupted // quietly: nobody listens
	case isClosedPipe(err):
		return exitDone // whoever read it has had enough
	}
	code := exitFailed
	switch {
	case errors.As(err, &interrupted):
		code = exitInterrupted
	case errors.As(err, &usage), errors.Is(err, datasets.ErrUsage):
		code = exitUsage
	}
	fmt.Fprintln(stderr, "train:", datasets.Printable(strings.Join(strings.Fields(err.Error()), " "))) // always one line
	return code
}

// warn says on one line if the processor's kernels are not those that the
// environment asked for.
func warn(stderr io.Writer) {
	processor, err := device.Open("cpu")
	if err != nil {
		return // whoever needs the device says so
	}
	if w, ok := processor.(device.Warner); ok && w.Warning() != nil {
		fmt.Fprintln(stderr, "train: warning:", w.Warning())
	}
}

// helpShown ends the parsing after --help, which kong would let go on.
type helpShown struct{}

func runCommand(args []string, t *terminal) error {
	return parse(args, t, func(ctx *kong.Context) error {
		if c, ok := ctx.Selected().Target.Addr().Interface().(interface{ sharesWork() bool }); !ok || !c.sharesWork() {
			if first, err := t.job.Leave(); err != nil || !first {
				return err
			}
		}
		return ctx.Run()
	})
}

// parse reads the arguments and calls do with the command that they name, if
// they do not ask for help.
func parse(args []string, t *terminal, do func(*kong.Context) error) (err error) {
	var c commands
	parser, err := kong.New(&c,
		kong.Name("train"), kong.Description(description),
		kong.Writers(t.stdout, t.stderr),
		kong.Exit(func(int) { panic(helpShown{}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars(helpVars()), kong.ExplicitGroups(flagGroups), kong.Bind(t))
	if err != nil {
		return err
	}
	defer func() {
		if cause := recover(); cause == (helpShown{}) {
			err = nil
		} else if cause != nil {
			panic(cause)
		}
	}()
	completion.Register(parser)
	if err := checkCommand(args, parser.Model); err != nil {
		return err
	}
	ctx, err := parser.Parse(joinNegative(args))
	if out, ok := t.stdout.(*checkedWriter); ok && err != nil && out.err != nil {
		return fmt.Errorf("write help: %w", out.err)
	}
	if err != nil {
		return usagef("%w; see: %s --help", parseError(err), t.program)
	}
	return do(ctx)
}

// checkCommand refuses a first word that names no command. kong would hand it
// to the default command, which takes no words.
func checkCommand(args []string, model *kong.Application) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return nil
	}
	var names []string
	for _, command := range model.Leaves(true) {
		names = append(names, command.Name)
	}
	if !slices.Contains(names, args[0]) {
		return unknown("command", args[0], append(names, flagNames(model.Node)...))
	}
	return nil
}

// flagGroups head the flags of fit.
var flagGroups = []kong.Group{
	{Key: "data", Title: "Data:"},
	{Key: "model", Title: "Model:"},
	{Key: "training", Title: "Training:"},
	{Key: "run", Title: "Run:"},
}

// helpVars are the names and defaults that help texts mention, from where they
// are defined.
func helpVars() kong.Vars {
	return kong.Vars{
		"version":            versionText(),
		"default_dataset":    datasets.DefaultName,
		"default_validation": fmt.Sprint(datasets.DefaultFractions.Validation),
		"default_test":       fmt.Sprint(datasets.DefaultFractions.Test),
		"default_seed":       fmt.Sprint(defaultSeed),
		"activations":        strings.Join(layer.ActivationNames(), ", "),
		"initializers":       strings.Join(train.InitNames(), ", "),
		"optimizers":         strings.Join(optim.Names(), ", "),
		"schedules":          strings.Join(optim.ScheduleNames(), ", "),
		"monitors":           strings.Join(train.Monitors(), ", "),
		"bench_ops":          strings.Join(append(bench.Ops(), bench.AllReduce), ", "),
		"bench_samples":      fmt.Sprint(benchSamples),
		"bench_sample":       benchSample.String(),
		"report_file":        reportFile,
	}
}
