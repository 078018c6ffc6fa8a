/* Cross-entropy of a vocabulary's logits with the products before and behind it, on tiles.

   T values of K numbers, K a multiple of 32; V rows of the matrix, any number of them. The vocabulary
   is taken in chunks of 512 rows, or 256 where a cache is small: what is made of a chunk's logits is made while they are in a
   cache, and there is their gradient for two chunks at a time. Logits stand in blocks of 32 x 32,
   [chunk][T / 32][PANELS]; behind the last row of the matrix they are -infinity. No sum depends on how
   many threads there are. */
#include "tiles.h"

#ifdef HAS_TILES

#define PANELS (8 * MEGABYTES) /* of a chunk */
#define CHUNK (PANELS * EDGE)  /* rows of the matrix */
#define STRIP (PANELS * BLOCK) /* numbers of a strip of logits */
#define TOGETHER 4             /* rows that are used at a time, a divisor of EDGE */

static inline int64_t chunks_of(int64_t V) { return (V + CHUNK - 1) / CHUNK; }

/* Numbers of logits, bf16, of parts, float32, and of scratch, bf16, forward and backward. */
int64_t vocabulary_logits_room(int64_t T, int64_t V) { return chunks_of(V) * steps_of(T) * STRIP; }

int64_t vocabulary_parts_room(int64_t T, int64_t V) { return chunks_of(V) * T * 2; }

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

/* Of a row, whose numbers are 32 in each of PANELS blocks. */
static inline Part part_of(const bf16 *row) {
    __m512 highest = half_of(all_of(row), 0), totals[4];
    for (int64_t panel = 0; panel < PANELS; panel++) {
        __m512i both = all_of(row + panel * BLOCK);
        highest = _mm512_max_ps(highest, _mm512_max_ps(half_of(both, 0), half_of(both, 1)));
    }
    Part part = {_mm512_reduce_max_ps(highest), 0};
    /* Of nothing but -infinity the sum is nothing, not that of e^(-infinity + infinity). */
    __m512 top = _mm512_set1_ps(part.highest == -INFINITY ? 0.0f : part.highest);
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
    copy_last_strip(values, T, K, last);
#pragma omp parallel num_threads((int)threads)
    {
        bf16 *panels = scratch + EDGE * K + omp_get_thread_num() * (CHUNK * K + STRIP);
        bf16 *unkept = panels + CHUNK * K;
        float sums[2][BLOCK] __attribute__((aligned(64)));
        float biases[CHUNK] __attribute__((aligned(64)));
        Tiles tiles;
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
                int64_t rows = at_most(EDGE, T - i * EDGE);
                for (int64_t panel = 0; panel <= PANELS; panel++) {
                    /* What was summed up before is used while the next is. */
                    int64_t done = panel == 0 ? 0 : panel - 1, row = panel == 0 ? EDGE : 0;
                    const float *before = sums[done % 2];
                    bf16 *place = to + done * BLOCK;
                    __m512 low = _mm512_loadu_ps(biases + done * EDGE);
                    __m512 high = _mm512_loadu_ps(biases + done * EDGE + 16);
                    if (panel < PANELS) {
                        Strip strip = {from, 16 * K, 2 * K, EDGE, rows};
                        clear_sums(&tiles);
                        for (int64_t end, step = 0; step < steps; step = end) {
                            end = at_most(step + STEPS_AT_ONCE, steps);
                            multiply(&tiles, &strip, &packed, end - step);
                            for (; row < EDGE && (end - 1) * EDGE >= row * steps; row += TOGETHER)
                                put_logits(before, low, high, row, place);
                        }
                        store_sums(&tiles, sums[panel % 2], EDGE);
                    } else {
                        written(NULL);
                    }
                    for (; row < EDGE; row += TOGETHER)
                        put_logits(before, low, high, row, place);
                }
                for (int64_t row = 0; row < rows; row++) {
                    int64_t t = i * EDGE + row, label = labels[t] - v;
                    const bf16 *line = to + row * EDGE;
                    found[chunk * T + t] = part_of(line);
                    if (label < 0 || label >= CHUNK) continue;
                    float own = wide(line[place_of(label)]);
                    int is_first = own == found[chunk * T + t].highest;
                    for (int64_t k = 0; k < label && is_first; k++)
                        is_first = wide(line[place_of(k)]) != own;
                    losses[t] = own;
                    hits[t] = (uint8_t)is_first;
                }
            }
        }
        release_tiles();
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

