/* Products with a matrix of many more rows than there are values: the logits of a vocabulary, and
   their gradients, on tiles.

   T values of K numbers, K a multiple of 32; V rows of the matrix, any number of them. Logits, [T, V],
   and their gradient may have more than V numbers from row to row; those behind V are neither read
   nor written. The matrix is read once each way, and packed where it is used. */
#include "tiled_softmax.h"

#ifdef HAS_TILES

#define STEPS 16            /* of a sum over the vocabulary at a time */
#define SPAN (STEPS * EDGE) /* rows of the matrix in them */

/* Sums that were stored and not yet used, see products.c, and what becomes of them. */
typedef struct {
    const float *sums;
    bf16 *to;
    int64_t rows, stride;
    __mmask32 columns;
    __m512 low, high; /* the biases */
} Waiting;

static inline void use_row(const Waiting *waiting, int64_t row) {
    if (row >= waiting->rows) return;
    const float *sums = waiting->sums + row * EDGE;
    __m512i numbers = joined(_mm512_add_ps(_mm512_loadu_ps(sums), waiting->low),
                             _mm512_add_ps(_mm512_loadu_ps(sums + 16), waiting->high));
    _mm512_mask_storeu_epi16(waiting->to + row * waiting->stride, waiting->columns, numbers);
}

/* How many of 32 from `first` on are among `all`. */
static inline int64_t some_of(int64_t first, int64_t all) {
    return at_most(EDGE, all - first);
}

/* Rows of a strip, [32, columns], of a matrix: where they are, or a copy with zeros where the matrix
   ends before. */
static Strip strip_at(const bf16 *matrix, int64_t stride, int64_t row, int64_t rows,
                      int64_t column, int64_t columns, int64_t wanted, bf16 *copy) {
    const bf16 *from = matrix + row * stride + column;
    int64_t num = some_of(row, rows), wide = at_most(wanted, columns - column);
    if (num == EDGE && wide == wanted) return (Strip){from, 16 * stride, 2 * stride, EDGE, num};
    memset(copy, 0, sizeof(bf16) * (size_t)(EDGE * wanted));
    for (int64_t i = 0; i < num; i++)
        memcpy(copy + i * wanted, from + i * stride, sizeof(bf16) * (size_t)wide);
    return (Strip){copy, 16 * wanted, 2 * wanted, EDGE, num};
}

/* Numbers of scratch, bf16, that each of the three needs. */
int64_t vocabulary_forward_room(int64_t K, int64_t threads) { return (1 + threads) * EDGE * K; }

int64_t vocabulary_backward_room(int64_t T, int64_t K, int64_t threads) {
    return SPAN * K + threads * EDGE * SPAN + 2 * steps_of(T) * EDGE * K;
}

int64_t vocabulary_weight_room(int64_t T, int64_t K, int64_t threads) {
    return steps_of(T) * EDGE * (K + threads * 2 * EDGE);
}

/* logits = values matrix^T + bias */
void vocabulary_forward(const bf16 *values, const float *matrix, const float *bias, bf16 *logits,
                        bf16 *scratch, int64_t T, int64_t V, int64_t K, int64_t stride,
                        int64_t threads) {
    int64_t steps = K / EDGE, strips = steps_of(T), turns = steps > 1 ? steps / 2 : 1;
    int64_t rows_a_turn = (EDGE + turns - 1) / turns;
    Strip last = strip_at(values, K, (strips - 1) * EDGE, T, 0, K, K, scratch);
#pragma omp parallel num_threads((int)threads)
    {
        bf16 *panel = scratch + (1 + omp_get_thread_num()) * EDGE * K;
        float sums[2][BLOCK] __attribute__((aligned(64)));
        Waiting waiting = {sums[0], NULL, 0, 0, 0, _mm512_setzero_ps(), _mm512_setzero_ps()};
        Tiles tiles;
        take_tiles();
#pragma omp for schedule(static) nowait
        for (int64_t v = 0; v < V; v += EDGE) {
            int64_t num = some_of(v, V);
            for (int64_t step = 0; step < steps; step++)
                pack_rows(matrix, 1, V, K, v / EDGE, step, panel + step * BLOCK);
            __m512 low = _mm512_maskz_loadu_ps(seen_from(0, num), bias + v);
            __m512 high = _mm512_maskz_loadu_ps(seen_from(16, num), bias + v + 16);
            for (int64_t i = 0; i < strips; i++) {
                Strip strip = i == strips - 1
                                  ? last
                                  : (Strip){values + i * EDGE * K, 16 * K, 2 * K, EDGE, EDGE};
                const bf16 *packed = panel;
                bf16 *to = logits + i * EDGE * stride + v;
                int64_t rows = some_of(i * EDGE, T);
                float *next = waiting.sums == sums[0] ? sums[1] : sums[0];
                clear_sums(&tiles);
                for (int64_t step = 0; step < steps; step += STEPS_AT_ONCE) {
                    int64_t end = at_most(step + STEPS_AT_ONCE, steps);
                    for (int64_t row = step * rows_a_turn;
                         row < at_most(end, turns) * rows_a_turn; row++) {
                        use_row(&waiting, row);
                        if (row < rows) __builtin_prefetch(to + row * stride, 1);
                    }
                    multiply(&tiles, &strip, &packed, end - step);
                }
                store_sums(&tiles, next, EDGE);
                waiting = (Waiting){next, to, rows, stride, (__mmask32)((1ull << num) - 1), low, high};
            }
        }
        for (int64_t row = 0; row < EDGE; row++) use_row(&waiting, row);
        release_tiles();
    }
}

