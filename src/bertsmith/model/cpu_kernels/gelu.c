/* GELU of the products of a linear layer, [T, F]; its bias, [F], is added here. */
#include "gelu.h"

void gelu_forward(const bf16 *values, const float *restrict bias, bf16 *output, int64_t T,
                  int64_t F, int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t t = 0; t < T; t++) {
        const bf16 *restrict from = values + t * F;
        bf16 *restrict to = output + t * F;
        int64_t c = 0;
#ifdef HAS_VECTORS
        for (; c + 32 <= F; c += 32) {
            __m512i row = all_of(from + c);
            gelu_of_rows(&row, bias + c, 1);
            put(to + c, row);
        }
#endif
#pragma omp simd
        for (int64_t i = c; i < F; i++) to[i] = narrow(gelu_of(wide(from[i]) + bias[i]));
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
            int64_t c = 0;
#ifdef HAS_VECTORS
            for (; c + 32 <= F; c += 32) {
                __m512i row = all_of(above + c), numbers = all_of(from + c);
                gelu_gradient_of_rows(&row, &numbers, bias + c, bias_sum + c, 1);
                put(to + c, row);
            }
#endif
#pragma omp simd
            for (int64_t i = c; i < F; i++) {
                float own = wide(above[i]) * gelu_slope_at(wide(from[i]) + bias[i]);
                bias_sum[i] += own;
                to[i] = narrow(own);
            }
        }
    }
}
