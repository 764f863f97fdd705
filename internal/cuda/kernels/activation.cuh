// The activation functions and their derivatives, numbered as in package device.
#pragma once
#include "common.cuh"

enum { Identity, ReLU, LeakyReLU, Tanh, Sigmoid, GELU, SiLU };

// Beyond ±800, e^z and e^(−z²/2) are 0 in float64. Limiting the factor z keeps
// z·0 from becoming NaN at −∞.
template <class T> __device__ T limited(T z) { return z > T(800) ? T(800) : z < T(-800) ? T(-800) : z; }

// sigmoid is 1/(1+e⁻ᶻ), with an exponential that never overflows.
template <class T> __device__ T sigmoid(T z) {
    T e = exp(z < T(0) ? z : -z);
    return (z < T(0) ? e : T(1)) / (T(1) + e);
}

// The distribution function Φ(z) and the density φ(z) of the normal distribution.
template <class T> __device__ T normalCDF(T z) { return T(0.5) * erfc(-z * T(0.70710678118654752440)); }
template <class T> __device__ T normalPDF(T z) { return T(0.39894228040143267794) * exp(T(-0.5) * z * z); }

// The functions with an exponential in them are long. They are kept out of line,
// so that code which applies act to many registers stays short.
template <class T> __device__ __noinline__ T curve(T z, int kind) {
    switch (kind) {
    case Tanh: return tanh(z);
    case Sigmoid: return sigmoid(z);
    case GELU: return (z < T(-800) ? T(-800) : z) * normalCDF(z);
    case SiLU: return (z < T(-800) ? T(-800) : z) * sigmoid(z);
    }
    return z;
}

template <class T> __device__ __noinline__ T curveSlope(T z, int kind) {
    return kind == GELU ? normalCDF(z) + limited(z) * normalPDF(z)
                        : sigmoid(z) * (T(1) + limited(z) * sigmoid(-z));
}

template <class T> __device__ T activate(T z, int kind, T alpha) {
    if (kind == Identity) return z;
    if (kind > LeakyReLU) return curve(z, kind);
    return z < T(0) ? (kind == ReLU ? T(0) : alpha * z) : z;
}

// chain is dy·act'(a), where a is Y or, for GELU and SiLU, Z.
template <class T> __device__ T chain(T dy, T a, int kind, T alpha) {
    switch (kind) {
    case Identity: return dy;
    case ReLU: return a > T(0) ? dy : T(0);
    case LeakyReLU: return a > T(0) ? dy : alpha * dy;
    case Tanh: return dy * (T(1) - a * a);
    case Sigmoid: return dy * (a * (T(1) - a));
    }
    return dy * curveSlope(a, kind);
}

// chainSecond is dy times the derivative of act' by a.
template <class T> __device__ T chainSecond(T dy, T a, int kind) {
    switch (kind) {
    case Tanh: return dy * (T(-2) * a);
    case Sigmoid: return dy * (T(1) - T(2) * a);
    case GELU: return dy * (normalPDF(a) * (T(2) - limited(a) * limited(a)));
    case SiLU: return dy * (sigmoid(a) * sigmoid(-a) * (T(2) - limited(a) * tanh(a / T(2))));
    }
    return T(0);
}
