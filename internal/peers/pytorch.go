package main

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

//go:embed pytorch.py
var pytorchSource string

// pytorch is a Python process that is kept alive and told what to time next.
type pytorch struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	errors  bytes.Buffer
	Torch   string `json:"torch"`
	ONNX    string `json:"onnxruntime"` // "" if it is not installed
	Python  string `json:"python"`
}

// startPyTorch starts the interpreter, which must be able to import torch.
func startPyTorch(python string) (*pytorch, error) {
	p := &pytorch{command: exec.Command(python, "-u", "-c", pytorchSource)}
	p.command.Stderr = &p.errors
	var err error
	if p.in, err = p.command.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start PyTorch: %w", err)
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start PyTorch: %w", err)
	}
	p.out = bufio.NewReader(out)
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start PyTorch: %w", err)
	}
	if err := p.read(p); err != nil {
		return nil, fmt.Errorf("start PyTorch with %s: %w", python, err)
	}
	return p, nil
}

// ask sends a request and reads the answer into reply.
func (p *pytorch) ask(request map[string]any, reply any) error {
	line, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return p.failure(err)
	}
	return p.read(reply)
}

func (p *pytorch) read(reply any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return p.failure(err)
	}
	return json.Unmarshal(line, reply)
}

// failure explains an error by the last line that Python wrote before it ended.
func (p *pytorch) failure(err error) error {
	p.in.Close()
	p.command.Wait()
	lines := strings.Split(strings.TrimSpace(p.errors.String()), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return errors.New(last)
	}
	return err
}

// Close ends the process.
func (p *pytorch) Close() error {
	p.in.Close()
	return p.command.Wait()
}

// pytorchPeer is PyTorch with one number of threads and one form of Adam.
type pytorchPeer struct {
	process *pytorch
	threads int
	adam    string
}

func (p *pytorchPeer) Group() string { return "PyTorch" }

func (p *pytorchPeer) Variant() string {
	if p.adam == "" {
		return threads(p.threads)
	}
	return fmt.Sprintf("%s, %s Adam", threads(p.threads), p.adam)
}

func (p *pytorchPeer) Prepare(c benchCase) ([]float64, error) {
	var reply struct{ Checks []float64 }
	err := p.process.ask(p.request("prepare", c), &reply)
	return reply.Checks, err
}

func (p *pytorchPeer) Time(runs int) (time.Duration, error) {
	var reply struct{ Seconds float64 }
	err := p.process.ask(p.request("time", runs), &reply)
	return time.Duration(reply.Seconds * float64(time.Second)), err
}

func (p *pytorchPeer) Finish() error { return p.process.ask(p.request("finish", true), &struct{}{}) }

func (p *pytorchPeer) request(what string, argument any) map[string]any {
	return map[string]any{"peer": p.Variant(), "threads": p.threads, "adam": p.adam, what: argument}
}
