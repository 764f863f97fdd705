//go:build !purego

package cpu

import "github.com/affine-go/affine/internal/kernel"

var activations32 = [...]activationKernels[float32]{
	avx2: {
		forward: [kernel.ActivationKinds]func(y, z *float32, n int, alpha float32){
			ReLU:      reluAVX2Float32,
			LeakyReLU: leakyReLUAVX2Float32,
			Tanh:      tanhAVX2Float32,
			Sigmoid:   sigmoidAVX2Float32,
			GELU:      geluAVX2Float32,
			SiLU:      siluAVX2Float32,
		},
		backward: [kernel.ActivationKinds]func(dz, dy, a *float32, n int, alpha float32){
			ReLU:      reluBackwardAVX2Float32,
			LeakyReLU: leakyReLUBackwardAVX2Float32,
			Tanh:      tanhBackwardAVX2Float32,
			Sigmoid:   sigmoidBackwardAVX2Float32,
			GELU:      geluBackwardAVX2Float32,
			SiLU:      siluBackwardAVX2Float32,
		},
		second: [kernel.ActivationKinds]func(dz, dy, a *float32, n int, alpha float32){
			Tanh:    tanhSecondAVX2Float32,
			Sigmoid: sigmoidSecondAVX2Float32,
			GELU:    geluSecondAVX2Float32,
			SiLU:    siluSecondAVX2Float32,
		},
	},
	avx512: {
		forward: [kernel.ActivationKinds]func(y, z *float32, n int, alpha float32){
			ReLU:      reluAVX512Float32,
			LeakyReLU: leakyReLUAVX512Float32,
			Tanh:      tanhAVX512Float32,
			Sigmoid:   sigmoidAVX512Float32,
			GELU:      geluAVX512Float32,
			SiLU:      siluAVX512Float32,
		},
		backward: [kernel.ActivationKinds]func(dz, dy, a *float32, n int, alpha float32){
			ReLU:      reluBackwardAVX512Float32,
			LeakyReLU: leakyReLUBackwardAVX512Float32,
			Tanh:      tanhBackwardAVX512Float32,
			Sigmoid:   sigmoidBackwardAVX512Float32,
			GELU:      geluBackwardAVX512Float32,
			SiLU:      siluBackwardAVX512Float32,
		},
		second: [kernel.ActivationKinds]func(dz, dy, a *float32, n int, alpha float32){
			Tanh:    tanhSecondAVX512Float32,
			Sigmoid: sigmoidSecondAVX512Float32,
			GELU:    geluSecondAVX512Float32,
			SiLU:    siluSecondAVX512Float32,
		},
	},
}

var activations64 = [...]activationKernels[float64]{
	avx2: {
		forward: [kernel.ActivationKinds]func(y, z *float64, n int, alpha float64){
			ReLU:      reluAVX2Float64,
			LeakyReLU: leakyReLUAVX2Float64,
			Tanh:      tanhAVX2Float64,
			Sigmoid:   sigmoidAVX2Float64,
			GELU:      geluAVX2Float64,
			SiLU:      siluAVX2Float64,
		},
		backward: [kernel.ActivationKinds]func(dz, dy, a *float64, n int, alpha float64){
			ReLU:      reluBackwardAVX2Float64,
			LeakyReLU: leakyReLUBackwardAVX2Float64,
			Tanh:      tanhBackwardAVX2Float64,
			Sigmoid:   sigmoidBackwardAVX2Float64,
			GELU:      geluBackwardAVX2Float64,
			SiLU:      siluBackwardAVX2Float64,
		},
		second: [kernel.ActivationKinds]func(dz, dy, a *float64, n int, alpha float64){
			Tanh:    tanhSecondAVX2Float64,
			Sigmoid: sigmoidSecondAVX2Float64,
			GELU:    geluSecondAVX2Float64,
			SiLU:    siluSecondAVX2Float64,
		},
	},
	avx512: {
		forward: [kernel.ActivationKinds]func(y, z *float64, n int, alpha float64){
			ReLU:      reluAVX512Float64,
			LeakyReLU: leakyReLUAVX512Float64,
			Tanh:      tanhAVX512Float64,
			Sigmoid:   sigmoidAVX512Float64,
			GELU:      geluAVX512Float64,
			SiLU:      siluAVX512Float64,
		},
		backward: [kernel.ActivationKinds]func(dz, dy, a *float64, n int, alpha float64){
			ReLU:      reluBackwardAVX512Float64,
			LeakyReLU: leakyReLUBackwardAVX512Float64,
			Tanh:      tanhBackwardAVX512Float64,
			Sigmoid:   sigmoidBackwardAVX512Float64,
			GELU:      geluBackwardAVX512Float64,
			SiLU:      siluBackwardAVX512Float64,
		},
		second: [kernel.ActivationKinds]func(dz, dy, a *float64, n int, alpha float64){
			Tanh:    tanhSecondAVX512Float64,
			Sigmoid: sigmoidSecondAVX512Float64,
			GELU:    geluSecondAVX512Float64,
			SiLU:    siluSecondAVX512Float64,
		},
	},
}
