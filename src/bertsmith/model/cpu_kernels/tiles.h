/* Products of bf16 matrices, 32 rows by 32 columns of float32 sums at a time: on AMX's tiles
   (amx_tiles.h), or on vectors (vector_tiles.h) where a processor has AVX512-BF16 alone, or the system
   keeps the tiles from this process (WITHOUT_AMX). The left matrix is taken in strips of 32 rows, the
   right one in panels of 32 columns, packed as both want it: pairs of neighbours along the sum,
   [sum / 2][column][2]. */
#ifndef BERTSMITH_TILES_H
#define BERTSMITH_TILES_H

#include "vectors.h"

#ifdef HAS_VECTORS
#define HAS_TILES
#include <omp.h>
#include <stddef.h>

#define EDGE 32                   /* rows of a strip, columns of a panel, numbers of a step */
#define BLOCK (EDGE * EDGE)       /* bf16 numbers of a strip or panel in one step */
#define HALF (BLOCK / 2)          /* of one of its two tiles */

/* A strip: where its first step lies, how far it is to its 17th row, its next row (in bytes) and its
   next step, and how many rows are there. The others are zeros, which nobody needs to add: sums of
   theirs may stay what they were, zeros after `clear_sums`. */
typedef struct {
    const bf16 *from;
    int64_t to_second, row_bytes, to_next, rows;
} Strip;

/* What the program wrote is in memory when the tiles load it. GCC doesn't know that tileloadd reads
   memory, and thinks that ldtilecfg reads eight bytes of its 64: it may leave out or put off what was
   written for them. */
static inline void written(const void *memory) { __asm__ volatile("" : : "r"(memory) : "memory"); }

#if defined(__AMX_BF16__) && defined(__linux__) && !defined(WITHOUT_AMX)
#include "amx_tiles.h"
#else
#include "vector_tiles.h"
#endif

static inline int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

/* How many parts there are, of which the last may be smaller. */
static inline int64_t parts_of(int64_t all, int64_t part) { return (all + part - 1) / part; }

static inline int64_t steps_of(int64_t length) { return parts_of(length, EDGE); }

static inline __m512i interleave(__m512i a, __m512i b, int is_second) {
    static const uint16_t order[2][32] = {
        {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
         8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47},
        {16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55,
         24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63}};
    return _mm512_permutex2var_epi16(a, _mm512_loadu_si512(order[is_second]), b);
}

/* 16 rows of 16 numbers of 32 bits. */
static inline void transpose(__m512i *r) {
    __m512i t[16];
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 4; i++) {
        r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/* 32 numbers as bf16. */
static inline __m512i narrowed(const float *from) {
    return joined(_mm512_loadu_ps(from), _mm512_loadu_ps(from + 16));
}

/* 32 numbers of a matrix in bf16 or, if it is wide, float32. */
static inline __m512i numbers_at(const void *matrix, int64_t at, int is_wide) {
    if (is_wide) return narrowed((const float *)matrix + at);
    return _mm512_loadu_si512((const bf16 *)matrix + at);
}

/* One step of a panel of columns that are rows of `matrix`, [rows, K], zeros behind them. */
static inline void pack_rows(const void *matrix, int is_wide, int64_t rows, int64_t K,
                             int64_t panel, int64_t step, bf16 *to) {
    for (int half = 0; half < 2; half++) {
        __m512i r[16];
        int64_t first = panel * EDGE + half * 16;
        for (int i = 0; i < 16; i++)
            r[i] = first + i < rows ? numbers_at(matrix, (first + i) * K + step * EDGE, is_wide)
                                    : _mm512_setzero_si512();
        transpose(r);
        for (int i = 0; i < 16; i++) put(to + half * HALF + i * EDGE, r[i]);
    }
}

/* One step of a panel of columns of `matrix`, [rows, width], zeros behind them; or of a strip of its
   transpose. */
static inline void pack_columns(const void *matrix, int is_wide, int64_t rows, int64_t width,
                                int64_t panel, int64_t step, int is_strip, bf16 *to) {
    __m512i first[16], second[16];
    for (int i = 0; i < 16; i++) {
        int64_t row = step * EDGE + 2 * i, at = row * width + panel * EDGE;
        __m512i a = row < rows ? numbers_at(matrix, at, is_wide) : _mm512_setzero_si512();
        __m512i b =
            row + 1 < rows ? numbers_at(matrix, at + width, is_wide) : _mm512_setzero_si512();
        first[i] = interleave(a, b, 0);
        second[i] = interleave(a, b, 1);
    }
    if (is_strip) {
        transpose(first);
        transpose(second);
    }
    for (int i = 0; i < 16; i++) {
        put(to + i * EDGE, first[i]);
        put(to + HALF + i * EDGE, second[i]);
    }
}

/* Brings rows of a place for sums, `width` numbers from row to row, into the first-level cache. */
static inline void fetch_rows(float *to, int64_t width, int64_t first, int64_t end) {
    for (int64_t row = first; row < end; row++) {
        __builtin_prefetch(to + row * width, 1);
        __builtin_prefetch(to + row * width + 16, 1);
    }
}

/* The last strip of `values`, [T, length], with zeros behind its rows. */
static inline void copy_last_strip(const bf16 *values, int64_t T, int64_t length, bf16 *to) {
    int64_t first = (steps_of(T) - 1) * EDGE;
    memset(to, 0, sizeof(bf16) * (size_t)(EDGE * length));
    memcpy(to, values + first * length, sizeof(bf16) * (size_t)((T - first) * length));
}

/* Sums of a packed strip and a panel, of which the first `rows` are there, with `width` numbers from
   row to row. */
static inline void sum_up_rows(Tiles *tiles, const bf16 *strip, const bf16 *panel, int64_t steps,
                               int64_t rows, float *to, int64_t width) {
    float all[BLOCK] __attribute__((aligned(64)));
    Strip here = {strip, HALF, 64, BLOCK, rows};
    fetch_rows(to, width, 0, rows);
    clear_sums(tiles);
    multiply(tiles, &here, &panel, steps);
    if (rows == EDGE) {
        store_sums(tiles, to, width);
        return;
    }
    store_sums(tiles, all, EDGE);
    written(NULL);
    for (int64_t row = 0; row < rows; row++)
        memcpy(to + row * width, all + row * EDGE, sizeof(float) * EDGE);
}

#endif
#endif
