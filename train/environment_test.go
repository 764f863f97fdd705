package train_test

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train"
)

func TestMetricsTellWhereTheRunRan(t *testing.T) {
	dir := t.TempDir()
	fit(t, smallConfig(t, "moons"), train.InDirectory(dir))
	m, err := train.ReadMetrics(filepath.Join(dir, train.MetricsFile))
	nettest.Must(t, err)
	e := m.Environment
	if e == nil {
		t.Fatal("there is no environment")
	}
	if e.OS != runtime.GOOS || e.Arch != runtime.GOARCH || e.Go != runtime.Version() ||
		e.CPUs != runtime.NumCPU() || e.Threads != runtime.GOMAXPROCS(0) || !strings.Contains(e.Device, "kernels") {
		t.Errorf("environment is %+v", e)
	}
}
