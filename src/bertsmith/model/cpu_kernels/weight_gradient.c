/* The gradient of a linear layer's weights: a product on tiles that sums over the tokens.

   It is made in pieces whose sums stay in the second-level cache, some tokens at a time: what a piece
   needs of them is packed there, and what it needs of the next ones is fetched while the tiles
   multiply. Each matrix is read and packed once for every piece along the other. */
#include "kernels.h"
#include "tiles.h"

#ifdef HAS_TILES

#define MOST_SUMS (MEGABYTES * 72) /* blocks of 32 x 32 in a piece: 590 KB of 2 MB */
/* Its strips and panels: 640 KB of 2 MB when packed, and as much that is fetched. */
#define MOST_EDGES (MEGABYTES * 20)
#define CHUNK 8 /* steps that are packed at a time: a strip of them is 16 KB */
#define PACKING 2 /* packing a block takes as long as so many products of two blocks on AMX */

/* The columns of a matrix, [T, width], that a piece needs. */
typedef struct {
    const bf16 *from;
    int64_t rows, blocks;              /* blocks of 32 columns */
    int64_t to_row, to_block, to_step; /* how far it is to the next, in numbers */
    int64_t lines, to_lines;           /* 64 bytes each, side by side; how far to the next such */
} Columns;

/* Where lines are fetched, and how many there still are. */
typedef struct {
    const bf16 *from;
    int64_t line, left;
} Ahead;

/* How many blocks a piece has of strips, and of panels. */
typedef struct {
    int64_t strips, panels;
} Piece;

/* The pieces with which the busiest thread is done the soonest. Whatever they are, the same numbers
   are summed up in the same order. */
static Piece piece_of(int64_t strips, int64_t panels, int64_t threads) {
    Piece best = {1, 1};
    int64_t least = INT64_MAX;
    for (int64_t down = 1; down <= at_most(strips, MOST_EDGES - 1); down++) {
        int64_t most = at_most(MOST_SUMS / down, MOST_EDGES - down);
        for (int64_t across = 1; across <= at_most(panels, most); across++) {
            int64_t pieces = parts_of(strips, down) * parts_of(panels, across);
            /* As even as so many pieces can be. */
            Piece piece = {parts_of(strips, parts_of(strips, down)),
                           parts_of(panels, parts_of(panels, across))};
            int64_t cost = parts_of(pieces, threads) *
                           (piece.strips * piece.panels + PACKING * (piece.strips + piece.panels));
            if (cost < least) {
                least = cost;
                best = piece;
            }
        }
    }
    return best;
}

/* What a thread needs, in bf16 numbers: a piece's sums, and what is packed. */
static int64_t room_of(Piece piece) {
    return piece.strips * piece.panels * 2 * BLOCK + (piece.strips + piece.panels) * CHUNK * BLOCK;
}

int64_t weight_gradient_room(int64_t N, int64_t K, int64_t threads) {
    return threads * room_of(piece_of(N / EDGE, K / EDGE, threads));
}

static Columns columns_of(const bf16 *matrix, int64_t T, int64_t width, int64_t in_blocks,
                          int64_t first, int64_t end) {
    int64_t blocks = end - first, to_step = EDGE * width;
    if (in_blocks)
        return (Columns){matrix + first * BLOCK, steps_of(T) * EDGE, blocks, EDGE, BLOCK, to_step,
                         EDGE * blocks, to_step};
    return (Columns){matrix + first * EDGE, T, blocks, width, EDGE, to_step, blocks, width};
}

/* Packs steps of the columns as panels or, transposed, as strips: CHUNK steps of a block, then of the
   next. */
static inline __attribute__((always_inline)) void pack(const Columns *columns, int64_t from,
                                                       int64_t end, int is_strip, bf16 *to) {
    for (int64_t step = from; step < end; step++) {
        const bf16 *block = columns->from + step * columns->to_step;
        int64_t rows = at_most(EDGE, columns->rows - step * EDGE);
        for (int64_t i = 0; i < columns->blocks; i++, block += columns->to_block) {
            bf16 *place = to + (i * CHUNK + step - from) * BLOCK;
            if (rows == EDGE) /* a constant, which asks nothing for each row */
                pack_columns(block, 0, EDGE, columns->to_row, 0, 0, is_strip, place);
            else
                pack_columns(block, 0, rows, columns->to_row, 0, 0, is_strip, place);
        }
    }
}

