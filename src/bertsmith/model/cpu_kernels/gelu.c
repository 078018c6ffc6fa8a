/* GELU of the products of a linear layer, [T, F]; its bias, [F], is added here. */
#include "gelu.h"
#include "kernels.h"

FOR_ITS_KIND void forward_row(const void *from, const float *restrict bias, void *to, int64_t F,
                              int is_wide) {
    int64_t c = 0;
#ifdef HAS_VECTORS
    for (; !is_wide && c + 32 <= F; c += 32) {
        __m512i row = all_of((const bf16 *)from + c);
        gelu_of_rows(&row, bias + c, 1);
        put((bf16 *)to + c, row);
    }
#endif
#pragma omp simd
    for (int64_t i = c; i < F; i++)
        put_number(to, i, gelu_of(number_at(from, i, is_wide) + bias[i]), is_wide);
}

FOR_ITS_KIND void backward_row(const void *above, const void *from, const float *restrict bias,
                               void *to, float *restrict bias_sum, int64_t F, int is_wide) {
    int64_t c = 0;
#ifdef HAS_VECTORS
    for (; !is_wide && c + 32 <= F; c += 32) {
        __m512i row = all_of((const bf16 *)above + c), numbers = all_of((const bf16 *)from + c);
        gelu_gradient_of_rows(&row, &numbers, bias + c, bias_sum + c, 1);
        put((bf16 *)to + c, row);
    }
#endif
#pragma omp simd
    for (int64_t i = c; i < F; i++) {
        float slope = gelu_slope_at(number_at(from, i, is_wide) + bias[i]);
        float own = number_at(above, i, is_wide) * slope;
        bias_sum[i] += own;
        put_number(to, i, own, is_wide);
    }
}

void gelu_forward(const void *values, const float *bias, void *output, int64_t T, int64_t F,
                  int64_t is_wide, int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t t = 0; t < T; t++) {
        const void *from = NUMBERS_FROM(values, t * F, is_wide);
        void *to = NUMBERS_FROM(output, t * F, is_wide);
        CALL_FOR(is_wide, forward_row, from, bias, to, F);
    }
}

/* bias_sums is zeros, [threads, F]: each thread's part of the bias's gradient. */
void gelu_backward(const void *grad_output, const void *values, const float *bias, void *gradient,
                   float *bias_sums, int64_t T, int64_t F, int64_t is_wide, int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t part = 0; part < threads; part++) {
        float *bias_sum = bias_sums + part * F;
        for (int64_t t = T * part / threads; t < T * (part + 1) / threads; t++) {
            const void *above = NUMBERS_FROM(grad_output, t * F, is_wide);
            const void *from = NUMBERS_FROM(values, t * F, is_wide);
            void *to = NUMBERS_FROM(gradient, t * F, is_wide);
            CALL_FOR(is_wide, backward_row, above, from, bias, to, bias_sum, F);
        }
    }
}
