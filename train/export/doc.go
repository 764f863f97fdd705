// Package export takes trained models to other programs, and brings weights
// back.
//
// [Torch] writes the state dict of a PyTorch nn.Sequential beside a short Python
// file that rebuilds the model with its scaling; [ONNX] writes one file that any
// ONNX runtime predicts with. [Import] reads the state dict of a PyTorch
// nn.Sequential of Linear layers.
package export
