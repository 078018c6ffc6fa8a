/* Products of bf16 matrices, summed in float32 on tiles; see tiles.h.

   A matrix that only these kernels see stands in blocks of 32 x 32 numbers, [T / 32, columns / 32],
   zeros behind its last row: a block is written as one piece, where rows would be a line each.

   As many panels as half of a second-level cache holds stay there while the strips go by. A tile
   can only be stored to memory. What was stored is read a product later, when it has got there: at
   once it costs as much as the product. */
#define _GNU_SOURCE
#include "gelu.h"
#include "kernels.h"
#include "tiles.h"

#ifdef HAS_TILES
#ifdef ON_AMX
#include <sys/syscall.h>
#include <unistd.h>
#define REQUEST_PERMISSION 0x1023 /* arch_prctl's ARCH_REQ_XCOMP_PERM */
#define TILE_DATA 18              /* the feature that it asks for, XFEATURE_XTILEDATA */
#endif

#define CACHED (MEGABYTES * 384 * 1024) /* bytes of panels that stay in the second-level cache */
#define TOGETHER 4                      /* rows of sums that are used at a time, a divisor of EDGE */
#define LEAST_SHARES 4                  /* of a thread: strips, or parts of them where they are few */

/* What becomes of sums, rounded to bf16: they are the output; or they and what was kept are; or they
   are kept, and GELU of them and a bias is the output; or they are the gradient of that GELU, and
   what it was taken of had been kept. */
enum { ALONE, ADDED, GELU, GELU_BACKWARD };

typedef struct {
    bf16 *output;      /* [T, columns], as the next one; of GELU in blocks */
    bf16 *kept;        /* NULL for sums alone */
    const float *bias; /* [columns]; of GELU, else NULL */
    float *bias_sums;  /* [columns]; the bias's gradient is added; GELU_BACKWARD alone */
    int64_t columns;
} Use;

/* Sums that were stored and not yet used, where they belong, and how many rows of them. */
typedef struct {
    const float *sums;
    int64_t row, column, rows;
} Waiting;

/* Whether products are on AMX's tiles, and this process may not use those. Asking is what makes Linux
   give them to it; a filter of system calls may refuse. */
int64_t lacks_permission(void) {
#ifdef ON_AMX
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) != 0;
#else
    return 0;
#endif
}

/* Whether there are bf16 products that this process may use. */
int64_t has_tiles(void) { return !lacks_permission(); }

static inline __m512i added(const float *sums, __m512i kept) {
    return joined(_mm512_add_ps(_mm512_loadu_ps(sums), half_of(kept, 0)),
                  _mm512_add_ps(_mm512_loadu_ps(sums + 16), half_of(kept, 1)));
}

/* Where a row of waiting sums belongs, and how far it is to the next. */
static inline int64_t place_of(const Waiting *waiting, const Use *use, int64_t row, int kind,
                               int64_t *stride) {
    if (kind < GELU) {
        *stride = use->columns;
        return (waiting->row + row) * use->columns + waiting->column;
    }
    *stride = EDGE;
    return waiting->row * use->columns + waiting->column * EDGE + row * EDGE;
}

/* Uses rows from `row` on that are among those waiting, TOGETHER of them; see EACH. */
static inline __attribute__((always_inline)) void use_rows(const Waiting *waiting, const Use *use,
                                                           int64_t row, int kind) {
    int64_t number = at_most(TOGETHER, waiting->rows - row), stride;
    if (number <= 0 && (kind < GELU || waiting->rows == 0)) return;
    int64_t at = place_of(waiting, use, row, kind, &stride);
    const float *bias = use->bias + waiting->column, *wide = waiting->sums + row * EDGE;
    __m512i sums[TOGETHER], kept[TOGETHER];
    if (kind == ADDED)
        EACH(TOGETHER) kept[i] = all_of(use->kept + at + at_most(i, number - 1) * stride);
    if (kind == GELU_BACKWARD) EACH(TOGETHER) kept[i] = all_of(use->kept + at + i * stride);
    EACH(TOGETHER) sums[i] = kind == ADDED ? added(wide + i * EDGE, kept[i])
                                           : narrowed(wide + i * EDGE);
    if (kind == GELU) {
        EACH(TOGETHER) put(use->kept + at + i * stride, sums[i]);
        gelu_of_rows(sums, bias, TOGETHER);
    } else if (kind == GELU_BACKWARD) {
        gelu_gradient_of_rows(sums, kept, bias, use->bias_sums + waiting->column, TOGETHER);
    }
    if (number == TOGETHER) {
        EACH(TOGETHER) put(use->output + at + i * stride, sums[i]);
    } else {
        for (int64_t i = 0; i < number; i++) put(use->output + at + i * stride, sums[i]);
        for (int64_t i = number < 0 ? 0 : number; i < TOGETHER && kind >= GELU; i++)
            put(use->output + at + i * stride, _mm512_setzero_si512());
    }
}

