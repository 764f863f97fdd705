package device

import (
	"fmt"
	"strconv"
	"strings"
)

// Open returns the device called name:
//
//	"cpu"           the processor; every call returns the same device
//	"cuda"          the first CUDA card, the same as "cuda:0"
//	"cuda:N"        CUDA card N, counted from 0
//	"auto"          the first CUDA card if one can be opened, else the processor
//
// CUDA cards are known only to programs built with the tag gpu; others return
// an error that says how to build them.
func Open(name string) (Device, error) {
	switch name {
	case "cpu":
		return processor{}, nil
	case "auto":
		d, err := openCUDA(0)
		//lint:ignore SA4023 always true only in programs built without the tag gpu
		if err != nil {
			return instead(err), nil
		}
		return d, nil
	case "cuda":
		return openCUDA(0)
	}
	if number, ok := strings.CutPrefix(name, "cuda:"); ok {
		if n, err := strconv.ParseUint(number, 10, 31); err == nil {
			return openCUDA(int(n))
		}
	}
	return nil, fmt.Errorf("open device: unknown device %q, want cpu, cuda, cuda:N with a card's number N, or auto", name)
}
