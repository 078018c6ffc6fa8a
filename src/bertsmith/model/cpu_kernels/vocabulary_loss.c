/* Cross-entropy of a vocabulary's logits with the products before and behind it, on the tiles of AMX.

   T values of K numbers, K a multiple of 32; V rows of the matrix, any number of them. The vocabulary
   is taken in chunks of 512 rows: what is made of a chunk's logits is made while they are in a
   second-level cache, and their gradient never gets further. Logits stand in blocks of 32 x 32,
   [chunk][T / 32][16]; behind the last row of the matrix they are -infinity. No sum depends on how
   many threads there are. */
#include "tiles.h"

#ifdef HAS_TILES

#define PANELS 16              /* of a chunk */
#define CHUNK (PANELS * EDGE)  /* rows of the matrix */
#define STRIP (PANELS * BLOCK) /* numbers of a strip of logits */
#define TOGETHER 4             /* rows that are used at a time, a divisor of EDGE */

static inline int64_t chunks_of(int64_t V) { return (V + CHUNK - 1) / CHUNK; }

/* Numbers of scratch, bf16, and of the logits themselves. */
int64_t vocabulary_logits_room(int64_t T, int64_t V) { return chunks_of(V) * steps_of(T) * STRIP; }

int64_t vocabulary_loss_room(int64_t K, int64_t threads) {
    return EDGE * K + threads * (CHUNK * K + STRIP);
}

int64_t vocabulary_loss_backward_room(int64_t T, int64_t K) {
    int64_t strips = steps_of(T);
    return 2 * (2 * strips * STRIP + 2 * strips * CHUNK) /* gradients, turned, and their sums */
           + CHUNK * K + 3 * strips * EDGE * K;
}

/* What is known of a row of logits from one chunk: its highest, and the sum of e to the others less it. */
typedef struct {
    float highest, total;
} Part;

/* Adds biases to sums, [32, 32], and rounds them. */
static inline void put_logits(const float *sums, __m512 low, __m512 high, int64_t row, bf16 *to) {
    EACH(TOGETHER) put(to + (row + i) * EDGE,
                       joined(_mm512_add_ps(_mm512_loadu_ps(sums + (row + i) * EDGE), low),
                              _mm512_add_ps(_mm512_loadu_ps(sums + (row + i) * EDGE + 16), high)));
}

/* Of a row, whose numbers are 32 in each of 16 blocks. */
static inline Part part_of(const bf16 *row) {
    __m512 highest = half_of(all_of(row), 0), totals[4];
    for (int64_t panel = 0; panel < PANELS; panel++) {
        __m512i both = all_of(row + panel * BLOCK);
        highest = _mm512_max_ps(highest, _mm512_max_ps(half_of(both, 0), half_of(both, 1)));
    }
    Part part = {_mm512_reduce_max_ps(highest), 0};
    __m512 top = _mm512_set1_ps(part.highest);
    EACH(4) totals[i] = _mm512_setzero_ps();
    for (int64_t panel = 0; panel < PANELS; panel += 2) {
        __m512 x[4];
        EACH(4) x[i] = _mm512_sub_ps(half_of(all_of(row + (panel + i / 2) * BLOCK), i % 2), top);
        exponentials(x, 4);
        EACH(4) totals[i] = _mm512_add_ps(totals[i], x[i]);
    }
    totals[0] = _mm512_add_ps(_mm512_add_ps(totals[0], totals[1]),
                              _mm512_add_ps(totals[2], totals[3]));
    part.total = _mm512_reduce_add_ps(totals[0]);
    return part;
}

/* Where the number of a column is, from the start of its row in the first block on. */
static inline int64_t place_of(int64_t column) { return column / EDGE * BLOCK + column % EDGE; }

/* norms[t] = log of the sum of e^logit; losses[t] = that less the label's logit; hits[t] = whether the
   label is the first of the highest. parts, [chunks][T][2], is room. logits is NULL where nobody
   needs them again. */
