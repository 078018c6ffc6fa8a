/* Cross-entropy of rows of bf16 logits; see model/cross_entropy.py. */
#include "common.h"

/* norms[r] = log of the sum of e^logit; losses[r] = that less the label's logit; hits[r] = whether
   the label is the first of the highest. `stride` numbers from row to row. */
void cross_entropy_forward(const bf16 *logits, const int64_t *labels, float *norms, float *losses,
                           uint8_t *hits, int64_t rows, int64_t V, int64_t stride,
                           int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const bf16 *restrict row = logits + r * stride;
        float highest = -INFINITY, total = 0;
#pragma omp simd reduction(max : highest)
        for (int64_t v = 0; v < V; v++) {
            float logit = wide(row[v]);
            highest = logit > highest ? logit : highest;
        }
#pragma omp simd reduction(+ : total)
        for (int64_t v = 0; v < V; v++) total += exponential(wide(row[v]) - highest);
        float own = wide(row[labels[r]]);
        norms[r] = highest + logf(total);
        losses[r] = norms[r] - own;
        int hit = own == highest;
        for (int64_t v = 0; hit && v < labels[r]; v++) hit = wide(row[v]) != highest;
        hits[r] = (uint8_t)hit;
    }
}

void cross_entropy_backward(const bf16 *logits, const int64_t *labels, const float *norms,
                            float factor, bf16 *gradient, int64_t rows, int64_t V, int64_t stride,
                            int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const bf16 *restrict row = logits + r * stride;
        bf16 *restrict to = gradient + r * stride;
        float norm = norms[r];
#pragma omp simd
        for (int64_t v = 0; v < V; v++)
            to[v] = narrow(exponential(wide(row[v]) - norm) * factor);
        float own = exponential(wide(row[labels[r]]) - norm) - 1.0f;
        to[labels[r]] = narrow(own * factor);
    }
}
