package main

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/affine-go/affine/layer/device"
	"golang.org/x/sys/cpu"
)

type doctorCommand struct {
	JSON bool `name:"json" help:"Print one JSON object and nothing else."`
}

func (doctorCommand) Help() string {
	return `Looks at the machine that the program runs on and at how it was built: what to paste into a bug report.

The environment variable AFFINE_CPU=avx512|avx2|neon|generic forces the processor's kernels; GOMAXPROCS sets the number of threads.

Examples:

    train doctor
    train doctor --json`
}

type doctorReport struct {
	OS          string            `json:"os"`
	Arch        string            `json:"arch"`
	Go          string            `json:"go"`
	Features    []string          `json:"cpu_features"`
	Kernels     string            `json:"kernels"` // the processor's, as its device describes them
	CPUs        int               `json:"cpus"`
	Threads     int               `json:"threads"` // GOMAXPROCS
	CUDA        []string          `json:"cuda_devices"`
	CUDAProblem string            `json:"cuda_problem,omitempty"`
	Auto        string            `json:"auto_device"` // what --device auto opens
	Version     string            `json:"version"`
	Modules     map[string]string `json:"modules"`
	Environment map[string]string `json:"environment"`
	PleaseSend  string            `json:"please_send,omitempty"`
}

func (c *doctorCommand) Run(t *terminal) error {
	report, err := examine()
	if err != nil {
		return err
	}
	if c.JSON {
		return t.printJSON(report)
	}
	report.print(t)
	return nil
}

func examine() (*doctorReport, error) {
	processor, err := device.Open("cpu")
	if err != nil {
		return nil, err
	}
	auto, err := device.Open("auto")
	if err != nil {
		return nil, err
	}
	defer auto.Close()
	r := &doctorReport{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(), Features: cpuFeatures(),
		Kernels: processor.Description(), CPUs: runtime.NumCPU(), Threads: runtime.GOMAXPROCS(0),
		CUDA: []string{}, Auto: auto.Name(), Modules: map[string]string{}, Environment: map[string]string{},
		PleaseSend: unmeasured(processor),
	}
	for i := 0; ; i++ {
		card, err := device.Open(fmt.Sprintf("cuda:%d", i))
		if err != nil {
			if i == 0 {
				r.CUDAProblem = err.Error()
			}
			break
		}
		text := fmt.Sprintf("cuda:%d: %s", i, card.Description())
		if inspector, ok := card.(device.Inspector); ok {
			details, err := inspector.Details()
			if err != nil {
				return nil, err
			}
			for _, d := range details {
				text += fmt.Sprintf("; %s: %s", d.Name, d.Value)
			}
		}
		r.CUDA = append(r.CUDA, text)
		if err := card.Close(); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"AFFINE_CPU", "GOMAXPROCS", "CUDA_VISIBLE_DEVICES", "NO_COLOR"} {
		if value, set := os.LookupEnv(name); set {
			r.Environment[name] = value
		}
	}
	r.readBuild()
	return r, nil
}

// reported are the modules whose versions change results or speed.
var reported = []string{"gorgonia.org/gorgonia", "gorgonia.org/tensor", "gorgonia.org/cu", "gonum.org/v1/gonum", "gonum.org/v1/plot"}

func (r *doctorReport) readBuild() {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		r.Version = "unknown"
		return
	}
	r.Version = cmp.Or(info.Main.Version, "(devel)")
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			r.Version += " " + s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			r.Version += " (modified)"
		}
	}
	for _, m := range info.Deps {
		if slices.Contains(reported, m.Path) {
			r.Modules[m.Path] = m.Version
		}
	}
}

// cpuFeatures lists the instruction sets that matter to the kernels.
func cpuFeatures() []string {
	found := []string{}
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"sse4.2", cpu.X86.HasSSE42}, {"avx", cpu.X86.HasAVX}, {"avx2", cpu.X86.HasAVX2}, {"fma", cpu.X86.HasFMA},
		{"avx512f", cpu.X86.HasAVX512F}, {"avx512bw", cpu.X86.HasAVX512BW}, {"avx512dq", cpu.X86.HasAVX512DQ},
		{"avx512vl", cpu.X86.HasAVX512VL}, {"asimd", cpu.ARM64.HasASIMD}, {"sve", cpu.ARM64.HasSVE},
	} {
		if f.has {
			found = append(found, f.name)
		}
	}
	return found
}

func (r *doctorReport) print(t *terminal) {
	cuda := strings.Join(r.CUDA, "\n\t")
	if len(r.CUDA) == 0 {
		cuda = "none: " + r.CUDAProblem
	}
	pairs := []string{
		"program", r.Version,
		"system", r.OS + "/" + r.Arch + ", " + r.Go,
		"processor", fmt.Sprintf("%d logical, %d threads in use (GOMAXPROCS)", r.CPUs, r.Threads),
		"features", strings.Join(r.Features, " "),
		"kernels", r.Kernels,
		"CUDA", cuda,
		"--device auto", r.Auto,
	}
	for _, path := range reported {
		pairs = append(pairs, path, r.Modules[path])
	}
	for _, name := range []string{"AFFINE_CPU", "GOMAXPROCS", "CUDA_VISIBLE_DEVICES", "NO_COLOR"} {
		pairs = append(pairs, name, r.Environment[name])
	}
	facts(t.stdout, pairs...)
	if r.PleaseSend != "" {
		fmt.Fprintf(t.stdout, "\n%s\n", r.PleaseSend)
	}
}

// unmeasured asks the user of a device whose kernels have run under emulation
// alone for what they do on it; it is empty for others.
func unmeasured(d device.Device) string {
	if v, ok := d.(device.KernelSetter); !ok || v.KernelSet() != "neon" {
		return ""
	}
	return "The kernels for arm64 are tested under emulation, and their speed is only predicted (docs/PERFORMANCE.md).\n" +
		"Please send us what train doctor and train bench print on this machine, with the name of its processor."
}

// versionText is what --version prints.
func versionText() string {
	r := doctorReport{Modules: map[string]string{}}
	r.readBuild()
	return fmt.Sprintf("train %s, %s %s/%s", r.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