/* Brings the place where a row of sums will be used into the first-level cache: a line in each row,
   which the processor doesn't foresee. */
static inline void fetch_place(const Waiting *next, const Use *use, int64_t row, int kind) {
    if (row >= next->rows) return;
    int64_t stride, at = place_of(next, use, row, kind, &stride);
    __builtin_prefetch(use->output + at, 1);
    if (kind == GELU) __builtin_prefetch(use->kept + at, 1);
    if (kind == ADDED || kind == GELU_BACKWARD) __builtin_prefetch(use->kept + at, 0);
}

/* Sums of a strip and a panel over all steps, stored as float32.

   On the way the sums that wait are used, `ahead` is brought into the second-level cache, a number
   of lines a step, and the places for the sums and for what `next` will make of them, if anything,
   into the first-level one. */
static inline __attribute__((always_inline)) void
sum_up(Tiles *tiles, Strip strip, const bf16 *panel, int64_t steps, const Waiting *waiting,
       const Waiting *next, const Use *use, int kind, const bf16 *ahead, int64_t lines, float *sums) {
    int64_t some = at_most(16, steps / 2), rows = some ? parts_of(EDGE, some) : 0;
    int64_t every = steps * TOGETHER / EDGE, row = 0;
    clear_sums(tiles);
    for (int64_t end, from = 0; from < steps; from = end) {
        end = at_most(from + STEPS_AT_ONCE, steps);
        for (int64_t s = from; s < end; s++) {
            for (int64_t i = 0; i < lines; i++, ahead += EDGE)
                _mm_prefetch((const char *)ahead, _MM_HINT_T1);
            for (int64_t i = s * EDGE / steps; i < (s + 1) * EDGE / steps; i++)
                fetch_place(next, use, i, kind);
            if (row < EDGE && s * TOGETHER >= row * every) {
                use_rows(waiting, use, row, kind);
                row += TOGETHER;
            }
            if (s >= steps - some) {
                int64_t first = (s - steps + some) * rows;
                fetch_rows(sums, EDGE, at_most(first, EDGE), at_most(first + rows, EDGE));
            }
        }
        multiply(tiles, &strip, &panel, end - from);
    }
    for (; row < EDGE; row += TOGETHER) use_rows(waiting, use, row, kind);
    store_sums(tiles, sums, EDGE);
}

/* How many panels stay in the cache at a time. */
static int64_t panels_at_once(int64_t panels, int64_t steps) {
    int64_t most = CACHED / (steps * BLOCK * (int64_t)sizeof(bf16));
    most = most < 1 ? 1 : most;
    return parts_of(panels, parts_of(panels, most));
}

/* values weight^T, or values weight, [T, columns], of bf16 values, [T, length], and what becomes
   of it.

   values may stand in blocks. weight is float32, [columns, length] or, if it isn't transposed,
   [length, columns]; both are multiples of 32. scratch holds (columns + 32) * length numbers. */
