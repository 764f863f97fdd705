package main

import (
	"encoding/base64"
	"fmt"
	"runtime"
	"time"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/export"
	"gorgonia.org/tensor"
)

// predictor is this module's way from rows to probabilities: PredictInto of a
// train.Predictor, scaling included.
type predictor struct {
	p         *train.Predictor
	rows, out []float64
}

func (p *predictor) Group() string   { return groupAffine }
func (p *predictor) Variant() string { return "" }

func (p *predictor) Prepare(c benchCase) (checks []float64, err error) {
	if p.p, err = classifier(c); err != nil {
		return nil, err
	}
	for _, v := range values(seedX, c.Batch*c.Dims[0], 1) {
		p.rows = append(p.rows, float64(v))
	}
	p.out = make([]float64, c.Batch*p.p.Outputs())
	if err := p.p.PredictInto(p.out, p.rows); err != nil {
		return nil, err
	}
	return sumOfSquares(p.out), nil
}

func (p *predictor) Time(runs int) (time.Duration, error) {
	run := func(n int) error {
		for range n {
			if err := p.p.PredictInto(p.out, p.rows); err != nil {
				return err
			}
		}
		return nil
	}
	if err := run(1 + runs/10); err != nil {
		return 0, err
	}
	runtime.GC()
	start := time.Now()
	err := run(runs)
	return time.Since(start), err
}

func (p *predictor) Finish() error {
	*p = predictor{}
	return nil
}

// classifier has the weights that pytorch.py draws too.
func classifier(c benchCase) (*train.Predictor, error) {
	last := len(c.Dims) - 1
	m, err := train.NewModel(train.Spec{
		Task: datasets.Classification, Inputs: c.Dims[0], Hidden: c.Dims[1:last], Outputs: c.Dims[last],
		Activation: layer.ReLU, Init: layer.Zeros, BiasInit: layer.Zeros, Dtype: tensor.Float32,
	})
	if err != nil {
		return nil, err
	}
	weights := map[string]*tensor.Dense{}
	for i, in := range c.Dims[:last] {
		out, seed := c.Dims[i+1], uint32(seedFirstLayer+2*i)
		weights[fmt.Sprintf("linear%d.weight", i+1)] = tensor.New(tensor.WithShape(in, out), tensor.WithBacking(weight(seed, in, out)))
		weights[fmt.Sprintf("linear%d.bias", i+1)] = tensor.New(tensor.WithShape(out), tensor.WithBacking(values(seed+1, out, 0.1)))
	}
	if err := m.SetWeights(weights); err != nil {
		return nil, err
	}
	schema := datasets.Schema{Task: datasets.Classification, TargetName: "y"}
	for i := range c.Dims[0] {
		schema.Features = append(schema.Features, fmt.Sprint("x", i+1))
	}
	for i := range c.Dims[last] {
		schema.Classes = append(schema.Classes, fmt.Sprint(i))
	}
	scaler, err := datasets.FitScaler(datasets.NoScaling, make([]float64, c.Dims[0]), c.Dims[0])
	if err != nil {
		return nil, err
	}
	return train.NewPredictor(m, schema, scaler, nil)
}

// onnxPeer is ONNX Runtime on the graph that this module exports.
type onnxPeer struct{ pytorchPeer }

func (p *onnxPeer) Group() string   { return groupONNX }
func (p *onnxPeer) Variant() string { return threads(p.threads) }

// name tells the Python process this peer from PyTorch on as many threads.
func (p *onnxPeer) name() string { return p.Group() + ", " + p.Variant() }

func (p *onnxPeer) Prepare(c benchCase) ([]float64, error) {
	affine, err := classifier(c)
	if err != nil {
		return nil, err
	}
	model, err := export.ONNX(affine)
	if err != nil {
		return nil, err
	}
	var reply struct{ Checks []float64 }
	request := p.request("prepare", map[string]any{"op": "predict-onnx", "batch": c.Batch, "dims": c.Dims, "model": base64.StdEncoding.EncodeToString(model)})
	request["peer"] = p.name()
	err = p.process.ask(request, &reply)
	return reply.Checks, err
}

func (p *onnxPeer) Time(runs int) (time.Duration, error) {
	var reply struct{ Seconds float64 }
	request := p.request("time", runs)
	request["peer"] = p.name()
	err := p.process.ask(request, &reply)
	return time.Duration(reply.Seconds * float64(time.Second)), err
}

func (p *onnxPeer) Finish() error {
	request := p.request("finish", true)
	request["peer"] = p.name()
	return p.process.ask(request, &struct{}{})
}

func sumOfSquares(v []float64) []float64 {
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	return []float64{sum}
}
