/* LayerNorm(residual + dropout(values + values_bias)), row by row; see residual_norm.py. */
#include "kernels.h"
#include "vectors.h"

/* The sums of one row, in float32. */
FOR_ITS_KIND void sum_row(const void *values, const float *restrict values_bias,
                          const void *residual, float *restrict sums, int64_t row, int64_t D,
                          Dropout dropout, int is_wide) {
    uint32_t first = (uint32_t)(row * D);
    if (dropout.threshold == 0) {
#pragma omp simd
        for (int64_t c = 0; c < D; c++)
            sums[c] = number_at(residual, c, is_wide) +
                      (number_at(values, c, is_wide) + values_bias[c]);
    } else {
#pragma omp simd
        for (int64_t c = 0; c < D; c++)
            sums[c] = number_at(residual, c, is_wide) +
                      (number_at(values, c, is_wide) + values_bias[c]) *
                          kept(dropout, first + (uint32_t)c);
    }
}

#ifdef HAS_VECTORS
#define TOGETHER 4              /* vectors of a row that are worked on in step, see EACH */
#define WIDTH (16 * TOGETHER)   /* numbers in them; rows of other widths go by the loops below */

/* The sums of a row's numbers from c on; `staying` of the values were kept. */
static inline __attribute__((always_inline)) void
sums_of(const bf16 *values, const float *values_bias, const bf16 *residual, int64_t row, int64_t D,
        int64_t c, Dropout dropout, __m512 *sums, __mmask16 *staying) {
    __m512i index[TOGETHER];
    EACH(TOGETHER) sums[i] = _mm512_add_ps(widened(values + c + 16 * i),
                                           _mm512_loadu_ps(values_bias + c + 16 * i));
    if (dropout.threshold != 0) {
        EACH(TOGETHER) index[i] = index_from((uint32_t)(row * D + c + 16 * i), dropout);
        stay_each(index, staying, dropout, TOGETHER);
        EACH(TOGETHER) sums[i] =
            _mm512_maskz_mul_ps(staying[i], sums[i], _mm512_set1_ps(dropout.scale));
    }
    EACH(TOGETHER) sums[i] = _mm512_add_ps(widened(residual + c + 16 * i), sums[i]);
}

static inline float total_of(const __m512 *parts) {
    return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(parts[0], parts[1]),
                                              _mm512_add_ps(parts[2], parts[3])));
}

static void forward_vectors(const bf16 *values, const float *values_bias, const bf16 *residual,
                            const float *weight, const float *bias, bf16 *output, float *mean,
                            float *factor, int64_t t, int64_t D, float eps, Dropout dropout) {
    float sums[D] __attribute__((aligned(64)));
    __m512 x[TOGETHER], parts[TOGETHER] = {0};
    __mmask16 staying[TOGETHER];
    for (int64_t c = 0; c < D; c += WIDTH) {
        sums_of(values, values_bias, residual, t, D, c, dropout, x, staying);
        EACH(TOGETHER) parts[i] = _mm512_add_ps(parts[i], x[i]);
        EACH(TOGETHER) _mm512_store_ps(sums + c + 16 * i, x[i]);
    }
    *mean = total_of(parts) / (float)D;
    const __m512 means = _mm512_set1_ps(*mean);
    EACH(TOGETHER) parts[i] = _mm512_setzero_ps();
    for (int64_t c = 0; c < D; c += WIDTH) {
        EACH(TOGETHER) x[i] = _mm512_sub_ps(_mm512_load_ps(sums + c + 16 * i), means);
        EACH(TOGETHER) parts[i] = _mm512_fmadd_ps(x[i], x[i], parts[i]);
    }
    *factor = 1.0f / sqrtf(total_of(parts) / (float)D + eps);
    const __m512 factors = _mm512_set1_ps(*factor);
    for (int64_t c = 0; c < D; c += WIDTH) {
        EACH(TOGETHER) x[i] = _mm512_sub_ps(_mm512_load_ps(sums + c + 16 * i), means);
        EACH(TOGETHER) x[i] = _mm512_mul_ps(_mm512_mul_ps(x[i], factors),
                                            _mm512_loadu_ps(weight + c + 16 * i));
        EACH(TOGETHER) x[i] = _mm512_add_ps(x[i], _mm512_loadu_ps(bias + c + 16 * i));
        EACH(TOGETHER / 2) put(output + c + 32 * i, joined(x[2 * i], x[2 * i + 1]));
    }
}

