/* LayerNorm(residual + dropout(values + values_bias)), row by row; see residual_norm.py. */
#include "vectors.h"

/* The sums of one row, in float32. */
static inline void sum_row(const bf16 *restrict values, const float *restrict values_bias,
                           const bf16 *restrict residual, float *restrict sums, int64_t row,
                           int64_t D, Dropout dropout) {
    uint32_t first = (uint32_t)(row * D);
    if (dropout.threshold == 0) {
#pragma omp simd
        for (int64_t c = 0; c < D; c++)
            sums[c] = wide(residual[c]) + (wide(values[c]) + values_bias[c]);
    } else {
#pragma omp simd
        for (int64_t c = 0; c < D; c++)
            sums[c] = wide(residual[c]) +
                      (wide(values[c]) + values_bias[c]) * kept(dropout, first + (uint32_t)c);
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

static void forward_row(const bf16 *values, const float *values_bias, const bf16 *residual,
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

static void backward_row(const bf16 *above, const bf16 *values, const float *values_bias,
                         const bf16 *residual, const float *weight, float mean, float factor,
                         bf16 *to_values, bf16 *to_residual, float *weight_sum, float *bias_sum,
                         float *values_bias_sum, int64_t t, int64_t D, Dropout dropout) {
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

void residual_norm_forward(const bf16 *values, const float *restrict values_bias,
                           const bf16 *residual, const float *restrict weight,
                           const float *restrict bias, bf16 *output, float *means, float *factors,
                           int64_t T, int64_t D, float eps, int64_t seed, int64_t threshold,
                           float scale, int64_t threads) {
    Dropout dropout = {(uint32_t)seed, (uint32_t)threshold, scale};
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t t = 0; t < T; t++) {
#ifdef HAS_VECTORS
        if (D % WIDTH == 0) {
            forward_row(values + t * D, values_bias, residual + t * D, weight, bias, output + t * D,
                        means + t, factors + t, t, D, eps, dropout);
            continue;
        }
#endif
        float sums[D];
        sum_row(values + t * D, values_bias, residual + t * D, sums, t, D, dropout);
        float total = 0, squares = 0;
#pragma omp simd reduction(+ : total)
        for (int64_t c = 0; c < D; c++) total += sums[c];
        float mean = total / (float)D;
#pragma omp simd reduction(+ : squares)
        for (int64_t c = 0; c < D; c++) squares += (sums[c] - mean) * (sums[c] - mean);
        float factor = 1.0f / sqrtf(squares / (float)D + eps);
        bf16 *restrict row = output + t * D;
#pragma omp simd
        for (int64_t c = 0; c < D; c++)
            row[c] = narrow((sums[c] - mean) * factor * weight[c] + bias[c]);
        means[t] = mean;
        factors[t] = factor;
    }
}

/* The sums are zeros, [threads, D]: each thread's part of the gradients of the weight and of the
   two biases. */
void residual_norm_backward(const bf16 *grad_output, const bf16 *values,
                            const float *restrict values_bias, const bf16 *residual,
                            const float *restrict weight, const float *means,
                            const float *factors, bf16 *grad_values, bf16 *grad_residual,
                            float *weight_sums, float *bias_sums, float *values_bias_sums,
                            int64_t T, int64_t D, int64_t seed, int64_t threshold, float scale,
                            int64_t threads) {
    Dropout dropout = {(uint32_t)seed, (uint32_t)threshold, scale};
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t part = 0; part < threads; part++) {
        float *restrict weight_sum = weight_sums + part * D;
        float *restrict bias_sum = bias_sums + part * D;
        float *restrict values_bias_sum = values_bias_sums + part * D;
        float normed[D], upper[D];
        for (int64_t t = T * part / threads; t < T * (part + 1) / threads; t++) {
            const bf16 *restrict above = grad_output + t * D;
#ifdef HAS_VECTORS
            if (D % WIDTH == 0) {
                backward_row(above, values + t * D, values_bias, residual + t * D, weight, means[t],
                             factors[t], grad_values + t * D, grad_residual + t * D, weight_sum,
                             bias_sum, values_bias_sum, t, D, dropout);
                continue;
            }
#endif
            sum_row(values + t * D, values_bias, residual + t * D, normed, t, D, dropout);
            float mean = means[t], factor = factors[t], along = 0, total = 0;
#pragma omp simd reduction(+ : along, total)
            for (int64_t c = 0; c < D; c++) {
                float gradient = wide(above[c]);
                normed[c] = (normed[c] - mean) * factor;
                weight_sum[c] += gradient * normed[c];
                bias_sum[c] += gradient;
                upper[c] = gradient * weight[c];
                along += upper[c] * normed[c];
                total += upper[c];
            }
            along /= (float)D;
            total /= (float)D;
            bf16 *restrict to_residual = grad_residual + t * D;
            bf16 *restrict to_values = grad_values + t * D;
            uint32_t first = (uint32_t)(t * D);
            if (dropout.threshold == 0) {
#pragma omp simd
                for (int64_t c = 0; c < D; c++) {
                    float gradient = (upper[c] - total - normed[c] * along) * factor;
                    to_residual[c] = narrow(gradient);
                    values_bias_sum[c] += gradient;
                }
            } else {
#pragma omp simd
                for (int64_t c = 0; c < D; c++) {
                    float gradient = (upper[c] - total - normed[c] * along) * factor;
                    to_residual[c] = narrow(gradient);
                    gradient *= kept(dropout, first + (uint32_t)c);
                    to_values[c] = narrow(gradient);
                    values_bias_sum[c] += gradient;
                }
            }
        }
    }
}
