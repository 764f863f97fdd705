// Package cuda holds the device for NVIDIA cards: its memory, its kernels and
// the captured training steps. All of it is built with the tag gpu only.
//
// Some environment variables are for tests and for finding faults:
// AFFINE_CUBLASLT=0 leaves all matrix products to the package's own kernels,
// AFFINE_CUBLASLT=first takes cublasLt's first way for each product instead of the
// one that is measured to be fastest, a path names the library,
// AFFINE_CUDA_FUSE=0 does the steps of small models by many kernels instead of one,
// and AFFINE_CUDA_POOL=0 makes every allocation one of the driver's, so that a
// memory checker knows where it ends.
package cuda

//go:generate sh kernels/generate.sh
