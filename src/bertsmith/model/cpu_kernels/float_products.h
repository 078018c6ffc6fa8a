/* Products of float32 matrices by vector instructions, on one thread.

   A block of sums, ROWS x COLUMNS, stays in registers while it goes along a stretch of the length.
   The right matrix is packed into panels of COLUMNS, of which one, LENGTH long, stays in the
   first-level cache; STRIP rows of the left one stay in the second-level cache. Each sum is added up
   in the same order whoever does it, so that bits don't depend on the number of threads.

   Source: K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008. */
#ifndef BERTSMITH_FLOAT_PRODUCTS_H
#define BERTSMITH_FLOAT_PRODUCTS_H

#include "common.h"

#if defined(__x86_64__) && defined(__FMA__) && defined(__AVX2__)
#define HAS_FLOAT_PRODUCTS
#include <immintrin.h>

#if defined(__AVX512F__)
#define LANES 16
#define ROWS 12
#else
#define LANES 8
#define ROWS 6
#endif
#define COLUMNS (2 * LANES)
#define LENGTH 256
#define STRIP (16 * ROWS)
#define WIDTH 2048 /* columns whose panels are packed at a time, a multiple of COLUMNS */

typedef float vector __attribute__((vector_size(4 * LANES), aligned(4)));

/* A matrix whose element (i, j) lies at from + i * row + j * column; one of the two is 1. */
typedef struct {
    const float *from;
    int64_t row, column;
} Matrix;

static inline int64_t at_most(int64_t number, int64_t limit) {
    return number < limit ? number : limit;
}

static inline Matrix part_of(Matrix matrix, int64_t i, int64_t j) {
    matrix.from += i * matrix.row + j * matrix.column;
    return matrix;
}

/* sums = start + left right for a block: of left [ROWS, length], with its steps, and a panel. */
FOR_ITS_KIND void sum_up(const float *left, int64_t row, int64_t column, const float *panel,
                         int64_t length, const float *start, int64_t start_stride, float *sums,
                         int64_t stride) {
    vector sum[ROWS][2];
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; i++) {
        sum[i][0] = sum[i][1] = (vector){0};
        /* They are read and written at the end, and lie in as many places. */
        __builtin_prefetch(sums + i * stride, 1);
        __builtin_prefetch(sums + i * stride + COLUMNS - 1, 1);
    }
    for (int64_t k = 0; k < length; k++, panel += COLUMNS) {
        vector first = *(const vector *)panel, second = *(const vector *)(panel + LANES);
#pragma GCC unroll 16
        for (int i = 0; i < ROWS; i++) {
            vector all = left[i * row + k * column] - (vector){0};
            sum[i][0] += all * first;
            sum[i][1] += all * second;
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; i++) {
        if (start != NULL) {
            sum[i][0] += *(const vector *)(start + i * start_stride);
            sum[i][1] += *(const vector *)(start + i * start_stride + LANES);
        }
        *(vector *)(sums + i * stride) = sum[i][0];
        *(vector *)(sums + i * stride + LANES) = sum[i][1];
    }
}

/* The same of rows as they lie, and of rows that are packed. */
static void sum_up_rows(const float *left, int64_t row, const float *panel, int64_t length,
                        const float *start, int64_t start_stride, float *sums, int64_t stride) {
    sum_up(left, row, 1, panel, length, start, start_stride, sums, stride);
}

static void sum_up_packed(const float *left, const float *panel, int64_t length,
                          const float *start, int64_t start_stride, float *sums, int64_t stride) {
    sum_up(left, 1, ROWS, panel, length, start, start_stride, sums, stride);
}