static Ahead ahead_of(const Columns *columns, int64_t from, int64_t end) {
    int64_t rows = at_most(end * EDGE, columns->rows) - from * EDGE;
    return (Ahead){columns->from + from * columns->to_step, 0, rows * columns->blocks};
}

/* Brings so many lines into the second-level cache. */
static inline void fetch(Ahead *ahead, const Columns *columns, int64_t number) {
    for (int64_t i = at_most(number, ahead->left); i > 0; i--) {
        _mm_prefetch((const char *)(ahead->from + ahead->line * EDGE), _MM_HINT_T1);
        if (++ahead->line == columns->lines) {
            ahead->line = 0;
            ahead->from += columns->to_lines;
        }
    }
    ahead->left -= number;
}

/* A piece of the gradient, with K numbers from row to row. */
static void make_piece(Tiles *tiles, const Columns *above, const Columns *values, float *gradient,
                       int64_t K, int64_t steps, bf16 *room) {
    int64_t strips = above->blocks, panels = values->blocks;
    float *sums = (float *)room;
    bf16 *packed_strips = room + strips * panels * 2 * BLOCK;
    bf16 *packed_panels = packed_strips + strips * CHUNK * BLOCK;
    for (int64_t from = 0; from < steps; from += CHUNK) {
        int64_t end = at_most(from + CHUNK, steps), is_last = end == steps;
        pack(above, from, end, 1, packed_strips);
        pack(values, from, end, 0, packed_panels);
        Ahead strips_ahead = ahead_of(above, end, at_most(end + CHUNK, steps));
        Ahead panels_ahead = ahead_of(values, end, at_most(end + CHUNK, steps));
        for (int64_t i = 0; i < strips * panels; i++) {
            Strip strip = {packed_strips + i / panels * CHUNK * BLOCK, HALF, 64, BLOCK, EDGE};
            const bf16 *panel = packed_panels + i % panels * CHUNK * BLOCK;
            float *place = gradient + i / panels * EDGE * K + i % panels * EDGE;
            if (from == 0)
                clear_sums(tiles);
            else
                load_sums(tiles, sums + i * BLOCK, EDGE);
            for (int64_t to, step = from; step < end; step = to) {
                to = at_most(step + STEPS_AT_ONCE, end);
                fetch(&strips_ahead, above, (to - step) * parts_of(EDGE, panels));
                fetch(&panels_ahead, values, (to - step) * parts_of(EDGE, strips));
                if (is_last)
                    fetch_rows(place, K, (step - from) * EDGE / (end - from),
                               (to - from) * EDGE / (end - from));
                multiply(tiles, &strip, &panel, to - step);
            }
            if (is_last)
                store_sums(tiles, place, K);
            else
                store_sums(tiles, sums + i * BLOCK, EDGE);
        }
        written(NULL);
    }
}

/* gradient = above^T values: float32 [N, K] of bf16 [T, N] and [T, K], of which either may stand in
   blocks, see products.c; N and K are multiples of 32. */
void weight_gradient(const bf16 *above, const bf16 *values, float *gradient, bf16 *room, int64_t T,
                     int64_t N, int64_t K, int64_t above_in_blocks, int64_t values_in_blocks,
                     int64_t threads) {
    int64_t strips = N / EDGE, panels = K / EDGE;
    Piece piece = piece_of(strips, panels, threads);
    int64_t down = parts_of(strips, piece.strips), across = parts_of(panels, piece.panels);
#pragma omp parallel num_threads((int)threads)
    {
        Tiles tiles;
        take_tiles();
#pragma omp for schedule(static)
        for (int64_t i = 0; i < down * across; i++) {
            int64_t row = i / across, column = i % across;
            int64_t strip = strips * row / down, panel = panels * column / across;
            Columns of_above = columns_of(above, T, N, above_in_blocks, strip,
                                          strips * (row + 1) / down);
            Columns of_values = columns_of(values, T, K, values_in_blocks, panel,
                                           panels * (column + 1) / across);
            make_piece(&tiles, &of_above, &of_values, gradient + strip * EDGE * K + panel * EDGE, K,
                       steps_of(T), room + omp_get_thread_num() * room_of(piece));
        }
        release_tiles();
    }
}

#endif
