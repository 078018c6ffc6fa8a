/* What stands between the matrix products of attention; see attention.py.

   Packed: [T, parts, N, H], sequences end to end. Padded: [parts, B, N, S, H], zeros at padding. */
#include "softmax.h"

/* One token's values of one head: (from + bias) * scale; without a bias they are copied. */
FOR_ITS_KIND void copy_values(void *to, const void *from, const float *restrict bias, int64_t H,
                              float scale, int is_wide) {
    if (bias == NULL) {
        memcpy(to, from, (size_t)bytes_of(H, is_wide));
        return;
    }
#pragma omp simd
    for (int64_t h = 0; h < H; h++)
        put_number(to, h, (number_at(from, h, is_wide) + bias[h]) * scale, is_wide);
}

/* The way back: from * scale, which the sums get too; without sums they are copied. */
FOR_ITS_KIND void copy_gradient(void *to, const void *from, float *restrict sum, int64_t H,
                                float scale, int is_wide) {
    if (sum == NULL) {
        memcpy(to, from, (size_t)bytes_of(H, is_wide));
        return;
    }
#pragma omp simd
    for (int64_t h = 0; h < H; h++) {
        float value = number_at(from, h, is_wide) * scale;
        sum[h] += value;
        put_number(to, h, value, is_wide);
    }
}

/* Lays heads out. With a bias, [parts, N, H], it is added and the first part is multiplied by a
   scale; without one this copies. */
void pad_heads(const void *packed, const float *bias, void *padded, const int32_t *cu_seqlens,
               int64_t parts, int64_t B, int64_t N, int64_t S, int64_t H, float scale,
               int64_t is_wide, int64_t threads) {
#pragma omp parallel for collapse(2) num_threads((int)threads) schedule(static)
    for (int64_t part = 0; part < parts; part++) {
        for (int64_t b = 0; b < B; b++) {
            int64_t start = cu_seqlens[b], length = cu_seqlens[b + 1] - start;
            for (int64_t n = 0; n < N; n++) {
                int64_t to = ((part * B + b) * N + n) * S * H;
                int64_t from = ((start * parts + part) * N + n) * H;
                const float *added = bias == NULL ? NULL : bias + (part * N + n) * H;
                float factor = part == 0 ? scale : 1.0f;
                for (int64_t s = 0; s < length; s++, to += H, from += parts * N * H) {
                    void *place = NUMBERS_FROM(padded, to, is_wide);
                    const void *values = NUMBERS_FROM(packed, from, is_wide);
                    CALL_FOR(is_wide, copy_values, place, values, added, H, factor);
                }
                memset(NUMBERS_FROM(padded, to, is_wide), 0,
                       (size_t)bytes_of((S - length) * H, is_wide));
            }
        }
    }
}

/* The way back; `rows` behind the last token are zeros. With bias_sums, which are zeros, [threads,
   parts, N, H], the first part is multiplied by a scale, and each thread adds up its part of the
   bias's gradient; without them this copies. */
void pack_heads(const void *padded, void *packed, float *bias_sums, const int32_t *cu_seqlens,
                int64_t parts, int64_t B, int64_t N, int64_t S, int64_t H, int64_t rows,
                float scale, int64_t is_wide, int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t share = 0; share < threads; share++) {
        for (int64_t b = B * share / threads; b < B * (share + 1) / threads; b++) {
            int64_t start = cu_seqlens[b], length = cu_seqlens[b + 1] - start;
            for (int64_t s = 0; s < length; s++) {
                int64_t to = (start + s) * parts * N * H;
                for (int64_t head = 0; head < parts * N; head++, to += H) {
                    int64_t part = head / N, n = head % N;
                    void *place = NUMBERS_FROM(packed, to, is_wide);
                    const void *values =
                        NUMBERS_FROM(padded, (((part * B + b) * N + n) * S + s) * H, is_wide);
                    float *sum =
                        bias_sums == NULL ? NULL : bias_sums + (share * parts * N + head) * H;
                    float factor = part == 0 ? scale : 1.0f;
                    CALL_FOR(is_wide, copy_gradient, place, values, sum, H, factor);
                }
            }
        }
    }
    int64_t end = (int64_t)cu_seqlens[B] * parts * N * H;
    memset(NUMBERS_FROM(packed, end, is_wide), 0, (size_t)bytes_of(rows * parts * N * H, is_wide));
}

/* How many of S keys a query sees. */
static inline int64_t num_seen(int64_t s, int64_t length, int64_t causal) {
    return s >= length ? 0 : causal ? s + 1 : length;
}

FOR_ITS_KIND void softmax_of_head(void *scores, void *dropped, int64_t first, int64_t length,
                                  int64_t S, int64_t causal, Dropout dropout, int is_wide) {
    float row[S + 1]; /* of which there is one at least */
    for (int64_t s = 0; s < S; s++) {
        int64_t at = first + s * S, seen = num_seen(s, length, causal);
        for (int64_t k = 0; k < seen; k++) row[k] = number_at(scores, at + k, is_wide);
        softmax_row(row, seen, S, NUMBERS_FROM(scores, at, is_wide),
                    NUMBERS_FROM(dropped, at, is_wide), dropout, (uint32_t)at, is_wide);
    }
}

FOR_ITS_KIND void gradient_of_head(const void *probabilities, void *gradient, int64_t first,
                                   int64_t length, int64_t S, int64_t causal, Dropout dropout,
                                   int is_wide) {
    float row[S + 1]; /* of which there is one at least */
    for (int64_t s = 0; s < S; s++) {
        int64_t at = first + s * S, seen = num_seen(s, length, causal);
        for (int64_t k = 0; k < seen; k++) row[k] = number_at(gradient, at + k, is_wide);
        softmax_row_backward(row, seen, S, NUMBERS_FROM(probabilities, at, is_wide),
                             NUMBERS_FROM(gradient, at, is_wide), dropout, (uint32_t)at, is_wide);
    }
}

/* scores → probabilities in place, and what dropout leaves of them; all [B, N, S, S]. */
void softmax_forward(void *scores, void *dropped, const int32_t *cu_seqlens, int64_t B, int64_t N,
                     int64_t S, int64_t causal, int64_t seed, int64_t threshold, float scale,
                     int64_t is_wide, int64_t threads) {
    Dropout dropout = {(uint32_t)seed, (uint32_t)threshold, scale};
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t head = 0; head < B * N; head++) {
        int64_t length = cu_seqlens[head / N + 1] - cu_seqlens[head / N], first = head * S * S;
        CALL_FOR(is_wide, softmax_of_head, scores, dropped, first, length, S, causal, dropout);
    }
}

/* Gradient of what dropout left → gradient of the scores, in place. */
void softmax_backward(const void *probabilities, void *gradient, const int32_t *cu_seqlens,
                      int64_t B, int64_t N, int64_t S, int64_t causal, int64_t seed,
                      int64_t threshold, float scale, int64_t is_wide, int64_t threads) {
    Dropout dropout = {(uint32_t)seed, (uint32_t)threshold, scale};
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t head = 0; head < B * N; head++) {
        int64_t length = cu_seqlens[head / N + 1] - cu_seqlens[head / N], first = head * S * S;
        CALL_FOR(is_wide, gradient_of_head, probabilities, gradient, first, length, S, causal,
                 dropout);
    }
}
