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
/* The same of n vectors. */
static inline __attribute__((always_inline)) void sigmoids_of(const __m512 *x, __m512 *sigmoid,
                                                              int n) {
    __m512 below[8];
    EACH(n) sigmoid[i] = _mm512_mul_ps(x[i], x[i]);
    EACH(n) sigmoid[i] = _mm512_fmadd_ps(sigmoid[i], _mm512_set1_ps(-2.0f * ROOT * CUBE),
                                         _mm512_set1_ps(-2.0f * ROOT));
    EACH(n) sigmoid[i] = _mm512_mul_ps(x[i], sigmoid[i]);
    EACH(n) sigmoid[i] = _mm512_min_ps(_mm512_set1_ps(87.0f), sigmoid[i]);
    exponentials(sigmoid, n);
    EACH(n) below[i] = _mm512_add_ps(sigmoid[i], _mm512_set1_ps(1.0f));
    /* Its inverse, from 14 bits to all but the last: a division takes as long as all of this. */
    EACH(n) sigmoid[i] = _mm512_rcp14_ps(below[i]);
    EACH(n) below[i] = _mm512_fnmadd_ps(below[i], sigmoid[i], _mm512_set1_ps(2.0f));
    EACH(n) sigmoid[i] = _mm512_mul_ps(sigmoid[i], below[i]);
}

/* GELU of rows of 32 numbers and a bias, up to 4 rows. */
static inline __attribute__((always_inline)) void gelu_of_rows(__m512i *rows, const float *bias,
                                                               int number) {
    __m512 x[8], sigmoid[8];
    EACH(2 * number) x[i] = _mm512_add_ps(half_of(rows[i / 2], i % 2),
                                          _mm512_loadu_ps(bias + i % 2 * 16));
    sigmoids_of(x, sigmoid, 2 * number);
    EACH(2 * number) x[i] = _mm512_mul_ps(x[i], sigmoid[i]);
    EACH(number) rows[i] = joined(x[2 * i], x[2 * i + 1]);
}

/* The gradient of rows of 32 numbers where `rows` is that of their GELU; bias_sums get it too. */
static inline __attribute__((always_inline)) void
gelu_gradient_of_rows(__m512i *rows, const __m512i *numbers, const float *bias, float *bias_sums,
                      int number) {
    const __m512 one = _mm512_set1_ps(1.0f);
    __m512 x[8], sigmoid[8], inner[8];
    EACH(2 * number) x[i] = _mm512_add_ps(half_of(numbers[i / 2], i % 2),
                                          _mm512_loadu_ps(bias + i % 2 * 16));
    sigmoids_of(x, sigmoid, 2 * number);
    EACH(2 * number) inner[i] = _mm512_mul_ps(x[i], x[i]);
    EACH(2 * number) inner[i] = _mm512_fmadd_ps(inner[i], _mm512_set1_ps(6.0f * ROOT * CUBE),
                                                _mm512_set1_ps(2.0f * ROOT));
    EACH(2 * number) inner[i] = _mm512_mul_ps(inner[i], x[i]);
    EACH(2 * number) x[i] = _mm512_sub_ps(one, sigmoid[i]);
    EACH(2 * number) inner[i] = _mm512_mul_ps(inner[i], x[i]);
    EACH(2 * number) sigmoid[i] = _mm512_fmadd_ps(sigmoid[i], inner[i], sigmoid[i]);
    EACH(2 * number) x[i] = _mm512_mul_ps(half_of(rows[i / 2], i % 2), sigmoid[i]);
    for (int half = 0; half < 2; half++) {
        __m512 sum = _mm512_loadu_ps(bias_sums + 16 * half);
        EACH(number) sum = _mm512_add_ps(sum, x[2 * i + half]);
        _mm512_storeu_ps(bias_sums + 16 * half, sum);
    }
    EACH(number) rows[i] = joined(x[2 * i], x[2 * i + 1]);
}
#endif

#endif
