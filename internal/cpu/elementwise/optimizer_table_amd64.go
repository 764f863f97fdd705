//go:build !purego

package elementwise

import (
	"github.com/affine-go/affine/internal/cpu/arch"
)

var updateKernels32 = [...]updateKernels[float32]{
	arch.AVX2: {
		sgd:                     sgdAVX2Float32,
		sgdMomentum:             sgdMomentumAVX2Float32,
		sgdNesterov:             sgdNesterovAVX2Float32,
		adam:                    adamAVX2Float32,
		rmsprop:                 rmspropAVX2Float32,
		rmspropMomentum:         rmspropMomentumAVX2Float32,
		rmspropCentered:         rmspropCenteredAVX2Float32,
		rmspropCenteredMomentum: rmspropCenteredMomentumAVX2Float32,
		adagrad:                 adagradAVX2Float32,
	},
	arch.AVX512: {
		sgd:                     sgdAVX512Float32,
		sgdMomentum:             sgdMomentumAVX512Float32,
		sgdNesterov:             sgdNesterovAVX512Float32,
		adam:                    adamAVX512Float32,
		rmsprop:                 rmspropAVX512Float32,
		rmspropMomentum:         rmspropMomentumAVX512Float32,
		rmspropCentered:         rmspropCenteredAVX512Float32,
		rmspropCenteredMomentum: rmspropCenteredMomentumAVX512Float32,
		adagrad:                 adagradAVX512Float32,
	},
}

var updateKernels64 = [...]updateKernels[float64]{
	arch.AVX2: {
		sgd:                     sgdAVX2Float64,
		sgdMomentum:             sgdMomentumAVX2Float64,
		sgdNesterov:             sgdNesterovAVX2Float64,
		adam:                    adamAVX2Float64,
		rmsprop:                 rmspropAVX2Float64,
		rmspropMomentum:         rmspropMomentumAVX2Float64,
		rmspropCentered:         rmspropCenteredAVX2Float64,
		rmspropCenteredMomentum: rmspropCenteredMomentumAVX2Float64,
		adagrad:                 adagradAVX2Float64,
	},
	arch.AVX512: {
		sgd:                     sgdAVX512Float64,
		sgdMomentum:             sgdMomentumAVX512Float64,
		sgdNesterov:             sgdNesterovAVX512Float64,
		adam:                    adamAVX512Float64,
		rmsprop:                 rmspropAVX512Float64,
		rmspropMomentum:         rmspropMomentumAVX512Float64,
		rmspropCentered:         rmspropCenteredAVX512Float64,
		rmspropCenteredMomentum: rmspropCenteredMomentumAVX512Float64,
		adagrad:                 adagradAVX512Float64,
	},
}