/* The gradient of a block of logits, and of its transpose; bias gets its sums over the rows. The
   block's columns are those of labels from v on, and `columns` of them are there, as are `rows`. */
static inline void gradient_of(const bf16 *logits, const int64_t *labels, const float *norms,
                               float factor, int64_t rows, int64_t v, int64_t columns, bf16 *to,
                               bf16 *turned, float *bias) {
    __m512 scale = _mm512_set1_ps(factor), low = _mm512_setzero_ps(), high = low;
    __mmask16 first = seen_from(0, columns), second = seen_from(16, columns);
    for (int64_t row = 0; row < EDGE; row += 2) {
        __m512 x[4];
        for (int i = 0; i < 2; i++) {
            __m512 norm = _mm512_set1_ps(norms[at_most(row + i, rows - 1)]);
            __m512i both = all_of(logits + (row + i) * EDGE);
            x[2 * i] = _mm512_sub_ps(half_of(both, 0), norm);
            x[2 * i + 1] = _mm512_sub_ps(half_of(both, 1), norm);
        }
        exponentials(x, 4);
        /* What isn't there may be any number, or none: it is left out, not multiplied by zero. */
        for (int i = 0; i < 2; i++) {
            int is_there = row + i < rows;
            x[2 * i] = _mm512_maskz_mul_ps(is_there ? first : 0, x[2 * i], scale);
            x[2 * i + 1] = _mm512_maskz_mul_ps(is_there ? second : 0, x[2 * i + 1], scale);
        }
        low = _mm512_add_ps(low, _mm512_add_ps(x[0], x[2]));
        high = _mm512_add_ps(high, _mm512_add_ps(x[1], x[3]));
        put(to + row * EDGE, joined(x[0], x[1]));
        put(to + (row + 1) * EDGE, joined(x[2], x[3]));
    }
    _mm512_storeu_ps(bias, low);
    _mm512_storeu_ps(bias + 16, high);
    for (int64_t row = 0; row < rows; row++) {
        int64_t label = labels[row] - v, at = row * EDGE + label;
        if (label < 0 || label >= EDGE) continue;
        to[at] = narrow((exponential(wide(logits[at]) - norms[row]) - 1.0f) * factor);
        bias[label] -= factor;
    }
    pack_columns(to, 0, EDGE, EDGE, 0, 0, 1, turned);
}

/* Gradients of the sum of losses times `factor`: of the values, bf16 [T, K]; of the matrix, float32
   [V, K]; of the bias, [V]. The first or the other two may be NULL.

   Each thread has columns of the values' gradient and blocks of the matrix's for its own. */
