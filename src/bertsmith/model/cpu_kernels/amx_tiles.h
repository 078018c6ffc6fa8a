/* Sums on the tiles of AMX: eight of 16 x 64 bytes. Four hold float32 sums of 32 rows by 32 columns,
   two the rows, two the columns. Included by tiles.h. */
#define ON_AMX
#define MEGABYTES 2     /* of a second-level cache */
#define STEPS_AT_ONCE 1 /* that what is done beside a product should go with */

/* The tiles are registers. */
typedef struct {
    uint8_t nothing;
} Tiles;

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes_of_row[16];
    uint8_t rows[16];
} TileShapes;

/* Begins what a thread does with tiles. */
static void take_tiles(void) {
    TileShapes shapes = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        shapes.bytes_of_row[i] = 64;
        shapes.rows[i] = 16;
    }
    written(&shapes);
    _tile_loadconfig(&shapes);
}

/* Ends it. */
static void release_tiles(void) { _tile_release(); }

/* Starts a product of what was written before. */
static inline void clear_sums(Tiles *tiles) {
    (void)tiles;
    written(NULL);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

/* Goes on with sums that `store_sums` stored. */
static inline void load_sums(Tiles *tiles, const float *from, int64_t width) {
    (void)tiles;
    written(NULL);
    _tile_loadd(0, from, width * 4);
    _tile_loadd(1, from + 16, width * 4);
    _tile_loadd(2, from + 16 * width, width * 4);
    _tile_loadd(3, from + 16 * width + 16, width * 4);
}

/* 32 x 32 sums, `width` numbers from row to row. */
static inline void store_sums(const Tiles *tiles, float *to, int64_t width) {
    (void)tiles;
    _tile_stored(0, to, width * 4);
    _tile_stored(1, to + 16, width * 4);
    _tile_stored(2, to + 16 * width, width * 4);
    _tile_stored(3, to + 16 * width + 16, width * 4);
}

/* Adds some steps' products to the sums, and goes on to the step behind them. */
static inline void multiply(Tiles *tiles, Strip *strip, const bf16 **panel, int64_t steps) {
    (void)tiles;
    for (; steps > 0; steps--) {
        _tile_loadd(6, *panel, 64);
        _tile_loadd(4, strip->from, strip->row_bytes);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, *panel + HALF, 64);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, strip->from + strip->to_second, strip->row_bytes);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
        strip->from += strip->to_next;
        *panel += BLOCK;
    }
}