void vocabulary_loss(const bf16 *values, const float *matrix, const float *bias,
                     const int64_t *labels, bf16 *logits, float *parts, float *norms, float *losses,
                     uint8_t *hits, bf16 *scratch, int64_t T, int64_t V, int64_t K,
                     int64_t threads) {
    int64_t steps = K / EDGE, strips = steps_of(T), chunks = chunks_of(V);
    Part *found = (Part *)parts;
    bf16 *last = scratch; /* the last strip, with zeros behind its rows */
    memset(last, 0, sizeof(bf16) * (size_t)(EDGE * K));
    memcpy(last, values + (strips - 1) * EDGE * K,
           sizeof(bf16) * (size_t)((T - (strips - 1) * EDGE) * K));
#pragma omp parallel num_threads((int)threads)
    {
        bf16 *panels = scratch + EDGE * K + omp_get_thread_num() * (CHUNK * K + STRIP);
        bf16 *unkept = panels + CHUNK * K;
        float sums[2][BLOCK] __attribute__((aligned(64)));
        float biases[CHUNK] __attribute__((aligned(64)));
        take_tiles();
#pragma omp for schedule(static)
        for (int64_t chunk = 0; chunk < chunks; chunk++) {
            int64_t v = chunk * CHUNK;
            for (int64_t panel = 0; panel < PANELS; panel++)
                for (int64_t step = 0; step < steps; step++)
                    pack_rows(matrix + v * K, 1, V - v, K, panel, step,
                              panels + (panel * steps + step) * BLOCK);
            for (int64_t i = 0; i < CHUNK; i++) biases[i] = v + i < V ? bias[v + i] : -INFINITY;
            for (int64_t i = 0; i < strips; i++) {
                const bf16 *from = i == strips - 1 ? last : values + i * EDGE * K, *packed = panels;
                bf16 *to = logits ? logits + (chunk * strips + i) * STRIP : unkept;
                for (int64_t panel = 0; panel <= PANELS; panel++) {
                    /* What was summed up before is used while the next is. */
                    const float *before = sums[(panel + 1) % 2], *b = biases + (panel - 1) * EDGE;
                    bf16 *place = to + (panel - 1) * BLOCK;
                    int64_t row = panel == 0 ? EDGE : 0;
                    __m512 low = _mm512_setzero_ps(), high = low;
                    if (panel > 0) low = _mm512_loadu_ps(b), high = _mm512_loadu_ps(b + 16);
                    if (panel < PANELS) {
                        Strip strip = {from, 16 * K, 2 * K, EDGE};
                        clear_sums();
                        for (int64_t step = 0; step < steps; step++) {
                            multiply(&strip, &packed);
                            if (row < EDGE && step * EDGE >= row * steps) {
                                put_logits(before, low, high, row, place);
                                row += TOGETHER;
                            }
                        }
                        store_sums(sums[panel % 2], EDGE);
                    } else {
                        written(NULL);
                    }
                    for (; row < EDGE; row += TOGETHER)
                        put_logits(before, low, high, row, place);
                }
                int64_t rows = at_most(EDGE, T - i * EDGE);
                for (int64_t row = 0; row < rows; row++) {
                    int64_t t = i * EDGE + row, label = labels[t] - v;
                    const bf16 *line = to + row * EDGE;
                    found[chunk * T + t] = part_of(line);
                    if (label < 0 || label >= CHUNK) continue;
                    float own = wide(line[place_of(label)]);
                    int is_first = 1;
                    for (int64_t k = 0; k < label && is_first; k++)
                        is_first = wide(line[place_of(k)]) != own;
                    losses[t] = own;
                    hits[t] = (uint8_t)is_first;
                }
            }
        }
        _tile_release();
#pragma omp for schedule(static)
        for (int64_t t = 0; t < T; t++) {
            float highest = -INFINITY, total = 0, own = losses[t];
            for (int64_t c = 0; c < chunks; c++)
                highest = found[c * T + t].highest > highest ? found[c * T + t].highest : highest;
            for (int64_t c = 0; c < chunks; c++) {
                Part part = found[c * T + t];
                total += part.total * exponential(part.highest - highest);
            }
            int hit = hits[t] && own == highest;
            for (int64_t c = 0; c < labels[t] / CHUNK; c++)
                hit = hit && found[c * T + t].highest != highest;
            norms[t] = highest + logf(total);
            losses[t] = norms[t] - own;
            hits[t] = (uint8_t)hit;
        }
    }
}

