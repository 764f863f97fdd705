// Package driver is the part of CUDA's driver API that gorgonia.org/cu does not
// have, or has in a slower form: loading the driver when it is first needed,
// work handed over in one call, captured graphs, pinned memory, and cublasLt. All
// of it is built with the tag gpu only.
package driver
