/* Attention of packed bf16 sequences on tiles, a head of a sequence at a time.

   All that one head needs, forward and backward, fits into a second-level cache of 2 MB; of 1 MB for
   up to 400 tokens. Memory sees
   what goes in, what comes out, and the probabilities, bf16 [B, N, S, S], which backward needs; of
   them rows and columns behind a sequence's end are never written nor read. */
#include "kernels.h"
#include "tiled_softmax.h"

#ifdef HAS_TILES

/* What of the packed batch every head needs. */
typedef struct {
    const bf16 *packed; /* queries, keys, values without their bias, [R, 3, N, H] */
    const float *bias;  /* [3, N, H] */
    const int32_t *cu_seqlens;
    int64_t B, N, S, H, causal;
    Dropout dropout;
    float scale; /* of the queries */
} Batch;

/* A head of a sequence: its number, its first token, how many, and how many rounded up. */
typedef struct {
    int64_t number, n, start, length, width;
} Head;

static inline Head head_of(const Batch *batch, int64_t number) {
    int64_t b = number / batch->N, start = batch->cu_seqlens[b];
    int64_t length = batch->cu_seqlens[b + 1] - start;
    return (Head){number, number % batch->N, start, length, steps_of(length) * EDGE};
}

static inline int64_t seen_by(const Batch *batch, const Head *head, int64_t row) {
    return row >= head->length ? 0 : batch->causal ? row + 1 : head->length;
}

/* Where a head's row of one part is in [R, 3, N, H]. */
static inline bf16 *place_of(const Batch *batch, const Head *head, int64_t part, int64_t row,
                             const bf16 *matrix) {
    return (bf16 *)matrix + (((head->start + row) * 3 + part) * batch->N + head->n) * batch->H;
}

/* Brings 32 rows of the head after this one, a strip of it, into the second-level cache. A head's
   rows are far apart, and a processor doesn't see by itself which come next. */
static inline void fetch_next(const Batch *batch, int64_t number, int64_t row) {
    if (number + 1 >= batch->B * batch->N) return;
    Head next = head_of(batch, number + 1);
    int64_t end = at_most(row + EDGE, next.length);
    for (; row < end; row++)
        for (int64_t part = 0; part < 3; part++)
            for (int64_t h = 0; h < batch->H; h += EDGE)
                _mm_prefetch((const char *)(place_of(batch, &next, part, row, batch->packed) + h),
                             _MM_HINT_T1);
}

/* Brings the place for 32 rows of one part of the gradient into the cache. */
static inline void fetch_place(const Batch *batch, const Head *head, int64_t part, int64_t row,
                               const bf16 *gradient) {
    int64_t end = at_most(row + EDGE, head->length);
    for (; row < end; row++)
        for (int64_t h = 0; h < batch->H; h += EDGE)
            __builtin_prefetch(place_of(batch, head, part, row, gradient) + h, 1);
}

/* Queries, keys or values of a head, [width, H], with their bias; the queries are scaled. */
static void gather(const Batch *batch, const Head *head, int64_t part, bf16 *to) {
    int64_t H = batch->H, N = batch->N;
    const bf16 *from = place_of(batch, head, part, 0, batch->packed);
    const float *bias = batch->bias + (part * N + head->n) * H;
    __m512 scale = _mm512_set1_ps(part == 0 ? batch->scale : 1.0f);
    for (int64_t h = 0; h < H; h += EDGE) {
        __m512 low = _mm512_loadu_ps(bias + h), high = _mm512_loadu_ps(bias + h + 16);
        for (int64_t s = 0; s < head->length; s++) {
            const bf16 *here = from + s * 3 * N * H + h;
            put(to + s * H + h,
                joined(_mm512_mul_ps(_mm512_add_ps(widened(here), low), scale),
                       _mm512_mul_ps(_mm512_add_ps(widened(here + 16), high), scale)));
        }
    }
    memset(to + head->length * H, 0, sizeof(bf16) * (size_t)((head->width - head->length) * H));
}

/* Panels of the columns that are rows of `values`, [width, H]: for products with their transpose. */
static void pack_all_rows(const bf16 *values, int64_t width, int64_t H, bf16 *to) {
    for (int64_t panel = 0; panel < width / EDGE; panel++)
        for (int64_t step = 0; step < H / EDGE; step++, to += BLOCK)
            pack_rows(values, 0, width, H, panel, step, to);
}

/* Panels of the columns of `values`, [width, H]. */
static void pack_all_columns(const bf16 *values, int64_t width, int64_t H, bf16 *to) {
    for (int64_t panel = 0; panel < H / EDGE; panel++)
        for (int64_t step = 0; step < width / EDGE; step++, to += BLOCK)
            pack_columns(values, 0, width, H, panel, step, 0, to);
}

