/* Cross-entropy of rows of logits; see model/cross_entropy.py. */
#include "common.h"

/* The highest logit and the log of the sum stay apart: of their sum a large logit leaves nothing. */
typedef struct {
    float highest, log_total;
} norm_t;

FOR_ITS_KIND void loss_of_row(const void *row, int64_t label, norm_t *norm, float *loss,
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
    *norm = (norm_t){highest, logf(total)};
    *loss = norm->log_total - (own - highest);
    int is_first = own == highest;
    for (int64_t v = 0; is_first && v < label; v++)
        is_first = number_at(row, v, is_wide) != highest;
    *hit = (uint8_t)is_first;
}

FOR_ITS_KIND void gradient_of_row(const void *row, int64_t label, norm_t norm, float factor,
                                  void *to, int64_t V, int is_wide) {
#pragma omp simd
    for (int64_t v = 0; v < V; v++) {
        float above = number_at(row, v, is_wide) - norm.highest;
        put_number(to, v, exponential(above - norm.log_total) * factor, is_wide);
    }
    float own = number_at(row, label, is_wide) - norm.highest;
    own = exponential(own - norm.log_total) - 1.0f;
    put_number(to, label, own * factor, is_wide);
}

/* norms[r] = what a row's logits are measured against; losses[r] = the log of the sum of e^logit
   less the label's logit; hits[r] = whether the label is the first of the highest. `stride` numbers
   from row to row. */
void cross_entropy_forward(const void *logits, const int64_t *labels, norm_t *norms, float *losses,
                           uint8_t *hits, int64_t rows, int64_t V, int64_t stride, int64_t is_wide,
                           int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const void *row = NUMBERS_FROM(logits, r * stride, is_wide);
        CALL_FOR(is_wide, loss_of_row, row, labels[r], norms + r, losses + r, hits + r, V);
    }
}

void cross_entropy_backward(const void *logits, const int64_t *labels, const norm_t *norms,
                            float factor, void *gradient, int64_t rows, int64_t V, int64_t stride,
                            int64_t is_wide, int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const void *row = NUMBERS_FROM(logits, r * stride, is_wide);
        void *to = NUMBERS_FROM(gradient, r * stride, is_wide);
        CALL_FOR(is_wide, gradient_of_row, row, labels[r], norms[r], factor, to, V);
    }
}
