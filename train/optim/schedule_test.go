package optim_test

import (
	"math"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train/optim"
	"pgregory.net/rapid"
)

func TestSchedulesAtTheirLandmarks(t *testing.T) {
	for _, c := range []struct {
		name     string
		schedule optim.Schedule
		rates    map[int]float64
	}{
		{"constant", optim.ConstantLR{LR: 0.1}, map[int]float64{-1: 0.1, 0: 0.1, 1000: 0.1}},
		{"step", optim.StepLR{LR: 1, Every: 10, Gamma: 0.1}, map[int]float64{-5: 1, 0: 1, 9: 1, 10: 0.1, 19: 0.1, 20: 0.01}},
		{"step, never", optim.StepLR{LR: 1, Gamma: 0.1}, map[int]float64{0: 1, 1000: 1}},
		{"cosine", optim.CosineLR{LR: 1, Min: 0.2, Steps: 10}, map[int]float64{-1: 1, 0: 1, 5: 0.6, 10: 0.2, 11: 0.2, 20: 0.2}},
		{"one cycle", optim.OneCycleLR{Max: 1, Steps: 100}, map[int]float64{-1: 0.04, 0: 0.04, 29: 1, 99: 4e-6, 100: 4e-6, 1000: 4e-6}},
		{"one cycle, linear", optim.OneCycleLR{Max: 1, Steps: 101, Rise: 0.5, Div: 10, FinalDiv: 10, Linear: true},
			map[int]float64{0: 0.1, 100: 0.01}},
		{"one cycle of one step", optim.OneCycleLR{Max: 1, Steps: 1}, map[int]float64{0: 4e-6, 1: 4e-6}},
		{"warm-up", optim.WarmupLR{From: 0.2, Steps: 4, Then: optim.StepLR{LR: 1, Every: 10, Gamma: 0.1}},
			map[int]float64{-1: 0.2, 0: 0.2, 1: 0.4, 2: 0.6, 4: 1, 13: 1, 14: 0.1}},
		{"no warm-up", optim.WarmupLR{From: 0.2, Then: optim.ConstantLR{LR: 1}}, map[int]float64{0: 1, 1: 1}},
	} {
		for at, want := range c.rates {
			if got := c.schedule.At(at); math.Abs(got-want) > 1e-14 {
				t.Errorf("%s: rate at %d is %v, want %v", c.name, at, got, want)
			}
		}
	}
}

func TestAWarmUpInFrontOfNothingHasNoRate(t *testing.T) {
	if got := (optim.WarmupLR{Steps: 2}).At(1); !math.IsNaN(got) {
		t.Errorf("got %v, want NaN", got)
	}
}

func TestRatesStayBetweenTheirEnds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps, at := rapid.IntRange(1, 50).Draw(rt, "steps"), rapid.IntRange(-10, 100).Draw(rt, "t")
		rise := rapid.Float64Range(0.01, 1).Draw(rt, "rise")
		for _, s := range []optim.Schedule{
			optim.CosineLR{LR: 1, Min: 0.1, Steps: steps},
			optim.OneCycleLR{Max: 1, Steps: steps, Rise: rise, Div: 5, FinalDiv: 2},
			optim.OneCycleLR{Max: 1, Steps: steps, Rise: rise, Div: 5, FinalDiv: 2, Linear: true},
			optim.WarmupLR{From: 0.1, Steps: steps, Then: optim.ConstantLR{LR: 1}},
			optim.StepLR{LR: 1, Every: 60, Gamma: 0.1},
		} {
			if rate := s.At(at); !(rate >= 0.1-1e-15 && rate <= 1+1e-15) {
				rt.Fatalf("%+v: rate at %d is %v, want it in [0.1, 1]", s, at, rate)
			}
		}
	})
}

func TestNewScheduleByName(t *testing.T) {
	for name, want := range map[string]optim.Schedule{
		"constant":  optim.ConstantLR{LR: 0.1},
		"step":      optim.StepLR{LR: 0.1, Every: 34, Gamma: 0.1},
		"cosine":    optim.CosineLR{LR: 0.1, Steps: 100},
		"one-cycle": optim.OneCycleLR{Max: 0.1, Steps: 100},
	} {
		if got, err := optim.NewSchedule(name, 0.1, 100); err != nil || got != want {
			t.Errorf("NewSchedule(%q) is %+v, %v, want %+v", name, got, err, want)
		}
	}
	if got, want := len(optim.ScheduleNames()), 4; got != want {
		t.Errorf("%d names, want %d", got, want)
	}
	_, err := optim.NewSchedule("cosin", 0.1, 100)
	nettest.Fails(t, err, `"cosin"`, "constant, step, cosine, one-cycle")
	_, err = optim.NewSchedule("cosine", 0.1, 0)
	nettest.Fails(t, err, "0 steps")
}
