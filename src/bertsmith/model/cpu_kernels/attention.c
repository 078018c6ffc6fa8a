/* What stands between the matrix products of attention; see attention.py.

   Packed: [T, parts, N, H], sequences end to end. Padded: [parts, B, N, S, H], zeros at padding. */
#include "softmax.h"

/* One token's values of one head: (from + bias) * scale. */
static inline void copy_values(bf16 *restrict to, const bf16 *restrict from,
                               const float *restrict bias, int64_t H, float scale) {
#pragma omp simd
    for (int64_t h = 0; h < H; h++) to[h] = narrow((wide(from[h]) + bias[h]) * scale);
}

/* Lays heads out. With a bias, [parts, N, H], it is added and the first part is multiplied by a
   scale; without one this copies. */
void pad_heads(const bf16 *restrict packed, const float *restrict bias, bf16 *restrict padded,
               const int32_t *cu_seqlens, int64_t parts, int64_t B, int64_t N, int64_t S,
               int64_t H, float scale, int64_t threads) {
#pragma omp parallel for collapse(2) num_threads((int)threads) schedule(static)
    for (int64_t part = 0; part < parts; part++) {
        for (int64_t b = 0; b < B; b++) {
            int64_t start = cu_seqlens[b], length = cu_seqlens[b + 1] - start;
            for (int64_t n = 0; n < N; n++) {
                bf16 *to = padded + ((part * B + b) * N + n) * S * H;
                const bf16 *from = packed + ((start * parts + part) * N + n) * H;
                for (int64_t s = 0; s < length; s++, to += H, from += parts * N * H) {
                    if (bias == NULL)
                        memcpy(to, from, sizeof(bf16) * (size_t)H);
                    else
                        copy_values(to, from, bias + (part * N + n) * H, H,
                                    part == 0 ? scale : 1.0f);
                }
                memset(to, 0, sizeof(bf16) * (size_t)((S - length) * H));
            }
        }
    }
}

/* The way back; `rows` behind the last token are zeros. With bias_sums, which are zeros, [threads,
   parts, N, H], the first part is multiplied by a scale, and each thread adds up its part of the
   bias's gradient; without them this copies. */
void pack_heads(const bf16 *restrict padded, bf16 *restrict packed, float *bias_sums,
                const int32_t *cu_seqlens, int64_t parts, int64_t B, int64_t N, int64_t S,
                int64_t H, int64_t rows, float scale, int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t share = 0; share < threads; share++) {
        for (int64_t b = B * share / threads; b < B * (share + 1) / threads; b++) {
            int64_t start = cu_seqlens[b], length = cu_seqlens[b + 1] - start;
            for (int64_t s = 0; s < length; s++) {
                bf16 *to = packed + (start + s) * parts * N * H;
                for (int64_t head = 0; head < parts * N; head++, to += H) {
                    int64_t part = head / N, n = head % N;
                    const bf16 *restrict from = padded + (((part * B + b) * N + n) * S + s) * H;
                    if (bias_sums == NULL) {
                        memcpy(to, from, sizeof(bf16) * (size_t)H);
                        continue;
                    }
                    float *restrict sum = bias_sums + (share * parts * N + head) * H;
                    float factor = part == 0 ? scale : 1.0f;
#pragma omp simd
                    for (int64_t h = 0; h < H; h++) {
                        float value = wide(from[h]) * factor;
                        sum[h] += value;
                        to[h] = narrow(value);
                    }
                }
            }
        }
    }
    bf16 *end = packed + (int64_t)cu_seqlens[B] * parts * N * H;
    memset(end, 0, sizeof(bf16) * (size_t)(rows * parts * N * H));
}

/* scores → probabilities in place, and what dropout leaves of them; all [B, N, S, S]. */
void softmax_forward(bf16 *scores, bf16 *dropped, const int32_t *cu_seqlens, int64_t B, int64_t N,
                     int64_t S, int64_t causal, int64_t seed, int64_t threshold, float scale,
                     int64_t threads) {
    Dropout dropout = {(uint32_t)seed, (uint32_t)threshold, scale};
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t head = 0; head < B * N; head++) {
        int64_t length = cu_seqlens[head / N + 1] - cu_seqlens[head / N];
        float row[S + 1]; /* of which there is one at least */
        for (int64_t s = 0; s < S; s++) {
            int64_t at = (head * S + s) * S, seen = s >= length ? 0 : causal ? s + 1 : length;
#pragma omp simd
            for (int64_t k = 0; k < seen; k++) row[k] = wide(scores[at + k]);
            softmax_row(row, seen, S, scores + at, dropped + at, dropout, (uint32_t)at);
        }
    }
}

/* Gradient of what dropout left → gradient of the scores, in place. */
void softmax_backward(const bf16 *restrict probabilities, bf16 *restrict gradient,
                      const int32_t *cu_seqlens, int64_t B, int64_t N, int64_t S, int64_t causal,
                      int64_t seed, int64_t threshold, float scale, int64_t threads) {
    Dropout dropout = {(uint32_t)seed, (uint32_t)threshold, scale};
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t head = 0; head < B * N; head++) {
        int64_t length = cu_seqlens[head / N + 1] - cu_seqlens[head / N];
        float row[S + 1]; /* of which there is one at least */
        for (int64_t s = 0; s < S; s++) {
            int64_t at = (head * S + s) * S, seen = s >= length ? 0 : causal ? s + 1 : length;
#pragma omp simd
            for (int64_t k = 0; k < seen; k++) row[k] = wide(gradient[at + k]);
            softmax_row_backward(row, seen, S, probabilities + at, gradient + at, dropout,
                                 (uint32_t)at);
        }
    }
}