static inline void add_to(float *sum, __m512 values) {
    _mm512_storeu_ps(sum, _mm512_add_ps(_mm512_loadu_ps(sum), values));
}

static void backward_vectors(const bf16 *above, const bf16 *values, const float *values_bias,
                             const bf16 *residual, const float *weight, float mean, float factor,
                             bf16 *to_values, bf16 *to_residual, float *weight_sum,
                             float *bias_sum, float *values_bias_sum, int64_t t, int64_t D,
                             Dropout dropout) {
    float normed[D] __attribute__((aligned(64))), upper[D] __attribute__((aligned(64)));
    __mmask16 stays[D / 16];
    const __m512 means = _mm512_set1_ps(mean), factors = _mm512_set1_ps(factor);
    __m512 x[TOGETHER], g[TOGETHER], along[TOGETHER] = {0}, total[TOGETHER] = {0};
    for (int64_t c = 0; c < D; c += WIDTH) {
        sums_of(values, values_bias, residual, t, D, c, dropout, x, stays + c / 16);
        EACH(TOGETHER) x[i] = _mm512_mul_ps(_mm512_sub_ps(x[i], means), factors);
        EACH(TOGETHER) g[i] = widened(above + c + 16 * i);
        EACH(TOGETHER) add_to(weight_sum + c + 16 * i, _mm512_mul_ps(g[i], x[i]));
        EACH(TOGETHER) add_to(bias_sum + c + 16 * i, g[i]);
        EACH(TOGETHER) g[i] = _mm512_mul_ps(g[i], _mm512_loadu_ps(weight + c + 16 * i));
        EACH(TOGETHER) along[i] = _mm512_fmadd_ps(g[i], x[i], along[i]);
        EACH(TOGETHER) total[i] = _mm512_add_ps(total[i], g[i]);
        EACH(TOGETHER) _mm512_store_ps(normed + c + 16 * i, x[i]);
        EACH(TOGETHER) _mm512_store_ps(upper + c + 16 * i, g[i]);
    }
    const __m512 slope = _mm512_set1_ps(total_of(along) / (float)D);
    const __m512 shift = _mm512_set1_ps(total_of(total) / (float)D);
    const __m512 scale = _mm512_set1_ps(dropout.scale);
    for (int64_t c = 0; c < D; c += WIDTH) {
        EACH(TOGETHER) g[i] = _mm512_sub_ps(_mm512_load_ps(upper + c + 16 * i), shift);
        EACH(TOGETHER) g[i] =
            _mm512_fnmadd_ps(_mm512_load_ps(normed + c + 16 * i), slope, g[i]);
        EACH(TOGETHER) g[i] = _mm512_mul_ps(g[i], factors);
        EACH(TOGETHER / 2) put(to_residual + c + 32 * i, joined(g[2 * i], g[2 * i + 1]));
        if (dropout.threshold != 0) {
            EACH(TOGETHER) g[i] = _mm512_maskz_mul_ps(stays[c / 16 + i], g[i], scale);
            EACH(TOGETHER / 2) put(to_values + c + 32 * i, joined(g[2 * i], g[2 * i + 1]));
        }
        EACH(TOGETHER) add_to(values_bias_sum + c + 16 * i, g[i]);
    }
}
#endif

FOR_ITS_KIND void forward_row(const void *values, const float *values_bias, const void *residual,
                              const float *restrict weight, const float *restrict bias,
                              void *output, float *mean, float *factor, int64_t t, int64_t D,
                              float eps, Dropout dropout, int is_wide) {
#ifdef HAS_VECTORS
    if (!is_wide && D % WIDTH == 0) {
        forward_vectors(values, values_bias, residual, weight, bias, output, mean, factor, t, D,
                        eps, dropout);
        return;
    }
#endif
    float sums[D];
    sum_row(values, values_bias, residual, sums, t, D, dropout, is_wide);
    float total = 0, squares = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t c = 0; c < D; c++) total += sums[c];
    *mean = total / (float)D;
    float middle = *mean;
#pragma omp simd reduction(+ : squares)
    for (int64_t c = 0; c < D; c++) squares += (sums[c] - middle) * (sums[c] - middle);
    *factor = 1.0f / sqrtf(squares / (float)D + eps);
    float scale = *factor;
#pragma omp simd
    for (int64_t c = 0; c < D; c++)
        put_number(output, c, (sums[c] - middle) * scale * weight[c] + bias[c], is_wide);
}