/* 8 x 8 numbers, rows `row` apart, into the lines of a panel. */
static inline void transpose(const float *from, int64_t row, float *to) {
    __m256 one[8], two[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) one[i] = _mm256_loadu_ps(from + i * row);
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        two[i] = _mm256_unpacklo_ps(one[i], one[i + 1]);
        two[i + 1] = _mm256_unpackhi_ps(one[i], one[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        one[i] = _mm256_shuffle_ps(two[i], two[i + 2], 0x44);
        one[i + 1] = _mm256_shuffle_ps(two[i], two[i + 2], 0xee);
        one[i + 2] = _mm256_shuffle_ps(two[i + 1], two[i + 3], 0x44);
        one[i + 3] = _mm256_shuffle_ps(two[i + 1], two[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(to + i * COLUMNS, _mm256_permute2f128_ps(one[i], one[i + 4], 0x20));
        _mm256_storeu_ps(to + (i + 4) * COLUMNS, _mm256_permute2f128_ps(one[i], one[i + 4], 0x31));
    }
}

/* Panels of COLUMNS of `right`, [length, columns], one after the other, zeros behind the last. */
static void pack_panels(Matrix right, int64_t length, int64_t columns, float *packed) {
    if (right.column == 1) {
        for (int64_t k = 0; k < length; k++)
            for (int64_t n = 0; n < columns; n += COLUMNS) {
                const float *from = right.from + k * right.row + n;
                float *to = packed + n * length + k * COLUMNS;
                int64_t some = at_most(COLUMNS, columns - n);
                if (some == COLUMNS)
                    memcpy(to, from, COLUMNS * sizeof(float));
                else
                    for (int64_t i = 0; i < COLUMNS; i++) to[i] = i < some ? from[i] : 0;
            }
        return;
    }
    for (int64_t n = 0; n < columns; n += COLUMNS) {
        const float *from = right.from + n * right.column;
        float *to = packed + n * length;
        int64_t some = at_most(COLUMNS, columns - n), whole = some / 8 * 8;
        for (int64_t k = 0; k < length / 8 * 8; k += 8)
            for (int64_t i = 0; i < whole; i += 8)
                transpose(from + i * right.column + k, right.column, to + k * COLUMNS + i);
        for (int64_t k = 0; k < length; k++)
            for (int64_t i = k < length / 8 * 8 ? whole : 0; i < COLUMNS; i++)
                to[k * COLUMNS + i] = i < some ? from[i * right.column + k] : 0;
    }
}

/* Blocks of ROWS of `left`, [rows, length], one after the other, zeros behind the last. Its numbers
   are read in the order in which they lie. */
static void pack_strip(Matrix left, int64_t rows, int64_t length, float *packed) {
    int64_t whole = rows / ROWS * ROWS;
    if (left.column == 1) {
        for (int64_t m = 0; m < rows; m++) {
            float *to = packed + m / ROWS * ROWS * length + m % ROWS;
            for (int64_t k = 0; k < length; k++) to[k * ROWS] = left.from[m * left.row + k];
        }
    } else {
        /* Some columns of each block at a time, or lines that are half written leave the cache. */
        for (int64_t first = 0; first < length; first += 16)
            for (int64_t m = 0; m < rows; m += ROWS)
                for (int64_t k = first; k < at_most(first + 16, length); k++) {
                    const float *from = left.from + k * left.column + m;
                    float *to = packed + m * length + k * ROWS;
                    if (m < whole)
                        memcpy(to, from, ROWS * sizeof(float));
                    else
                        for (int64_t i = 0; i < rows - whole; i++) to[i] = from[i];
                }
    }
    for (int64_t i = rows - whole; rows > whole && i < ROWS; i++)
        for (int64_t k = 0; k < length; k++) packed[whole * length + k * ROWS + i] = 0;
}

/* A block at the edge, of fewer rows or columns: by way of a whole one. */
static void sum_up_some(Matrix left, int64_t rows, const float *panel, int64_t columns,
                        int64_t length, const float *start, int64_t start_stride, float *sums,
                        int64_t stride) {
    float packed[ROWS * LENGTH], block[ROWS * COLUMNS];
    pack_strip(left, rows, length, packed);
    for (int64_t i = 0; i < ROWS; i++)
        for (int64_t j = 0; j < COLUMNS; j++)
            block[i * COLUMNS + j] =
                start != NULL && i < rows && j < columns ? start[i * start_stride + j] : 0;
    sum_up_packed(packed, panel, length, start == NULL ? NULL : block, COLUMNS, block, COLUMNS);
    for (int64_t i = 0; i < rows; i++)
        memcpy(sums + i * stride, block + i * COLUMNS, (size_t)columns * sizeof(float));
}

/* sums = start + left right of [rows, length] and [length, columns]. `start` is nothing, or a row for
   all rows (its stride is 0), or a matrix. panels holds ROOM_FOR(columns) numbers. */
#define ROOM_FOR(columns) (at_most((columns) + COLUMNS - 1, WIDTH) * LENGTH)

static void multiply(Matrix left, Matrix right, const float *start, int64_t start_stride,
                     float *sums, int64_t stride, int64_t rows, int64_t columns, int64_t length,
                     float *panels) {
    float strip[STRIP * LENGTH] __attribute__((aligned(64)));
    /* Rows that are 8 KB apart, or a multiple, push each other out of the caches. */
    int as_they_lie = left.column == 1 && left.row % 2048 != 0;
    for (int64_t n = 0; n < columns; n += WIDTH) {
        int64_t width = at_most(WIDTH, columns - n);
        for (int64_t k = 0; k < length; k += LENGTH) {
            int64_t along = at_most(LENGTH, length - k);
            pack_panels(part_of(right, k, n), along, width, panels);
            for (int64_t m = 0; m < rows; m += STRIP) {
                int64_t high = at_most(STRIP, rows - m);
                if (!as_they_lie) pack_strip(part_of(left, m, k), high, along, strip);
                for (int64_t j = 0; j < width; j += COLUMNS)
                    for (int64_t i = 0; i < high; i += ROWS) {
                        const float *panel = panels + j * along;
                        float *to = sums + (m + i) * stride + n + j;
                        const float *from = to; /* what the stretch before left there */
                        int64_t from_stride = stride;
                        if (k == 0) {
                            from = start == NULL ? NULL : start + (m + i) * start_stride + n + j;
                            from_stride = start_stride;
                        }
                        Matrix block = part_of(left, m + i, k);
                        if (high - i < ROWS || width - j < COLUMNS)
                            sum_up_some(block, at_most(ROWS, high - i), panel,
                                        at_most(COLUMNS, width - j), along, from, from_stride, to,
                                        stride);
                        else if (as_they_lie)
                            sum_up_rows(block.from, block.row, panel, along, from, from_stride, to,
                                        stride);
                        else
                            sum_up_packed(strip + i * along, panel, along, from, from_stride, to,
                                          stride);
                    }
            }
        }
    }
}

#endif
#endif
