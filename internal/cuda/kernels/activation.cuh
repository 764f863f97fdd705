// The activation functions and their derivatives, numbered as in activation.go.
#pragma once
#include "common.cuh"

enum { Identity, ReLU, LeakyReLU, Tanh, Sigmoid, GELU, SiLU, Softplus };

// Act is an activation function. alpha is the slope of LeakyReLU, or Softplus's
// β; limit is Softplus's threshold.
template <class T> struct Act {
    int kind;
    T alpha, limit;
};

// Beyond ±800, e^(−z²/2) is 0 in float64. Limiting z keeps z² finite.
template <class T> __device__ T limited(T z) { return z > T(800) ? T(800) : z < T(-800) ? T(-800) : z; }

// sigmoid is 1/(1+e⁻ᶻ), with an exponential that never overflows.
template <class T> __device__ T sigmoid(T z) {
    T e = exp(z < T(0) ? z : -z);
    return (z < T(0) ? e : T(1)) / (T(1) + e);
}

// The distribution function Φ(z) and the density φ(z) of the normal distribution.
template <class T> __device__ T normalCDF(T z) { return T(0.5) * erfc(-z * T(0.70710678118654752440)); }
template <class T> __device__ T normalPDF(T z) { return T(0.39894228040143267794) * exp(T(-0.5) * z * z); }

// softplus is log(1+e^βz)/β, or z if βz is above the threshold.
template <class T> __device__ T softplus(T z, T beta, T threshold) {
    const T v = beta * z;
    if (v > threshold) return z;
    return ((v > T(0) ? v : T(0)) + log1p(exp(v > T(0) ? -v : v))) / beta;
}

// The functions with an exponential in them are long. They are kept out of line,
// so that code which applies act to many registers stays short. A kind that is
// none gives NaN.
template <class T> __device__ __noinline__ T curve(T z, int kind, T alpha, T limit) {
    switch (kind) {
    case Tanh: return tanh(z);
    case Sigmoid: return sigmoid(z);
    case GELU: return z * normalCDF(z);
    case SiLU: return z * sigmoid(z);
    case Softplus: return softplus(z, alpha, limit);
    }
    return T(NAN);
}

template <class T> __device__ __noinline__ T curveChain(T dy, T a, int kind, T alpha, T limit) {
    switch (kind) {
    case Tanh: return dy * (T(1) - a * a);
    case Sigmoid: return dy * (a * (T(1) - a));
    case GELU: return dy * (normalCDF(a) + a * normalPDF(a));
    case SiLU: return dy * (sigmoid(a) * (T(1) + a * sigmoid(-a)));
    case Softplus: return alpha * a > limit ? dy : dy * sigmoid(alpha * a);
    }
    return T(NAN);
}

template <class T> __device__ T activate(T z, Act<T> act) {
    if (act.kind == Identity) return z;
    if (act.kind > LeakyReLU) return curve(z, act.kind, act.alpha, act.limit);
    return z < T(0) ? (act.kind == ReLU ? T(0) : act.alpha * z) : z;
}

// chain is dy·act'(a), where a is Y or, for those whose derivative is written
// in it, Z.
template <class T> __device__ T chain(T dy, T a, Act<T> act) {
    if (act.kind > LeakyReLU) return curveChain(dy, a, act.kind, act.alpha, act.limit);
    // A NaN keeps ReLU's dy.
    if (act.kind == ReLU) return a <= T(0) ? T(0) : dy;
    return act.kind == Identity || a > T(0) ? dy : act.alpha * dy;
}

// chainSecond is dy times the derivative of act' by a.
template <class T> __device__ T chainSecond(T dy, T a, Act<T> act) {
    switch (act.kind) {
    case Identity:
    case ReLU:
    case LeakyReLU: return T(0);
    case Tanh: return dy * (T(-2) * a);
    case Sigmoid: return dy * (T(1) - T(2) * a);
    case GELU: return dy * (normalPDF(a) * (T(2) - limited(a) * limited(a)) + T(0) * a);
    case SiLU: return dy * (sigmoid(a) * sigmoid(-a) * (T(2) - a * tanh(a / T(2))));
    case Softplus:
        return act.alpha * a > act.limit ? T(0) : dy * (act.alpha * sigmoid(act.alpha * a) * sigmoid(-act.alpha * a));
    }
    return T(NAN);
}