void vocabulary_loss_backward(const bf16 *values, const float *matrix, const int64_t *labels,
                              const bf16 *logits, const float *norms, float factor,
                              bf16 *values_gradient, float *matrix_gradient, float *bias_gradient,
                              bf16 *scratch, int64_t T, int64_t V, int64_t K, int64_t threads) {
    int64_t panels = K / EDGE, strips = steps_of(T), chunks = chunks_of(V);
    bf16 *gradients[2] = {scratch, scratch + strips * STRIP};
    bf16 *turned[2] = {scratch + 2 * strips * STRIP, scratch + 3 * strips * STRIP};
    float *biases = (float *)(scratch + 4 * strips * STRIP); /* [2][strips][CHUNK] */
    bf16 *rows_packed = scratch + 4 * strips * STRIP + 4 * strips * CHUNK; /* [panels][PANELS] */
    bf16 *packed = rows_packed + CHUNK * K;                                /* [panels][strips] */
    float *sums = (float *)(packed + strips * EDGE * K);                   /* [panels][strips] */
#pragma omp parallel num_threads((int)threads)
    {
        int64_t here = omp_get_thread_num(), all = omp_get_num_threads();
        int64_t first = panels * here / all, end = panels * (here + 1) / all;
        int64_t blocks = matrix_gradient ? PANELS * panels : 0; /* of the matrix in a chunk */
        int64_t first_block = blocks * here / all, end_block = blocks * (here + 1) / all;
        if (values_gradient)
            memset(sums + first * strips * BLOCK, 0,
                   sizeof(float) * (size_t)((end - first) * strips * BLOCK));
        Tiles tiles;
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
#pragma omp for schedule(static) collapse(2)
            for (int64_t i = 0; i < strips; i++)
                for (int64_t panel = 0; panel < PANELS; panel++)
                    gradient_of(logits + (chunk * strips + i) * STRIP + panel * BLOCK,
                                labels + i * EDGE, norms + i * EDGE, factor,
                                at_most(EDGE, T - i * EDGE), v + panel * EDGE, V - v - panel * EDGE,
                                above + i * STRIP + panel * BLOCK,
                                above_turned + (panel * strips + i) * BLOCK,
                                parts + i * CHUNK + panel * EDGE);
            if (values_gradient) {
                for (int64_t step = 0; step < PANELS; step++)
                    for (int64_t panel = first; panel < end; panel++)
                        pack_columns(matrix + v * K, 1, V - v, K, panel, step, 0,
                                     rows_packed + (panel * PANELS + step) * BLOCK);
                int64_t lines = first < end ? EDGE * STEPS_AT_ONCE / (end - first) : 0;
                for (int64_t i = 0; i < strips; i++) {
                    const bf16 *next = rows_packed + first * PANELS * BLOCK;
                    const bf16 *ahead = above + (i + 1) * STRIP;
                    for (int64_t panel = first; panel < end; panel++) {
                        Strip strip = {above + i * STRIP, HALF, 64, BLOCK,
                                       at_most(EDGE, T - i * EDGE)};
                        float *own = sums + (panel * strips + i) * BLOCK;
                        load_sums(&tiles, own, EDGE);
                        for (int64_t step = 0; step < PANELS; step += STEPS_AT_ONCE) {
                            for (int64_t line = 0; line < lines; line++, ahead += EDGE)
                                _mm_prefetch((const char *)ahead, _MM_HINT_T0);
                            multiply(&tiles, &strip, &next, STEPS_AT_ONCE);
                        }
                        store_sums(&tiles, own, EDGE);
                    }
                }
            }
            for (int64_t block = first_block; block < end_block; block++) {
                int64_t j = block / panels, panel = block % panels;
                int64_t row = v + j * EDGE, num = at_most(EDGE, V - row);
                if (num <= 0) break;
                if (panel == 0) {
                    const float *part = parts + j * EDGE;
                    __m512 low = _mm512_setzero_ps(), high = low;
                    for (int64_t i = 0; i < strips; i++, part += CHUNK) {
                        low = _mm512_add_ps(low, _mm512_loadu_ps(part));
                        high = _mm512_add_ps(high, _mm512_loadu_ps(part + 16));
                    }
                    _mm512_mask_storeu_ps(bias_gradient + row, seen_from(0, num), low);
                    _mm512_mask_storeu_ps(bias_gradient + row + 16, seen_from(16, num), high);
                }
                sum_up_rows(&tiles, above_turned + j * strips * BLOCK,
                            packed + panel * strips * BLOCK, strips, num,
                            matrix_gradient + row * K + panel * EDGE, K);
            }
        }
        release_tiles();
        for (int64_t panel = first; panel < end && values_gradient; panel++)
            for (int64_t t = 0; t < T; t++)
                put(values_gradient + t * K + panel * EDGE,
                    narrowed(sums + (panel * strips * EDGE + t) * EDGE));
    }
}
#endif
