/* Attention of packed float32 sequences, a head of a sequence at a time; see head_attention.py.

   All that one head of a short sequence needs fits into a core's caches. Memory sees what goes in, what comes out, and
   the probabilities, [B, N, S, S], which backward needs; of them rows and columns behind a
   sequence's end are never written nor read. */
#include "float_products.h"
#include "kernels.h"
#include "softmax.h"

#ifdef HAS_FLOAT_PRODUCTS
#include <omp.h>

/* What of the packed batch every head needs. */
typedef struct {
    const float *packed; /* queries, keys, values without their bias, [R, 3, N, H] */
    const float *bias;   /* [3, N, H] */
    const int32_t *cu_seqlens;
    int64_t N, S, H, causal;
    Dropout dropout;
    float scale; /* of the queries */
} Batch;

/* A head of a sequence: its number, its first token, and how many. */
typedef struct {
    int64_t number, n, start, length;
} Head;

static inline Head head_of(const Batch *batch, int64_t number) {
    int64_t b = number / batch->N, start = batch->cu_seqlens[b];
    return (Head){number, number % batch->N, start, batch->cu_seqlens[b + 1] - start};
}

static inline int64_t seen_by(const Batch *batch, const Head *head, int64_t row) {
    return batch->causal ? row + 1 : head->length;
}

/* Where a row of a head's probabilities is in [B, N, S, S]; by that its values are hashed. */
static inline int64_t row_at(const Batch *batch, const Head *head, int64_t row) {
    return (head->number * batch->S + row) * batch->S;
}

/* Where a head's row of one part is in [R, 3, N, H]. */
static inline int64_t place_of(const Batch *batch, const Head *head, int64_t part, int64_t row) {
    return (((head->start + row) * 3 + part) * batch->N + head->n) * batch->H;
}

/* A head's queries, keys and values with their bias, [3, S, H]; queries are scaled. */
static void gather(const Batch *batch, const Head *head, float *to) {
    for (int64_t part = 0; part < 3; part++, to += batch->S * batch->H) {
        const float *restrict bias = batch->bias + (part * batch->N + head->n) * batch->H;
        float scale = part == 0 ? batch->scale : 1.0f;
        for (int64_t s = 0; s < head->length; s++) {
            const float *restrict from = batch->packed + place_of(batch, head, part, s);
            float *restrict row = to + s * batch->H;
#pragma omp simd
            for (int64_t h = 0; h < batch->H; h++) row[h] = (from[h] + bias[h]) * scale;
        }
    }
}

/* The way back of a gradient, whose bias's sums are [3, N, H]. */
static void scatter(const Batch *batch, const Head *head, int64_t part, const float *from,
                    float *gradient, float *bias_sums) {
    float *restrict sum = bias_sums + (part * batch->N + head->n) * batch->H;
    float scale = part == 0 ? batch->scale : 1.0f;
    for (int64_t s = 0; s < head->length; s++) {
        const float *restrict row = from + s * batch->H;
        float *restrict to = gradient + place_of(batch, head, part, s);
#pragma omp simd
        for (int64_t h = 0; h < batch->H; h++) {
            to[h] = row[h] * scale;
            sum[h] += to[h];
        }
    }
}

static inline Matrix rows_of(const float *from, int64_t width) { return (Matrix){from, width, 1}; }

static inline Matrix transposed(Matrix matrix) {
    return (Matrix){matrix.from, matrix.column, matrix.row};
}

/* left right, [rows, columns], where sums have `stride` numbers a row. */
static void product_of(Matrix left, Matrix right, int64_t rows, int64_t columns, int64_t length,
                       float *sums, int64_t stride, float *panels) {
    multiply(left, right, NULL, 0, sums, stride, rows, columns, length, panels);
}

/* Queries whose scores are worked on together, so that scratch doesn't grow with a length's square. */
#define QUERIES 192

/* How many bytes of scratch each thread needs, forward alone or both ways. */
int64_t float_attending_room(int64_t S, int64_t H) {
    return bytes_of(3 * S * H + 2 * at_most(S, QUERIES) * S + S + ROOM_FOR(S > H ? S : H), 1);
}

int64_t float_attention_room(int64_t S, int64_t H) {
    return bytes_of(4 * S * H + 3 * S * S + ROOM_FOR(S > H ? S : H), 1);
}

/* Attended values [R, N, H], zeros in the `rows` behind the last token. scratch holds
   float_attending_room(S, H) bytes for each thread. probabilities is NULL where nobody needs them
   again. */