/* The gradient of a strip of logits, in blocks, and of its transpose, whose strips are `apart`; bias
   gets its sums over the rows. */
static inline void gradient_of(const bf16 *logits, const int64_t *labels, const float *norms,
                               float factor, int64_t rows, int64_t v, bf16 *to, bf16 *turned,
                               int64_t apart, float *bias) {
    for (int64_t panel = 0; panel < PANELS; panel++) {
        const bf16 *from = logits + panel * BLOCK;
        bf16 *block = to + panel * BLOCK;
        __m512 low = _mm512_setzero_ps(), high = low;
        for (int64_t row = 0; row < EDGE; row += 2) {
            __m512 x[4];
            for (int i = 0; i < 2; i++) {
                __m512 norm = _mm512_set1_ps(norms[at_most(row + i, rows - 1)]);
                __m512i both = all_of(from + (row + i) * EDGE);
                x[2 * i] = _mm512_sub_ps(half_of(both, 0), norm);
                x[2 * i + 1] = _mm512_sub_ps(half_of(both, 1), norm);
            }
            exponentials(x, 4);
            EACH(4) x[i] = _mm512_mul_ps(x[i], _mm512_set1_ps(row + i / 2 < rows ? factor : 0.0f));
            low = _mm512_add_ps(low, _mm512_add_ps(x[0], x[2]));
            high = _mm512_add_ps(high, _mm512_add_ps(x[1], x[3]));
            put(block + row * EDGE, joined(x[0], x[1]));
            put(block + (row + 1) * EDGE, joined(x[2], x[3]));
        }
        _mm512_storeu_ps(bias + panel * EDGE, low);
        _mm512_storeu_ps(bias + panel * EDGE + 16, high);
    }
    for (int64_t row = 0; row < rows; row++) {
        int64_t label = labels[row] - v;
        if (label < 0 || label >= CHUNK) continue;
        int64_t at = row * EDGE + place_of(label);
        to[at] = narrow((exponential(wide(logits[at]) - norms[row]) - 1.0f) * factor);
        bias[label] -= factor;
    }
    for (int64_t panel = 0; panel < PANELS; panel++)
        pack_columns(to + panel * BLOCK, 0, EDGE, EDGE, 0, 0, 1, turned + panel * apart);
}

/* Gradients of the sum of losses times `factor`: of the values, bf16 [T, K]; of the matrix, float32
   [V, K]; of the bias, [V]. The first or the other two may be NULL.

   Each thread has columns of the values' gradient and rows of the matrix's for its own. */
