/* Softmax of a row of attention scores with dropout, and its gradient. */
#ifndef BERTSMITH_SOFTMAX_H
#define BERTSMITH_SOFTMAX_H

#include "common.h"

/* `seen` scores → their probabilities, and what dropout leaves of them, with zeros up to `width`.
   The scores are lost; the row's values are hashed by their number from `first` on. Without
   dropout nothing is written to `left`. */
FOR_ITS_KIND void softmax_row(float *restrict scores, int64_t seen, int64_t width,
                              void *probabilities, void *left, Dropout dropout, uint32_t first,
                              int is_wide) {
    size_t behind = (size_t)bytes_of(width - seen, is_wide);
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
        for (int64_t k = 0; k < seen; k++)
            put_number(probabilities, k, scores[k] * factor, is_wide);
    } else {
#pragma omp simd
        for (int64_t k = 0; k < seen; k++) {
            float probability = scores[k] * factor;
            put_number(probabilities, k, probability, is_wide);
            put_number(left, k, probability * kept(dropout, first + (uint32_t)k), is_wide);
        }
        memset(NUMBERS_FROM(left, seen, is_wide), 0, behind);
    }
    memset(NUMBERS_FROM(probabilities, seen, is_wide), 0, behind);
}

/* Gradient of what dropout left, which is lost → gradient of the scores, zeros up to `width`. */
FOR_ITS_KIND void softmax_row_backward(float *restrict above, int64_t seen, int64_t width,
                                       const void *probabilities, void *gradient, Dropout dropout,
                                       uint32_t first, int is_wide) {
    float along = 0;
    if (dropout.threshold != 0) {
#pragma omp simd
        for (int64_t k = 0; k < seen; k++) above[k] *= kept(dropout, first + (uint32_t)k);
    }
#pragma omp simd reduction(+ : along)
    for (int64_t k = 0; k < seen; k++) along += above[k] * number_at(probabilities, k, is_wide);
#pragma omp simd
    for (int64_t k = 0; k < seen; k++)
        put_number(gradient, k, number_at(probabilities, k, is_wide) * (above[k] - along), is_wide);
    memset(NUMBERS_FROM(gradient, seen, is_wide), 0, (size_t)bytes_of(width - seen, is_wide));
}

#endif
