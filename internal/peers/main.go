// Command peers times this module beside Gorgonia's built-in ops, on gonum's
// BLAS and on OpenBLAS, and beside PyTorch, all in one run. See README.md.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/affine-go/affine/internal/timing"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/netlib/blas/netlib"
)

const (
	groupAffine   = "affine"
	groupGonum    = "built-in, gonum"
	groupOpenBLAS = "built-in, OpenBLAS"
	groupPyTorch  = "PyTorch"
	groupONNX     = "ONNX Runtime" // predictions only
)

var otherGroups = []string{groupGonum, groupOpenBLAS, groupPyTorch, groupONNX}

// versionOrder is the order in which the table's heading names the versions.
var versionOrder = []string{"Go", "Gorgonia", "OpenBLAS", "PyTorch", "ONNX Runtime"}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run() error {
	asJSON := flag.Bool("json", false, "print one JSON object, with every sample")
	asMarkdown := flag.Bool("markdown", false, "print a Markdown table")
	python := flag.String("python", "python3", `Python interpreter that has torch, or "none" to leave PyTorch out`)
	rounds := flag.Int("rounds", 9, "samples of each peer")
	sample := flag.Duration("sample", 200*time.Millisecond, "shortest time of a sample")
	pause := flag.Duration("pause", 60*time.Millisecond, "pause before each sample")
	errorsOnly := flag.Bool("accuracy", false, "print how far float32 results are from float64, as a Markdown table, and no times")
	only := flag.String("cases", "", "regular expression: only cases whose name matches")
	flag.Parse()
	matches, err := regexp.Compile(*only)
	switch {
	case err != nil:
		wrongUse("--cases: %v", err)
	case flag.NArg() > 0:
		wrongUse("got the argument %q, want flags only: see --help", flag.Arg(0))
	case *rounds < 1:
		wrongUse("--rounds is %d, want at least 1", *rounds)
	case *asJSON && *asMarkdown:
		wrongUse("got --json and --markdown, want one of them")
	}

	var torch *pytorch
	if *python != "none" {
		if torch, err = startPyTorch(*python); err != nil {
			return fmt.Errorf("%w (install it as README.md says, or leave it out with --python none)", err)
		}
		defer torch.Close()
	}
	if *errorsOnly {
		return accuracy(os.Stdout, torch)
	}
	found := report{CPU: timing.Processor(), Threads: runtime.GOMAXPROCS(0), Versions: versions(torch), Rounds: *rounds, SampleSec: sample.Seconds()}
	for _, c := range benchCases {
		if !matches.MatchString(c.String()) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%v …\n", c)
		results, err := measure(c, peersFor(c, torch), timing.Options{Samples: *rounds, Sample: *sample, Pause: *pause})
		if err != nil {
			return err
		}
		found.Cases = append(found.Cases, newCaseReport(c, results))
	}
	switch {
	case len(found.Cases) == 0:
		return fmt.Errorf("no case matches %q, want one of: %s", *only, strings.Join(names(), "; "))
	case *asJSON:
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", " ")
		return e.Encode(found)
	case *asMarkdown:
		return found.markdown(os.Stdout)
	}
	return found.text(os.Stdout)
}

// wrongUse ends the program with one line that says what was wrong.
func wrongUse(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "peers: "+format+"\n", args...)
	os.Exit(2)
}

// peersFor lists every variant of every peer, this module first.
func peersFor(c benchCase, torch *pytorch) []peer {
	if c.Op == "predict" {
		return predictors(torch)
	}
	if c.isGemm() {
		return multipliers()
	}
	peers := []peer{
		&inProcess{group: groupAffine, fused: true},
		&inProcess{group: groupGonum, blas: gonum.Implementation{}},
	}
	counts := []int{1}
	if n := runtime.GOMAXPROCS(0); n > 1 {
		counts = append(counts, n)
	}
	for _, n := range counts {
		peers = append(peers, &inProcess{group: groupOpenBLAS, variant: threads(n), blas: netlib.Implementation{}, blasThreads: n})
	}
	if torch == nil {
		return peers
	}
	adams := []string{""}
	if c.Op == "mlp-step" {
		adams = []string{"default", "foreach", "fused"}
	}
	for _, n := range counts {
		for _, adam := range adams {
			peers = append(peers, &pytorchPeer{process: torch, threads: n, adam: adam})
		}
	}
	return peers
}

// predictors lists every variant of every peer that predicts.
func predictors(torch *pytorch) []peer {
	peers := []peer{&predictor{}}
	if torch == nil {
		return peers
	}
	for n := range runtime.GOMAXPROCS(0) {
		peers = append(peers, &pytorchPeer{process: torch, threads: n + 1})
		if torch.ONNX != "" {
			peers = append(peers, &onnxPeer{pytorchPeer{process: torch, threads: n + 1}})
		}
	}
	return peers
}

func names() []string {
	var list []string
	for _, c := range benchCases {
		list = append(list, c.String())
	}
	return list
}

func versions(torch *pytorch) map[string]string {
	v := map[string]string{"Go": strings.TrimPrefix(runtime.Version(), "go"), "OpenBLAS": openBLASVersion()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "gorgonia.org/gorgonia" {
				v["Gorgonia"] = strings.TrimPrefix(m.Version, "v")
			}
		}
	}
	if torch != nil {
		v["PyTorch"] = torch.Torch
		v["Python"] = torch.Python
		v["ONNX Runtime"] = torch.ONNX
	}
	return v
}