void vocabulary_loss_backward(const bf16 *values, const float *matrix, const int64_t *labels,
                              const bf16 *logits, const float *norms, float factor,
                              bf16 *values_gradient, float *matrix_gradient, float *bias_gradient,
                              bf16 *scratch, int64_t T, int64_t V, int64_t K, int64_t threads) {
    int64_t panels = K / EDGE, strips = steps_of(T), chunks = chunks_of(V);
    bf16 *gradients[2] = {scratch, scratch + strips * STRIP};
    bf16 *turned[2] = {scratch + 2 * strips * STRIP, scratch + 3 * strips * STRIP};
    float *biases = (float *)(scratch + 4 * strips * STRIP); /* [2][strips][CHUNK] */
    bf16 *rows_packed = scratch + 4 * strips * STRIP + 4 * strips * CHUNK; /* [panels][16] */
    bf16 *packed = rows_packed + CHUNK * K;                                /* [panels][strips] */
    float *sums = (float *)(packed + strips * EDGE * K);                   /* [panels][strips] */
#pragma omp parallel num_threads((int)threads)
    {
        int64_t here = omp_get_thread_num(), all = omp_get_num_threads();
        int64_t first = panels * here / all, end = panels * (here + 1) / all;
        int64_t first_row = PANELS * here / all, end_row = PANELS * (here + 1) / all;
        float rest[BLOCK] __attribute__((aligned(64)));
        if (values_gradient)
            memset(sums + first * strips * BLOCK, 0,
                   sizeof(float) * (size_t)((end - first) * strips * BLOCK));
        take_tiles();
        if (matrix_gradient) {
#pragma omp for schedule(static) nowait
            for (int64_t step = 0; step < strips; step++)
                for (int64_t panel = 0; panel < panels; panel++)
                    pack_columns(values, 0, T, K, panel, step, 0,
                                 packed + (panel * strips + step) * BLOCK);
        }
        for (int64_t chunk = 0; chunk < chunks; chunk++) {
            int64_t v = chunk * CHUNK;
            bf16 *above = gradients[chunk % 2], *above_turned = turned[chunk % 2];
            float *parts = biases + chunk % 2 * strips * CHUNK;
            /* Whoever has passed the end of this loop finds that all are done with the chunk before,
               and so with the buffers of the next. */
#pragma omp for schedule(static)
            for (int64_t i = 0; i < strips; i++)
                gradient_of(logits + (chunk * strips + i) * STRIP, labels + i * EDGE,
                            norms + i * EDGE, factor, at_most(EDGE, T - i * EDGE), v,
                            above + i * STRIP, above_turned + i * BLOCK, strips * BLOCK,
                            parts + i * CHUNK);
            if (values_gradient) {
                for (int64_t step = 0; step < PANELS; step++)
                    for (int64_t panel = first; panel < end; panel++)
                        pack_columns(matrix + v * K, 1, V - v, K, panel, step, 0,
                                     rows_packed + (panel * PANELS + step) * BLOCK);
                int64_t lines = first < end ? EDGE / (end - first) : 0;
                for (int64_t i = 0; i < strips; i++) {
                    const bf16 *next = rows_packed + first * PANELS * BLOCK;
                    const bf16 *ahead = above + (i + 1) * STRIP;
                    for (int64_t panel = first; panel < end; panel++) {
                        Strip strip = {above + i * STRIP, HALF, 64, BLOCK};
                        float *own = sums + (panel * strips + i) * BLOCK;
                        load_sums(own, EDGE);
                        for (int64_t step = 0; step < PANELS; step++) {
                            for (int64_t line = 0; line < lines; line++, ahead += EDGE)
                                _mm_prefetch((const char *)ahead, _MM_HINT_T0);
                            multiply(&strip, &next);
                        }
                        store_sums(own, EDGE);
                    }
                }
            }
            for (int64_t j = first_row; j < end_row && matrix_gradient; j++) {
                int64_t row = v + j * EDGE, num = at_most(EDGE, V - row);
                if (num <= 0) break;
                __m512 low = _mm512_setzero_ps(), high = low;
                for (int64_t i = 0; i < strips; i++) {
                    low = _mm512_add_ps(low, _mm512_loadu_ps(parts + i * CHUNK + j * EDGE));
                    high = _mm512_add_ps(high, _mm512_loadu_ps(parts + i * CHUNK + j * EDGE + 16));
                }
                _mm512_mask_storeu_ps(bias_gradient + row, seen_from(0, num), low);
                _mm512_mask_storeu_ps(bias_gradient + row + 16, seen_from(16, num), high);
                const bf16 *next = packed;
                for (int64_t panel = 0; panel < panels; panel++) {
                    Strip strip = {above_turned + j * strips * BLOCK, HALF, 64, BLOCK};
                    float *to = matrix_gradient + row * K + panel * EDGE;
                    for (int64_t k = 0; k < num; k++) {
                        __builtin_prefetch(to + k * K, 1);
                        __builtin_prefetch(to + k * K + 16, 1);
                    }
                    clear_sums();
                    for (int64_t step = 0; step < strips; step++) multiply(&strip, &next);
                    if (num == EDGE) {
                        store_sums(to, K);
                    } else {
                        store_sums(rest, EDGE);
                        written(NULL);
                        for (int64_t k = 0; k < num; k++)
                            memcpy(to + k * K, rest + k * EDGE, sizeof(float) * EDGE);
                    }
                }
            }
        }
        _tile_release();
        for (int64_t panel = first; panel < end && values_gradient; panel++)
            for (int64_t t = 0; t < T; t++)
                put(values_gradient + t * K + panel * EDGE,
                    narrowed(sums + (panel * strips * EDGE + t) * EDGE));
    }
}
#else
int64_t vocabulary_logits_room(int64_t T, int64_t V) { return 0; }
#endif
