package cpu

// The assembly is written in Go, with avo, in the module asm/, which has its
// own go.mod so that users of this module do not inherit the generator. Each
// command there writes one assembly file and the stubs that declare it.

//go:generate go -C asm run ./pause -out ../pause_amd64.s -stubs ../pause_amd64.go -pkg cpu
//go:generate go -C asm run ./gemm -isa avx512 -bits 32 -out ../gemm_avx512_f32_amd64.s -stubs ../gemm_avx512_f32_amd64.go -pkg cpu -table ../gemm_avx512_f32_table_amd64.go
//go:generate go -C asm run ./gemm -isa avx512 -bits 64 -out ../gemm_avx512_f64_amd64.s -stubs ../gemm_avx512_f64_amd64.go -pkg cpu -table ../gemm_avx512_f64_table_amd64.go
//go:generate go -C asm run ./gemm -isa avx2 -bits 32 -out ../gemm_avx2_f32_amd64.s -stubs ../gemm_avx2_f32_amd64.go -pkg cpu -table ../gemm_avx2_f32_table_amd64.go
//go:generate go -C asm run ./gemm -isa avx2 -bits 64 -out ../gemm_avx2_f64_amd64.s -stubs ../gemm_avx2_f64_amd64.go -pkg cpu -table ../gemm_avx2_f64_table_amd64.go
//go:generate go -C asm run ./activation -out ../activation_amd64.s -stubs ../activation_amd64.go -pkg cpu
//go:generate go -C asm run ./elementwise -out ../elementwise_amd64.s -stubs ../elementwise_amd64.go -pkg cpu
//go:generate go -C asm run ./softmax -out ../softmax_amd64.s -stubs ../softmax_amd64.go -pkg cpu
//go:generate go -C asm run ./optimiser -out ../optimiser_amd64.s -stubs ../optimiser_amd64.go -pkg cpu
