package train

import (
	"runtime"
	"runtime/debug"

	"github.com/affine-go/affine/layer/device"
)

// Environment is where a training ran: what its times and its last digits
// depend on beside the settings.
type Environment struct {
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	Go      string `json:"go"`
	CPUs    int    `json:"cpus"`    // logical processors
	Threads int    `json:"threads"` // GOMAXPROCS
	Device  string `json:"device"`  // as it describes itself
	// Modules holds the versions of the modules that compute, by their paths;
	// it is empty in a program that was built without them.
	Modules map[string]string `json:"modules,omitempty"`
}

// computing are the modules whose versions change results or times.
var computing = map[string]bool{
	"github.com/affine-go/affine": true, "gorgonia.org/gorgonia": true, "gorgonia.org/tensor": true,
	"gorgonia.org/cu": true, "gonum.org/v1/gonum": true,
}

// CurrentEnvironment describes this process and a device that it computes on.
func CurrentEnvironment(d device.Device) Environment {
	e := Environment{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(), CPUs: runtime.NumCPU(), Threads: runtime.GOMAXPROCS(0),
		Device: d.Description(), Modules: map[string]string{},
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if computing[m.Path] {
				e.Modules[m.Path] = m.Version
			}
		}
	}
	return e
}
