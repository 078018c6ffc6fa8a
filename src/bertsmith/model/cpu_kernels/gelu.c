/* The tanh formula of GELU: x/2 (1 + tanh z) = x sigmoid(2z), z = sqrt(2/pi) (x + 0.044715 x^3). */
#include "common.h"

#define ROOT 0.7978845608028654f
#define CUBE 0.044715f
#define BLOCK 4096

static inline float sigmoid_of(float x) {
    return 1.0f / (1.0f + exponential(-2.0f * ROOT * (x + CUBE * x * x * x)));
}

void gelu_forward(const bf16 *restrict values, bf16 *restrict output, int64_t number,
                  int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t first = 0; first < number; first += BLOCK) {
        int64_t end = first + BLOCK < number ? first + BLOCK : number;
#pragma omp simd
        for (int64_t i = first; i < end; i++) {
            float x = wide(values[i]);
            output[i] = narrow(x * sigmoid_of(x));
        }
    }
}

void gelu_backward(const bf16 *restrict grad_output, const bf16 *restrict values,
                   bf16 *restrict gradient, int64_t number, int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t first = 0; first < number; first += BLOCK) {
        int64_t end = first + BLOCK < number ? first + BLOCK : number;
#pragma omp simd
        for (int64_t i = first; i < end; i++) {
            float x = wide(values[i]), sigmoid = sigmoid_of(x);
            float inner = 2.0f * ROOT * (1.0f + 3.0f * CUBE * x * x);
            float slope = sigmoid * (1.0f + x * (1.0f - sigmoid) * inner);
            gradient[i] = narrow(wide(grad_output[i]) * slope);
        }
    }
}