/* Products of a strip and panels, float32 [32, columns]. */
static void multiply_strip(Tiles *tiles, Strip strip, const bf16 *panels, int64_t steps,
                           int64_t columns, float *sums) {
    for (int64_t column = 0; column < columns; column += EDGE) {
        Strip here = strip;
        clear_sums(tiles);
        multiply(tiles, &here, &panels, steps);
        store_sums(tiles, sums + column, columns);
    }
}

/* How many of a strip's rows, from `row` on, are tokens. */
static inline int64_t rows_of(const Head *head, int64_t row) {
    return at_most(EDGE, head->length - row);
}

/* A strip of a head's matrix with `columns` columns. */
static inline Strip rows_from(const bf16 *matrix, const Head *head, int64_t row, int64_t columns) {
    return (Strip){matrix + row * columns, 16 * columns, 2 * columns, EDGE, rows_of(head, row)};
}

/* Gives out a head's gradient of one part, 32 rows of [32, H], and adds them to its bias's. */
static void scatter(const Batch *batch, const Head *head, int64_t part, int64_t row,
                    const float *sums, bf16 *gradient, float *bias_sums) {
    int64_t H = batch->H, N = batch->N, rows = rows_of(head, row);
    __m512 scale = _mm512_set1_ps(part == 0 ? batch->scale : 1.0f);
    bias_sums += (part * N + head->n) * H;
    for (int64_t h = 0; h < H; h += EDGE) {
        __m512 low = _mm512_loadu_ps(bias_sums + h), high = _mm512_loadu_ps(bias_sums + h + 16);
        for (int64_t s = 0; s < rows; s++) {
            __m512 a = _mm512_mul_ps(_mm512_loadu_ps(sums + s * H + h), scale);
            __m512 b = _mm512_mul_ps(_mm512_loadu_ps(sums + s * H + h + 16), scale);
            low = _mm512_add_ps(low, a);
            high = _mm512_add_ps(high, b);
            put(place_of(batch, head, part, row + s, gradient) + h, joined(a, b));
        }
        _mm512_storeu_ps(bias_sums + h, low);
        _mm512_storeu_ps(bias_sums + h + 16, high);
    }
}

/* Bytes of scratch that a thread needs, forward or backward. */
int64_t attention_room(int64_t S, int64_t H) {
    return (6 * S * H + 2 * S * S + EDGE * S) * (int64_t)sizeof(bf16) +
           EDGE * (S + H) * (int64_t)sizeof(float);
}

/* The values that each token attends to, bf16 [R, N, H]; `rows` behind the last token are zeros.
   probabilities is NULL where nobody needs them again. */
void attention_forward(const bf16 *packed, const float *bias, bf16 *probabilities, bf16 *output,
                       const int32_t *cu_seqlens, char *scratch, int64_t B, int64_t N, int64_t S,
                       int64_t H, int64_t rows, int64_t causal, float query_scale, int64_t seed,
                       int64_t threshold, float scale, int64_t threads) {
    Batch batch = {packed, bias, cu_seqlens, B, N, S, H, causal,
                   {(uint32_t)seed, (uint32_t)threshold, scale}, query_scale};
#pragma omp parallel num_threads((int)threads)
    {
        bf16 *queries = (bf16 *)(scratch + omp_get_thread_num() * attention_room(S, H));
        bf16 *others = queries + S * H, *keys = others + S * H, *values = keys + S * H;
        bf16 *left = values + S * H;
        float *scores = (float *)(left + EDGE * S), *sums = scores + EDGE * S;
        bf16 *unkept = (bf16 *)(sums + EDGE * H); /* a row, where backward has more matrices */
        Tiles tiles;
        take_tiles();
#pragma omp for schedule(static) nowait
        for (int64_t number = 0; number < B * N; number++) {
            Head head = head_of(&batch, number);
            gather(&batch, &head, 0, queries);
            gather(&batch, &head, 1, others);
            pack_all_rows(others, head.width, H, keys);
            gather(&batch, &head, 2, others);
            pack_all_columns(others, head.width, H, values);
            for (int64_t row = 0; row < head.length; row += EDGE) {
                fetch_next(&batch, number, row);
                multiply_strip(&tiles, rows_from(queries, &head, row, H), keys, H / EDGE,
                               head.width, scores);
                int64_t end = rows_of(&head, row);
                Strip strip = {left, 16 * head.width, 2 * head.width, EDGE, end};
                for (int64_t s = 0; s < end; s++) {
                    int64_t at = (number * S + row + s) * S;
                    tiled_softmax_row(scores + s * head.width, seen_by(&batch, &head, row + s),
                                      head.width, probabilities ? probabilities + at : unkept,
                                      left + s * head.width, batch.dropout, (uint32_t)at);
                }
                memset(left + end * head.width, 0,
                       sizeof(bf16) * (size_t)((EDGE - end) * head.width));
                multiply_strip(&tiles, strip, values, head.width / EDGE, H, sums);
                for (int64_t s = 0; s < end; s++)
                    for (int64_t h = 0; h < H; h += EDGE)
                        put(output + ((head.start + row + s) * N + head.n) * H + h,
                            narrowed(sums + s * H + h));
            }
        }
        release_tiles();
    }
    memset(output + N * H * cu_seqlens[B], 0, sizeof(bf16) * (size_t)(rows * N * H));
}

