/* Cross-entropy of rows of logits; see model/cross_entropy.py. */
#include "common.h"

FOR_ITS_KIND void loss_of_row(const void *row, int64_t label, float *norm, float *loss,
                              uint8_t *hit, int64_t V, int is_wide) {
    float highest = -INFINITY, total = 0;
#pragma omp simd reduction(max : highest)
    for (int64_t v = 0; v < V; v++) {
        float logit = number_at(row, v, is_wide);
        highest = logit > highest ? logit : highest;
    }
#pragma omp simd reduction(+ : total)
    for (int64_t v = 0; v < V; v++) total += exponential(number_at(row, v, is_wide) - highest);
    float own = number_at(row, label, is_wide);
    *norm = highest + logf(total);
    *loss = *norm - own;
    int is_first = own == highest;
    for (int64_t v = 0; is_first && v < label; v++)
        is_first = number_at(row, v, is_wide) != highest;
    *hit = (uint8_t)is_first;
}

FOR_ITS_KIND void gradient_of_row(const void *row, int64_t label, float norm, float factor,
                                  void *to, int64_t V, int is_wide) {
#pragma omp simd
    for (int64_t v = 0; v < V; v++)
        put_number(to, v, exponential(number_at(row, v, is_wide) - norm) * factor, is_wide);
    float own = exponential(number_at(row, label, is_wide) - norm) - 1.0f;
    put_number(to, label, own * factor, is_wide);
}

/* norms[r] = log of the sum of e^logit; losses[r] = that less the label's logit; hits[r] = whether
   the label is the first of the highest. `stride` numbers from row to row. */
void cross_entropy_forward(const void *logits, const int64_t *labels, float *norms, float *losses,
                           uint8_t *hits, int64_t rows, int64_t V, int64_t stride, int64_t is_wide,
                           int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const void *row = NUMBERS_FROM(logits, r * stride, is_wide);
        CALL_FOR(is_wide, loss_of_row, row, labels[r], norms + r, losses + r, hits + r, V);
    }
}

void cross_entropy_backward(const void *logits, const int64_t *labels, const float *norms,
                            float factor, void *gradient, int64_t rows, int64_t V, int64_t stride,
                            int64_t is_wide, int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const void *row = NUMBERS_FROM(logits, r * stride, is_wide);
        void *to = NUMBERS_FROM(gradient, r * stride, is_wide);
        CALL_FOR(is_wide, gradient_of_row, row, labels[r], norms[r], factor, to, V);
    }
}
