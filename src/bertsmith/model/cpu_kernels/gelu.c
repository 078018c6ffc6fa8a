/* The tanh formula of GELU: x/2 (1 + tanh z) = x sigmoid(2z), z = sqrt(2/pi) (x + 0.044715 x^3).

   What comes in are the products of a linear layer, [T, F]; its bias, [F], is added here. */
#include "common.h"

#define ROOT 0.7978845608028654f
#define CUBE 0.044715f

static inline float sigmoid_of(float x) {
    return 1.0f / (1.0f + exponential(-2.0f * ROOT * (x + CUBE * x * x * x)));
}

void gelu_forward(const bf16 *values, const float *restrict bias, bf16 *output, int64_t T,
                  int64_t F, int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t t = 0; t < T; t++) {
        const bf16 *restrict from = values + t * F;
        bf16 *restrict to = output + t * F;
#pragma omp simd
        for (int64_t c = 0; c < F; c++) {
            float x = wide(from[c]) + bias[c];
            to[c] = narrow(x * sigmoid_of(x));
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
                float x = wide(from[c]) + bias[c], sigmoid = sigmoid_of(x);
                float inner = 2.0f * ROOT * (1.0f + 3.0f * CUBE * x * x);
                float slope = sigmoid * (1.0f + x * (1.0f - sigmoid) * inner);
                float own = wide(above[c]) * slope;
                bias_sum[c] += own;
                to[c] = narrow(own);
            }
        }
    }
}
