//go:build !purego

package elementwise

import (
	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/kernel"
)

var activations32 = [...]activationKernels[float32]{
	arch.AVX2: {
		forward: [kernel.ActivationKinds]func(y, z *float32, n int, alpha float32){
			kernel.ReLU:      reluAVX2Float32,
			kernel.LeakyReLU: leakyReLUAVX2Float32,
			kernel.Tanh:      tanhAVX2Float32,
			kernel.Sigmoid:   sigmoidAVX2Float32,
			kernel.GELU:      geluAVX2Float32,
			kernel.SiLU:      siluAVX2Float32,
		},
		backward: [kernel.ActivationKinds]func(dz, dy, a *float32, n int, alpha float32){
			kernel.ReLU:      reluBackwardAVX2Float32,
			kernel.LeakyReLU: leakyReLUBackwardAVX2Float32,
			kernel.Tanh:      tanhBackwardAVX2Float32,
			kernel.Sigmoid:   sigmoidBackwardAVX2Float32,
			kernel.GELU:      geluBackwardAVX2Float32,
			kernel.SiLU:      siluBackwardAVX2Float32,
		},
		second: [kernel.ActivationKinds]func(dz, dy, a *float32, n int, alpha float32){
			kernel.Tanh:    tanhSecondAVX2Float32,
			kernel.Sigmoid: sigmoidSecondAVX2Float32,
			kernel.GELU:    geluSecondAVX2Float32,
			kernel.SiLU:    siluSecondAVX2Float32,
		},
	},
	arch.AVX512: {
		forward: [kernel.ActivationKinds]func(y, z *float32, n int, alpha float32){
			kernel.ReLU:      reluAVX512Float32,
			kernel.LeakyReLU: leakyReLUAVX512Float32,
			kernel.Tanh:      tanhAVX512Float32,
			kernel.Sigmoid:   sigmoidAVX512Float32,
			kernel.GELU:      geluAVX512Float32,
			kernel.SiLU:      siluAVX512Float32,
		},
		backward: [kernel.ActivationKinds]func(dz, dy, a *float32, n int, alpha float32){
			kernel.ReLU:      reluBackwardAVX512Float32,
			kernel.LeakyReLU: leakyReLUBackwardAVX512Float32,
			kernel.Tanh:      tanhBackwardAVX512Float32,
			kernel.Sigmoid:   sigmoidBackwardAVX512Float32,
			kernel.GELU:      geluBackwardAVX512Float32,
			kernel.SiLU:      siluBackwardAVX512Float32,
		},
		second: [kernel.ActivationKinds]func(dz, dy, a *float32, n int, alpha float32){
			kernel.Tanh:    tanhSecondAVX512Float32,
			kernel.Sigmoid: sigmoidSecondAVX512Float32,
			kernel.GELU:    geluSecondAVX512Float32,
			kernel.SiLU:    siluSecondAVX512Float32,
		},
	},
}

var activations64 = [...]activationKernels[float64]{
	arch.AVX2: {
		forward: [kernel.ActivationKinds]func(y, z *float64, n int, alpha float64){
			kernel.ReLU:      reluAVX2Float64,
			kernel.LeakyReLU: leakyReLUAVX2Float64,
			kernel.Tanh:      tanhAVX2Float64,
			kernel.Sigmoid:   sigmoidAVX2Float64,
			kernel.GELU:      geluAVX2Float64,
			kernel.SiLU:      siluAVX2Float64,
		},
		backward: [kernel.ActivationKinds]func(dz, dy, a *float64, n int, alpha float64){
			kernel.ReLU:      reluBackwardAVX2Float64,
			kernel.LeakyReLU: leakyReLUBackwardAVX2Float64,
			kernel.Tanh:      tanhBackwardAVX2Float64,
			kernel.Sigmoid:   sigmoidBackwardAVX2Float64,
			kernel.GELU:      geluBackwardAVX2Float64,
			kernel.SiLU:      siluBackwardAVX2Float64,
		},
		second: [kernel.ActivationKinds]func(dz, dy, a *float64, n int, alpha float64){
			kernel.Tanh:    tanhSecondAVX2Float64,
			kernel.Sigmoid: sigmoidSecondAVX2Float64,
			kernel.GELU:    geluSecondAVX2Float64,
			kernel.SiLU:    siluSecondAVX2Float64,
		},
	},
	arch.AVX512: {
		forward: [kernel.ActivationKinds]func(y, z *float64, n int, alpha float64){
			kernel.ReLU:      reluAVX512Float64,
			kernel.LeakyReLU: leakyReLUAVX512Float64,
			kernel.Tanh:      tanhAVX512Float64,
			kernel.Sigmoid:   sigmoidAVX512Float64,
			kernel.GELU:      geluAVX512Float64,
			kernel.SiLU:      siluAVX512Float64,
		},
		backward: [kernel.ActivationKinds]func(dz, dy, a *float64, n int, alpha float64){
			kernel.ReLU:      reluBackwardAVX512Float64,
			kernel.LeakyReLU: leakyReLUBackwardAVX512Float64,
			kernel.Tanh:      tanhBackwardAVX512Float64,
			kernel.Sigmoid:   sigmoidBackwardAVX512Float64,
			kernel.GELU:      geluBackwardAVX512Float64,
			kernel.SiLU:      siluBackwardAVX512Float64,
		},
		second: [kernel.ActivationKinds]func(dz, dy, a *float64, n int, alpha float64){
			kernel.Tanh:    tanhSecondAVX512Float64,
			kernel.Sigmoid: sigmoidSecondAVX512Float64,
			kernel.GELU:    geluSecondAVX512Float64,
			kernel.SiLU:    siluSecondAVX512Float64,
		},
	},
}
