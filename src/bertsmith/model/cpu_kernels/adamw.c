/* AdamW and the norm of gradients, of many tensors at a time; see adamw.py.

   Tensors come as rows of a table: where they lie, and how long they are. */
#include "common.h"

#define BLOCK 8192 /* numbers that one thread takes at a time, and whose squares are one sum */

static inline int64_t blocks_of(int64_t length) { return (length + BLOCK - 1) / BLOCK; }

static inline int64_t end_of(int64_t block, int64_t length) {
    return (block + 1) * BLOCK < length ? (block + 1) * BLOCK : length;
}

/* How many sums `squares_of` makes of a tensor. */
int64_t num_sums(int64_t length) { return blocks_of(length); }

/* Sums of squares, one of each block: what they are doesn't depend on threads.

   table: [tensors, 2], where the numbers lie, and their number. */
void squares_of(const int64_t *table, double *sums, int64_t tensors, int64_t threads) {
#pragma omp parallel num_threads((int)threads)
    {
        double *to = sums;
        for (int64_t t = 0; t < tensors; t++) {
            const float *values = (const float *)table[2 * t];
            int64_t length = table[2 * t + 1], blocks = blocks_of(length);
#pragma omp for schedule(static) nowait
            for (int64_t block = 0; block < blocks; block++) {
                float sum = 0;
#pragma omp simd reduction(+ : sum)
                for (int64_t i = block * BLOCK; i < end_of(block, length); i++)
                    sum += values[i] * values[i];
                to[block] = sum;
            }
            to += blocks;
        }
    }
}

/* One update. Each gradient is multiplied by `factor` where it is read, and stays as it is.

   table: [tensors, 5], where weights, gradients, their means and their squares' means lie, and their
   number. rates: [tensors, 3], by what share of itself the weight decays; the rate over the first
   bias correction; the root of the second one's inverse. What is near 1 comes with its rest to 1,
   rest1 and rest2: float32 would leave five digits of it, or none of a small decay. */
void adamw(const int64_t *table, const float *rates, int64_t tensors, float factor, float rest1,
           float beta2, float rest2, float eps, int64_t threads) {
#pragma omp parallel num_threads((int)threads)
    for (int64_t t = 0; t < tensors; t++) {
        float *restrict weights = (float *)table[5 * t];
        const float *restrict gradients = (const float *)table[5 * t + 1];
        float *restrict means = (float *)table[5 * t + 2];
        float *restrict squares = (float *)table[5 * t + 3];
        int64_t length = table[5 * t + 4];
        float decay = rates[3 * t], rate = rates[3 * t + 1], root = rates[3 * t + 2];
#pragma omp for schedule(static) nowait
        for (int64_t block = 0; block < blocks_of(length); block++)
#pragma omp simd
            for (int64_t i = block * BLOCK; i < end_of(block, length); i++) {
                float gradient = gradients[i] * factor;
                float mean = means[i] + rest1 * (gradient - means[i]);
                float square = beta2 * squares[i] + rest2 * gradient * gradient;
                means[i] = mean;
                squares[i] = square;
                weights[i] -= decay * weights[i] + rate * mean / (sqrtf(square) * root + eps);
            }
    }
}
