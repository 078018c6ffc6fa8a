/* The same sums on vectors, where a processor multiplies bf16 by AVX512-BF16 alone. They stand in the
   first-level cache; eight rows of them at a time go into registers for some steps. Included by
   tiles.h. */
#define MEGABYTES 1     /* of a second-level cache */
#define STEPS_AT_ONCE 4 /* for which what is done beside a product waits: 8 KB of a panel */
#define ROWS 8          /* of sums in registers, two vectors each; a divisor of 16 */

typedef struct {
    float sums[BLOCK] __attribute__((aligned(64)));
} Tiles;

static void take_tiles(void) {}

static void release_tiles(void) {}

static inline void clear_sums(Tiles *tiles) { memset(tiles->sums, 0, sizeof tiles->sums); }

static inline void load_sums(Tiles *tiles, const float *from, int64_t width) {
    for (int64_t row = 0; row < EDGE; row++)
        memcpy(tiles->sums + row * EDGE, from + row * width, sizeof(float) * EDGE);
}

static inline void store_sums(const Tiles *tiles, float *to, int64_t width) {
    for (int64_t row = 0; row < EDGE; row++)
        memcpy(to + row * width, tiles->sums + row * EDGE, sizeof(float) * EDGE);
}

/* Two neighbours along the sum, in each place of a vector. */
static inline __m512bh pair_at(const char *from) {
    int32_t pair;
    memcpy(&pair, from, sizeof pair);
    return (__m512bh)_mm512_set1_epi32(pair);
}

/* Adds some steps' products to ROWS rows of sums, two vectors each. */
static inline void multiply_rows(const char *left, const Strip *strip, const bf16 *panel,
                                 int64_t steps, float *sums) {
    const int64_t row_bytes = strip->row_bytes, to_next = strip->to_next * (int64_t)sizeof(bf16);
    __m512 low[ROWS], high[ROWS];
    EACH(ROWS) low[i] = _mm512_load_ps(sums + i * EDGE);
    EACH(ROWS) high[i] = _mm512_load_ps(sums + i * EDGE + 16);
    for (; steps > 0; steps--, left += to_next, panel += BLOCK)
        for (int64_t k = 0; k < EDGE; k += 2) {
            __m512bh first = (__m512bh)all_of(panel + k * 16);
            __m512bh second = (__m512bh)all_of(panel + HALF + k * 16);
            EACH(ROWS) {
                __m512bh pair = pair_at(left + i * row_bytes + k * (int64_t)sizeof(bf16));
                low[i] = _mm512_dpbf16_ps(low[i], pair, first);
                high[i] = _mm512_dpbf16_ps(high[i], pair, second);
            }
        }
    EACH(ROWS) _mm512_store_ps(sums + i * EDGE, low[i]);
    EACH(ROWS) _mm512_store_ps(sums + i * EDGE + 16, high[i]);
}

/* In one place, so that its registers are its own. */
static __attribute__((noinline)) void multiply(Tiles *tiles, Strip *strip, const bf16 **panel,
                                               int64_t steps) {
    for (int64_t row = 0; row < strip->rows; row += ROWS) {
        const char *left = (const char *)(row < 16 ? strip->from : strip->from + strip->to_second);
        multiply_rows(left + row % 16 * strip->row_bytes, strip, *panel, steps,
                      tiles->sums + row * EDGE);
    }
    strip->from += steps * strip->to_next;
    *panel += steps * BLOCK;
}
