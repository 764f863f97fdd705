package cpu

// The assembly is written in Go, with avo, in the module asm/, which has its
// own go.mod so that users of this module do not inherit the generator. Each
// command there writes one assembly file and the stubs that declare it.

//go:generate go -C asm run ./threads -out ../threads/pause_amd64.s -stubs ../threads/pause_amd64.go -pkg threads
//go:generate go -C asm run ./gemm -isa avx512 -bits 32 -out ../gemm/gemm_avx512_f32_amd64.s -stubs ../gemm/gemm_avx512_f32_amd64.go -pkg gemm -table ../gemm/gemm_avx512_f32_table_amd64.go
//go:generate go -C asm run ./gemm -isa avx512 -bits 64 -out ../gemm/gemm_avx512_f64_amd64.s -stubs ../gemm/gemm_avx512_f64_amd64.go -pkg gemm -table ../gemm/gemm_avx512_f64_table_amd64.go
//go:generate go -C asm run ./gemm -isa avx2 -bits 32 -out ../gemm/gemm_avx2_f32_amd64.s -stubs ../gemm/gemm_avx2_f32_amd64.go -pkg gemm -table ../gemm/gemm_avx2_f32_table_amd64.go
//go:generate go -C asm run ./gemm -isa avx2 -bits 64 -out ../gemm/gemm_avx2_f64_amd64.s -stubs ../gemm/gemm_avx2_f64_amd64.go -pkg gemm -table ../gemm/gemm_avx2_f64_table_amd64.go
//go:generate go -C asm run ./activation -out ../elementwise/activation_amd64.s -stubs ../elementwise/activation_amd64.go -pkg elementwise -table ../elementwise/activation_table_amd64.go
//go:generate go -C asm run ./elementwise -out ../elementwise/elementwise_amd64.s -stubs ../elementwise/elementwise_amd64.go -pkg elementwise
//go:generate go -C asm run ./softmax -out ../elementwise/softmax_amd64.s -stubs ../elementwise/softmax_amd64.go -pkg elementwise -table ../elementwise/vectors_table_amd64.go
//go:generate go -C asm run ./optimizer -out ../elementwise/optimizer_amd64.s -stubs ../elementwise/optimizer_amd64.go -pkg elementwise -table ../elementwise/optimizer_table_amd64.go

//go:generate go -C asm run ./threads -neon -out ../threads/pause_arm64.s -stubs ../threads/pause_arm64.go -pkg threads
//go:generate go -C asm run ./gemm -isa neon -bits 32 -out ../gemm/gemm_neon_f32_arm64.s -stubs ../gemm/gemm_neon_f32_arm64.go -pkg gemm -table ../gemm/gemm_neon_f32_table_arm64.go
//go:generate go -C asm run ./gemm -isa neon -bits 64 -out ../gemm/gemm_neon_f64_arm64.s -stubs ../gemm/gemm_neon_f64_arm64.go -pkg gemm -table ../gemm/gemm_neon_f64_table_arm64.go
//go:generate go -C asm run ./activation -neon -out ../elementwise/activation_arm64.s -stubs ../elementwise/activation_arm64.go -pkg elementwise -table ../elementwise/activation_table_arm64.go
//go:generate go -C asm run ./elementwise -neon -out ../elementwise/elementwise_arm64.s -stubs ../elementwise/elementwise_arm64.go -pkg elementwise
//go:generate go -C asm run ./softmax -neon -out ../elementwise/softmax_arm64.s -stubs ../elementwise/softmax_arm64.go -pkg elementwise -table ../elementwise/vectors_table_arm64.go
//go:generate go -C asm run ./optimizer -neon -out ../elementwise/optimizer_arm64.s -stubs ../elementwise/optimizer_arm64.go -pkg elementwise -table ../elementwise/optimizer_table_arm64.go