void float_attention_forward(const float *packed, const float *bias, float *probabilities,
                             float *output, const int32_t *cu_seqlens, char *scratch, int64_t B,
                             int64_t N, int64_t S, int64_t H, int64_t rows, int64_t causal,
                             float query_scale, int64_t seed, int64_t threshold, float scale,
                             int64_t threads) {
    Batch batch = {packed, bias, cu_seqlens, N, S, H, causal,
                   {(uint32_t)seed, (uint32_t)threshold, scale}, query_scale};
#pragma omp parallel num_threads((int)threads)
    {
        int64_t high = at_most(S, QUERIES);
        float *queries = (float *)(scratch + omp_get_thread_num() * float_attending_room(S, H));
        float *keys = queries + S * H, *values = keys + S * H, *scores = values + S * H;
        float *left = scores + high * S, *unkept = left + high * S, *panels = unkept + S;
        int is_one = batch.dropout.threshold == 0;
#pragma omp for schedule(static) nowait
        for (int64_t number = 0; number < B * N; number++) {
            Head head = head_of(&batch, number);
            int64_t L = head.length;
            gather(&batch, &head, queries);
            for (int64_t first = 0; first < L; first += QUERIES) {
                int64_t some = at_most(QUERIES, L - first);
                product_of(rows_of(queries + first * H, H), transposed(rows_of(keys, H)), some, L,
                           H, scores, L, panels);
                for (int64_t s = 0; s < some; s++) {
                    int64_t at = row_at(&batch, &head, first + s);
                    float *row = left + s * L, *own = probabilities ? probabilities + at
                                                      : is_one      ? row
                                                                    : unkept;
                    softmax_row(scores + s * L, seen_by(&batch, &head, first + s), L, own, row,
                                batch.dropout, (uint32_t)at, 1);
                    if (is_one && own != row) memcpy(row, own, (size_t)bytes_of(L, 1));
                }
                product_of(rows_of(left, L), rows_of(values, H), some, H, L,
                           output + ((head.start + first) * N + head.n) * H, N * H, panels);
            }
        }
    }
    memset(output + N * H * cu_seqlens[B], 0, (size_t)bytes_of(rows * N * H, 1));
}

/* The gradient of `packed` where `above`, [R, N, H], is that of the output.

   bias_sums is zeros, [threads, 3, N, H]: each thread's part of the bias's gradient. */
void float_attention_backward(const float *packed, const float *bias, const float *probabilities,
                              const float *above, float *gradient, float *bias_sums,
                              const int32_t *cu_seqlens, char *scratch, int64_t B, int64_t N,
                              int64_t S, int64_t H, int64_t rows, int64_t causal,
                              float query_scale, int64_t seed, int64_t threshold, float scale,
                              int64_t threads) {
    Batch batch = {packed, bias, cu_seqlens, N, S, H, causal,
                   {(uint32_t)seed, (uint32_t)threshold, scale}, query_scale};
#pragma omp parallel num_threads((int)threads)
    {
        float *queries = (float *)(scratch + omp_get_thread_num() * float_attention_room(S, H));
        float *keys = queries + S * H, *values = keys + S * H, *found = values + S * H;
        float *upper = found + S * H, *inner = upper + S * S, *left = inner + S * S;
        float *panels = left + S * S;
        float *own_sums = bias_sums + omp_get_thread_num() * 3 * N * H;
#pragma omp for schedule(static) nowait
        for (int64_t number = 0; number < B * N; number++) {
            Head head = head_of(&batch, number);
            int64_t L = head.length;
            Matrix upper_rows = rows_of(above + (head.start * N + head.n) * H, N * H);
            gather(&batch, &head, queries);
            product_of(upper_rows, transposed(rows_of(values, H)), L, L, H, upper, L, panels);
            for (int64_t s = 0; s < L; s++) {
                int64_t at = row_at(&batch, &head, s), seen = seen_by(&batch, &head, s);
                const float *restrict own = probabilities + at;
                float *restrict row = left + s * L;
                if (batch.dropout.threshold == 0) {
                    memcpy(row, own, (size_t)bytes_of(L, 1));
                } else {
#pragma omp simd
                    for (int64_t k = 0; k < L; k++)
                        row[k] = own[k] * kept(batch.dropout, (uint32_t)(at + k));
                }
                softmax_row_backward(upper + s * L, seen, L, own, inner + s * L, batch.dropout,
                                     (uint32_t)at, 1);
            }
            product_of(transposed(rows_of(left, L)), upper_rows, L, H, L, found, H, panels);
            scatter(&batch, &head, 2, found, gradient, own_sums);
            product_of(rows_of(inner, L), rows_of(keys, H), L, H, L, found, H, panels);
            scatter(&batch, &head, 0, found, gradient, own_sums);
            product_of(transposed(rows_of(inner, L)), rows_of(queries, H), L, H, L, found, H,
                       panels);
            /* The queries are scaled already. */
            scatter(&batch, &head, 1, found, gradient, own_sums);
        }
    }
    memset(gradient + 3 * N * H * cu_seqlens[B], 0, (size_t)bytes_of(rows * 3 * N * H, 1));
}
#else
int64_t float_attending_room(int64_t S, int64_t H) { return 0; }
int64_t float_attention_room(int64_t S, int64_t H) { return 0; }
#endif
