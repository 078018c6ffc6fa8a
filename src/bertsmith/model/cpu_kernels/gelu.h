/* The tanh formula of GELU: x/2 (1 + tanh z) = x sigmoid(2z), z = sqrt(2/pi) (x + 0.044715 x^3). */
#ifndef BERTSMITH_GELU_H
#define BERTSMITH_GELU_H

#include "vectors.h"

#define ROOT 0.7978845608028654f
#define CUBE 0.044715f

static inline float sigmoid_of(float x) {
    return 1.0f / (1.0f + exponential(-2.0f * ROOT * (x + CUBE * x * x * x)));
}

static inline float gelu_of(float x) { return x * sigmoid_of(x); }

static inline float gelu_slope_at(float x) {
    float sigmoid = sigmoid_of(x), inner = 2.0f * ROOT * (1.0f + 3.0f * CUBE * x * x);
    return sigmoid * (1.0f + x * (1.0f - sigmoid) * inner);
}

#ifdef HAS_VECTORS
/* The same of 16 numbers. */
static inline __m512 sigmoids_of(__m512 x) {
    __m512 factor = _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(-2.0f * ROOT * CUBE),
                                    _mm512_set1_ps(-2.0f * ROOT));
    __m512 power = _mm512_min_ps(_mm512_set1_ps(87.0f), _mm512_mul_ps(x, factor));
    __m512 below = _mm512_add_ps(exponentials(power), _mm512_set1_ps(1.0f));
    /* Its inverse, from 14 bits to all but the last: a division takes as long as all of this. */
    __m512 about = _mm512_rcp14_ps(below);
    return _mm512_mul_ps(about, _mm512_fnmadd_ps(below, about, _mm512_set1_ps(2.0f)));
}

static inline __m512 gelus_of(__m512 x) { return _mm512_mul_ps(x, sigmoids_of(x)); }

static inline __m512 gelu_slopes_at(__m512 x) {
    __m512 sigmoid = sigmoids_of(x), one = _mm512_set1_ps(1.0f);
    __m512 inner = _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(6.0f * ROOT * CUBE),
                                   _mm512_set1_ps(2.0f * ROOT));
    __m512 outer = _mm512_mul_ps(_mm512_mul_ps(x, _mm512_sub_ps(one, sigmoid)), inner);
    return _mm512_fmadd_ps(sigmoid, outer, sigmoid);
}

/* GELU of 32 numbers and a bias. */
static inline __m512i gelu_of_32(__m512i numbers, const float *bias) {
    return joined(gelus_of(_mm512_add_ps(half_of(numbers, 0), _mm512_loadu_ps(bias))),
                  gelus_of(_mm512_add_ps(half_of(numbers, 1), _mm512_loadu_ps(bias + 16))));
}

/* The gradient of 32 numbers where `above` is that of their GELU; bias_sums get it too. */
static inline __m512i gelu_gradient_of_32(__m512i above, __m512i numbers, const float *bias,
                                          float *bias_sums) {
    __m512 own[2];
    for (int half = 0; half < 2; half++) {
        __m512 x = _mm512_add_ps(half_of(numbers, half), _mm512_loadu_ps(bias + 16 * half));
        own[half] = _mm512_mul_ps(half_of(above, half), gelu_slopes_at(x));
        float *sums = bias_sums + 16 * half;
        _mm512_storeu_ps(sums, _mm512_add_ps(_mm512_loadu_ps(sums), own[half]));
    }
    return joined(own[0], own[1]);
}
#endif

#endif
