package train

import (
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/affine-go/affine/layer/device"
)

// Environment is where a training ran: what its times and its last digits
// depend on besides the settings.
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

// clock measures the time of a training over several sessions.
type clock struct {
	start  time.Time
	before float64 // seconds of earlier sessions
}

func (c *clock) seconds() float64 { return c.before + time.Since(c.start).Seconds() }

// stepTimes keeps the durations of the last steps, in room that does not grow.
type stepTimes struct {
	last  [4096]time.Duration
	count int
}

func (t *stepTimes) add(d time.Duration) {
	t.last[t.count%len(t.last)] = d
	t.count++
}

// median returns the median in microseconds, 0 if there was no step.
func (t *stepTimes) median() float64 {
	n := min(t.count, len(t.last))
	if n == 0 {
		return 0
	}
	sorted := slices.Clone(t.last[:n])
	slices.Sort(sorted)
	middle := sorted[n/2]
	if n%2 == 0 {
		middle = (middle + sorted[n/2-1]) / 2
	}
	return float64(middle.Nanoseconds()) / 1000
}
