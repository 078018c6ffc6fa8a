/* GELU of the products of a linear layer, [T, F]; its bias, [F], is added here. */
#include "gelu.h"

void gelu_forward(const bf16 *values, const float *restrict bias, bf16 *output, int64_t T,
                  int64_t F, int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t t = 0; t < T; t++) {
        const bf16 *restrict from = values + t * F;
        bf16 *restrict to = output + t * F;
#pragma omp simd
        for (int64_t c = 0; c < F; c++) {
            to[c] = narrow(gelu_of(wide(from[c]) + bias[c]));
        }
    }
}

/* bias_sums is zeros, [threads, F]: each thread's part of the bias's gradient. */
void gelu_backward(const bf16 *grad_output, const bf16 *values, const float *restrict bias,
                   bf16 *gradient, float *bias_sums, int64_t T, int64_t F, int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t part = 0; part < threads; part++) {
        float *restrict bias_sum = bias_sums + part * F;
        for (int64_t t = T * part / threads; t < T * (part + 1) / threads; t++) {
            const bf16 *restrict from = values + t * F;
            const bf16 *restrict above = grad_output + t * F;
            bf16 *restrict to = gradient + t * F;
#pragma omp simd
            for (int64_t c = 0; c < F; c++) {
                float own = wide(above[c]) * gelu_slope_at(wide(from[c]) + bias[c]);
                bias_sum[c] += own;
                to[c] = narrow(own);
            }
        }
    }
}