/* The gradient of `packed` where `above`, [R, N, H], is that of the output.

   bias_sums is zeros, [threads, 3, N, H]: each thread's part of the bias's gradient. */
void attention_backward(const bf16 *packed, const float *bias, const bf16 *probabilities,
                        const bf16 *above, bf16 *gradient, float *bias_sums,
                        const int32_t *cu_seqlens, char *scratch, int64_t B, int64_t N, int64_t S,
                        int64_t H, int64_t rows, int64_t causal, float query_scale, int64_t seed,
                        int64_t threshold, float scale, int64_t threads) {
    Batch batch = {packed, bias, cu_seqlens, B, N, S, H, causal,
                   {(uint32_t)seed, (uint32_t)threshold, scale}, query_scale};
#pragma omp parallel num_threads((int)threads)
    {
        bf16 *upper = (bf16 *)(scratch + omp_get_thread_num() * attention_room(S, H));
        bf16 *others = upper + S * H, *queries = others + S * H, *keys = queries + S * H;
        bf16 *values = keys + S * H, *uppers = values + S * H;
        bf16 *left = uppers + S * H, *inner = left + S * S, *strip_room = inner + S * S;
        float *slopes = (float *)(strip_room + EDGE * S), *sums = slopes + EDGE * S;
        float *own_sums = bias_sums + omp_get_thread_num() * 3 * N * H;
        Tiles tiles;
        take_tiles();
#pragma omp for schedule(static) nowait
        for (int64_t number = 0; number < B * N; number++) {
            Head head = head_of(&batch, number);
            int64_t width = head.width, steps = width / EDGE;
            gather(&batch, &head, 0, others);
            pack_all_columns(others, width, H, queries);
            gather(&batch, &head, 1, others);
            pack_all_columns(others, width, H, keys);
            gather(&batch, &head, 2, others);
            pack_all_rows(others, width, H, values);
            for (int64_t s = 0; s < head.length; s++)
                memcpy(upper + s * H, above + ((head.start + s) * N + head.n) * H,
                       sizeof(bf16) * (size_t)H);
            memset(upper + head.length * H, 0,
                   sizeof(bf16) * (size_t)((width - head.length) * H));
            pack_all_columns(upper, width, H, uppers);
            for (int64_t row = 0; row < width; row += EDGE) {
                fetch_next(&batch, number, row);
                fetch_place(&batch, &head, 0, row, gradient);
                multiply_strip(&tiles, rows_from(upper, &head, row, H), values, H / EDGE, width,
                               slopes);
                for (int64_t s = 0; s < EDGE; s++) {
                    int64_t seen = seen_by(&batch, &head, row + s);
                    int64_t at = (number * S + row + s) * S, here = (row + s) * width;
                    tiled_softmax_row_backward(slopes + s * width, seen, width,
                                               probabilities + at, inner + here, left + here,
                                               batch.dropout, (uint32_t)at);
                }
                multiply_strip(&tiles, rows_from(inner, &head, row, width), keys, steps, H, sums);
                scatter(&batch, &head, 0, row, sums, gradient, own_sums);
            }
            for (int64_t row = 0; row < width; row += EDGE)
                for (int64_t part = 1; part < 3; part++) {
                    fetch_place(&batch, &head, part, row, gradient);
                    for (int64_t step = 0; step < steps; step++)
                        pack_columns(part == 1 ? inner : left, 0, width, width, row / EDGE, step,
                                     1, strip_room + step * BLOCK);
                    Strip strip = {strip_room, HALF, 64, BLOCK, rows_of(&head, row)};
                    multiply_strip(&tiles, strip, part == 1 ? queries : uppers, steps, H, sums);
                    scatter(&batch, &head, part, row, sums, gradient, own_sums);
                }
        }
        release_tiles();
    }
    memset(gradient + 3 * N * H * cu_seqlens[B], 0, sizeof(bf16) * (size_t)(rows * 3 * N * H));
}
#endif