/* gradient = above matrix, bf16 [T, K]

   Each thread has columns of its own, so that sums don't depend on how many threads there are. */
void vocabulary_backward(const bf16 *above, const float *matrix, bf16 *gradient, bf16 *scratch,
                         int64_t T, int64_t V, int64_t K, int64_t stride, int64_t threads) {
    int64_t panels = K / EDGE, strips = steps_of(T);
    bf16 *copies = scratch + SPAN * K;
    float *sums = (float *)(copies + threads * EDGE * SPAN); /* [panels][strips][32][32] */
#pragma omp parallel num_threads((int)threads)
    {
        int64_t here = omp_get_thread_num(), all = omp_get_num_threads();
        int64_t first = panels * here / all, end = panels * (here + 1) / all;
        bf16 *copy = copies + here * EDGE * SPAN;
        memset(sums + first * strips * BLOCK, 0,
               sizeof(float) * (size_t)((end - first) * strips * BLOCK));
        Tiles tiles;
        take_tiles();
        for (int64_t v = 0; v < V && first < end; v += SPAN) {
            for (int64_t step = 0; step < STEPS; step++)
                for (int64_t panel = first; panel < end; panel++)
                    pack_columns(matrix + v * K, 1, V - v, K, panel, step, 0,
                                 scratch + (panel * STEPS + step) * BLOCK);
            for (int64_t i = 0; i < strips; i++) {
                Strip strip = strip_at(above, stride, i * EDGE, T, v, V, SPAN, copy);
                const bf16 *next = scratch + first * STEPS * BLOCK;
                for (int64_t panel = first; panel < end; panel++) {
                    Strip again = strip;
                    float *own = sums + (panel * strips + i) * BLOCK;
                    load_sums(&tiles, own, EDGE);
                    multiply(&tiles, &again, &next, STEPS);
                    store_sums(&tiles, own, EDGE);
                }
            }
        }
        release_tiles();
        for (int64_t panel = first; panel < end; panel++)
            for (int64_t t = 0; t < T; t++)
                put(gradient + t * K + panel * EDGE,
                    narrowed(sums + (panel * strips * EDGE + t) * EDGE));
    }
}

/* gradient = above^T values, float32 [V, K]; bias_gradient = the sums of above over the values. */
void vocabulary_weight_gradient(const bf16 *above, const bf16 *values, float *gradient,
                                float *bias_gradient, bf16 *scratch, int64_t T, int64_t V,
                                int64_t K, int64_t stride, int64_t threads) {
    int64_t panels = K / EDGE, steps = steps_of(T), lines = (T + panels - 1) / panels;
#pragma omp parallel num_threads((int)threads)
    {
        bf16 *packed = scratch + steps * EDGE * (K + 2 * EDGE * omp_get_thread_num());
        bf16 *copy = packed + steps * BLOCK;
        Tiles tiles;
        take_tiles();
#pragma omp for schedule(static)
        for (int64_t step = 0; step < steps; step++)
            for (int64_t panel = 0; panel < panels; panel++)
                pack_columns(values, 0, T, K, panel, step, 0,
                             scratch + (panel * steps + step) * BLOCK);
#pragma omp for schedule(static) nowait
        for (int64_t v = 0; v < V; v += EDGE) {
            int64_t num = some_of(v, V), width = stride;
            const bf16 *columns = above + v;
            if (num < EDGE) {
                for (int64_t t = 0; t < T; t++)
                    put(copy + t * EDGE, _mm512_maskz_loadu_epi16((__mmask32)((1ull << num) - 1),
                                                                  above + t * stride + v));
                columns = copy, width = EDGE;
            }
            for (int64_t step = 0; step < steps; step++)
                pack_columns(columns, 0, T, width, 0, step, 1, packed + step * BLOCK);
            __m512 low = _mm512_setzero_ps(), high = low;
            for (int64_t t = 0; t < T; t++) {
                low = _mm512_add_ps(low, widened(columns + t * width));
                high = _mm512_add_ps(high, widened(columns + t * width + 16));
            }
            _mm512_mask_storeu_ps(bias_gradient + v, seen_from(0, num), low);
            _mm512_mask_storeu_ps(bias_gradient + v + 16, seen_from(16, num), high);
            for (int64_t panel = 0; panel < panels; panel++) {
                if (v + EDGE < V) /* the next columns: a line in each row, which nobody foresees */
                    for (int64_t t = panel * lines; t < at_most((panel + 1) * lines, T); t++)
                        _mm_prefetch((const char *)(above + t * stride + v + EDGE), _MM_HINT_T1);
                sum_up_rows(&tiles, packed, scratch + panel * steps * BLOCK, steps, num,
                            gradient + v * K + panel * EDGE, K);
            }
        }
        release_tiles();
    }
}
#endif