FOR_ITS_KIND void backward_row(const void *above, const void *values, const float *values_bias,
                               const void *residual, const float *restrict weight, float mean,
                               float factor, void *to_values, void *to_residual,
                               float *restrict weight_sum, float *restrict bias_sum,
                               float *restrict values_bias_sum, int64_t t, int64_t D,
                               Dropout dropout, int is_wide) {
#ifdef HAS_VECTORS
    if (!is_wide && D % WIDTH == 0) {
        backward_vectors(above, values, values_bias, residual, weight, mean, factor, to_values,
                         to_residual, weight_sum, bias_sum, values_bias_sum, t, D, dropout);
        return;
    }
#endif
    float normed[D], upper[D], along = 0, total = 0;
    sum_row(values, values_bias, residual, normed, t, D, dropout, is_wide);
#pragma omp simd reduction(+ : along, total)
    for (int64_t c = 0; c < D; c++) {
        float gradient = number_at(above, c, is_wide);
        normed[c] = (normed[c] - mean) * factor;
        weight_sum[c] += gradient * normed[c];
        bias_sum[c] += gradient;
        upper[c] = gradient * weight[c];
        along += upper[c] * normed[c];
        total += upper[c];
    }
    along /= (float)D;
    total /= (float)D;
    uint32_t first = (uint32_t)(t * D);
    if (dropout.threshold == 0) {
#pragma omp simd
        for (int64_t c = 0; c < D; c++) {
            float gradient = (upper[c] - total - normed[c] * along) * factor;
            put_number(to_residual, c, gradient, is_wide);
            values_bias_sum[c] += gradient;
        }
    } else {
#pragma omp simd
        for (int64_t c = 0; c < D; c++) {
            float gradient = (upper[c] - total - normed[c] * along) * factor;
            put_number(to_residual, c, gradient, is_wide);
            gradient *= kept(dropout, first + (uint32_t)c);
            put_number(to_values, c, gradient, is_wide);
            values_bias_sum[c] += gradient;
        }
    }
}

void residual_norm_forward(const void *values, const float *values_bias, const void *residual,
                           const float *weight, const float *bias, void *output, float *means,
                           float *factors, int64_t T, int64_t D, float eps, int64_t seed,
                           int64_t threshold, float scale, int64_t is_wide, int64_t threads) {
    Dropout dropout = {(uint32_t)seed, (uint32_t)threshold, scale};
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t t = 0; t < T; t++) {
        const void *values_row = NUMBERS_FROM(values, t * D, is_wide);
        const void *residual_row = NUMBERS_FROM(residual, t * D, is_wide);
        void *to = NUMBERS_FROM(output, t * D, is_wide);
        CALL_FOR(is_wide, forward_row, values_row, values_bias, residual_row, weight, bias, to,
                 means + t, factors + t, t, D, eps, dropout);
    }
}

/* The sums are zeros, [threads, D]: each thread's part of the gradients of the weight and of the
   two biases. */
void residual_norm_backward(const void *grad_output, const void *values, const float *values_bias,
                            const void *residual, const float *weight, const float *means,
                            const float *factors, void *grad_values, void *grad_residual,
                            float *weight_sums, float *bias_sums, float *values_bias_sums,
                            int64_t T, int64_t D, int64_t seed, int64_t threshold, float scale,
                            int64_t is_wide, int64_t threads) {
    Dropout dropout = {(uint32_t)seed, (uint32_t)threshold, scale};
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t part = 0; part < threads; part++) {
        float *weight_sum = weight_sums + part * D, *bias_sum = bias_sums + part * D;
        float *values_bias_sum = values_bias_sums + part * D;
        for (int64_t t = T * part / threads; t < T * (part + 1) / threads; t++) {
            const void *above_row = NUMBERS_FROM(grad_output, t * D, is_wide);
            const void *values_row = NUMBERS_FROM(values, t * D, is_wide);
            const void *residual_row = NUMBERS_FROM(residual, t * D, is_wide);
            void *to_values = NUMBERS_FROM(grad_values, t * D, is_wide);
            void *to_residual = NUMBERS_FROM(grad_residual, t * D, is_wide);
            CALL_FOR(is_wide, backward_row, above_row, values_row, values_bias, residual_row,
                     weight, means[t], factors[t], to_values, to_residual, weight_sum, bias_sum,
                     values_bias_sum, t, D, dropout);
        }
    }
}