static inline __attribute__((always_inline)) void
product(const bf16 *values, const float *weight, Use whole, bf16 *scratch, int64_t T,
        int64_t length, int in_blocks, int is_transposed, int kind, int64_t threads) {
    int64_t columns = whole.columns, panels = columns / EDGE, steps = length / EDGE;
    int64_t strips = steps_of(T), at_once = panels_at_once(panels, steps);
    bf16 *last = scratch + columns * length; /* the last strip, with zeros behind its rows */
    if (!in_blocks) copy_last_strip(values, T, length, last);
#pragma omp parallel num_threads((int)threads)
    {
        float sums[2][BLOCK] __attribute__((aligned(64)));
        Waiting waiting = {sums[0], 0, 0, 0};
        Use use = whole;
        if (kind == GELU_BACKWARD) use.bias_sums += omp_get_thread_num() * columns;
        Tiles tiles;
        take_tiles();
#pragma omp for schedule(static)
        for (int64_t i = 0; i < panels * steps; i++) {
            /* Neighbours in memory one after the other. */
            int64_t panel = is_transposed ? i / steps : i % panels;
            int64_t step = is_transposed ? i % steps : i / panels;
            bf16 *to = scratch + (panel * steps + step) * BLOCK;
            if (is_transposed)
                pack_rows(weight, 1, columns, length, panel, step, to);
            else
                pack_columns(weight, 1, length, columns, panel, step, 0, to);
        }
        for (int64_t from = 0; from < panels; from += at_once) {
            int64_t end = at_most(from + at_once, panels);
            int64_t lines = parts_of(EDGE * steps / (end - from), steps);
            int64_t groups = at_most(parts_of(LEAST_SHARES * threads, strips), end - from);
#pragma omp for schedule(static) nowait
            for (int64_t share = 0; share < strips * groups; share++) {
                int64_t i = share / groups, group = share % groups;
                int64_t first = from + (end - from) * group / groups;
                int64_t behind = from + (end - from) * (group + 1) / groups;
                const bf16 *here = values + i * EDGE * length;
                int64_t rows = at_most(EDGE, T - i * EDGE);
                Strip strip = {i == strips - 1 ? last : here, 16 * length, 2 * length, EDGE, rows};
                if (in_blocks) strip = (Strip){here, HALF, 64, BLOCK, rows};
                for (int64_t panel = first; panel < behind; panel++) {
                    const bf16 *ahead =
                        values + (i + 1) * EDGE * length + (panel - from) * lines * steps * EDGE;
                    Waiting next = {waiting.sums == sums[0] ? sums[1] : sums[0], i * EDGE,
                                    panel * EDGE, rows};
                    sum_up(&tiles, strip, scratch + panel * steps * BLOCK, steps, &waiting, &next,
                           &use, kind, ahead, lines, (float *)next.sums);
                    waiting = next;
                }
            }
        }
        for (int64_t row = 0; row < EDGE; row += TOGETHER) use_rows(&waiting, &use, row, kind);
        release_tiles();
    }
}

void product_alone(const bf16 *values, const float *weight, bf16 *output, bf16 *scratch, int64_t T,
                   int64_t columns, int64_t length, int64_t in_blocks, int64_t is_transposed,
                   int64_t threads) {
    Use use = {output, NULL, NULL, NULL, columns};
    if (is_transposed)
        product(values, weight, use, scratch, T, length, (int)in_blocks, 1, ALONE, threads);
    else
        product(values, weight, use, scratch, T, length, (int)in_blocks, 0, ALONE, threads);
}

/* values weight + others, both [T, columns]. */
void product_added(const bf16 *values, const float *weight, bf16 *others, bf16 *output,
                   bf16 *scratch, int64_t T, int64_t columns, int64_t length, int64_t in_blocks,
                   int64_t threads) {
    Use use = {output, others, NULL, NULL, columns};
    product(values, weight, use, scratch, T, length, (int)in_blocks, 0, ADDED, threads);
}

/* GELU of values weight^T + bias, in blocks; the products themselves are kept, in blocks too. */
void product_gelu(const bf16 *values, const float *weight, const float *bias, bf16 *kept,
                  bf16 *output, bf16 *scratch, int64_t T, int64_t columns, int64_t length,
                  int64_t threads) {
    Use use = {output, kept, bias, NULL, columns};
    product(values, weight, use, scratch, T, length, 0, 1, GELU, threads);
}

/* The gradient of those products, in blocks, where above weight is that of the GELU.

   bias_sums is zeros, [threads, columns]: each thread's part of the bias's gradient. */
void product_gelu_backward(const bf16 *above, const float *weight, const float *bias, bf16 *kept,
                           bf16 *gradient, float *bias_sums, bf16 *scratch, int64_t T,
                           int64_t columns, int64_t length, int64_t threads) {
    Use use = {gradient, kept, bias, bias_sums, columns};
    product(above, weight, use, scratch, T, length, 0, 0, GELU_BACKWARD, threads);
}
#else
int64_t lacks_permission(void) { return 0; }
int64_t has_tiles(void) { return 0; }
#endif
