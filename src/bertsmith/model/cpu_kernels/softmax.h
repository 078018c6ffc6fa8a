/* Softmax of a row of attention scores with dropout, and its gradient. */
#ifndef BERTSMITH_SOFTMAX_H
#define BERTSMITH_SOFTMAX_H

#include "common.h"

/* `seen` scores → their probabilities, and what dropout leaves of them, with zeros up to `width`.
   The scores are lost; the row's values are hashed by their number from `first` on. Without
   dropout nothing is written to `left`. */
static inline void softmax_row(float *restrict scores, int64_t seen, int64_t width,
                               bf16 *restrict probabilities, bf16 *restrict left, Dropout dropout,
                               uint32_t first) {
    float highest = -INFINITY, total = 0;
#pragma omp simd reduction(max : highest)
    for (int64_t k = 0; k < seen; k++) highest = scores[k] > highest ? scores[k] : highest;
#pragma omp simd reduction(+ : total)
    for (int64_t k = 0; k < seen; k++) {
        scores[k] = exponential(scores[k] - highest);
        total += scores[k];
    }
    float factor = 1.0f / total;
    if (dropout.threshold == 0) {
#pragma omp simd
        for (int64_t k = 0; k < seen; k++) probabilities[k] = narrow(scores[k] * factor);
    } else {
#pragma omp simd
        for (int64_t k = 0; k < seen; k++) {
            float probability = scores[k] * factor;
            probabilities[k] = narrow(probability);
            left[k] = narrow(probability * kept(dropout, first + (uint32_t)k));
        }
        memset(left + seen, 0, sizeof(bf16) * (size_t)(width - seen));
    }
    memset(probabilities + seen, 0, sizeof(bf16) * (size_t)(width - seen));
}

/* Gradient of what dropout left, which is lost → gradient of the scores, zeros up to `width`. */
static inline void softmax_row_backward(float *restrict above, int64_t seen, int64_t width,
                                        const bf16 *restrict probabilities,
                                        bf16 *restrict gradient, Dropout dropout,
                                        uint32_t first) {
    float along = 0;
    if (dropout.threshold != 0) {
#pragma omp simd
        for (int64_t k = 0; k < seen; k++) above[k] *= kept(dropout, first + (uint32_t)k);
    }
#pragma omp simd reduction(+ : along)
    for (int64_t k = 0; k < seen; k++) along += above[k] * wide(probabilities[k]);
#pragma omp simd
    for (int64_t k = 0; k < seen; k++)
        gradient[k] = narrow(wide(probabilities[k]) * (above[k] - along));
    memset(gradient + seen, 0, sizeof(bf16) * (size_t)(width - seen));
}

#endif
