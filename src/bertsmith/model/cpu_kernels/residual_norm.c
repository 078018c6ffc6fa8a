/* LayerNorm(residual + dropout(values + values_bias)), row by row; see residual_norm.py. */
#include "common.h"

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

void residual_norm_forward(const bf16 *values, const float *restrict values_bias,
                           const bf16 *residual, const float *restrict weight,
                           const float *restrict bias, bf16 *output, float *means, float *factors,
                           int64_t T, int64_t D, float eps, int64_t seed, int64_t threshold,
                           float scale, int64_t threads) {
    Dropout dropout = {(uint32_t)seed, (uint32_t)threshold, scale};
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t t = 0; t < T; t++) {
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
