/* Products of a few rows of float32 and a linear layer's weights, on one thread.

   Rows and weights lie along what is summed over, so that both are read as they are: laying weights
   out for `multiply` takes as long as multiplying 64 rows. A block of TALL rows and BROAD weights has
   its sums in registers, a lane for every LANES-th number, which are added up at the end. */
#ifndef BERTSMITH_FEW_ROWS_H
#define BERTSMITH_FEW_ROWS_H

#include "float_products.h"

#ifdef HAS_FLOAT_PRODUCTS

#define TALL 4
#define BROAD 3
#define FEW_ROWS 128 /* with more of them `multiply` is as fast */

static inline float total_of(vector lanes) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps((__m512)lanes);
#else
    __m128 sums = _mm_add_ps(_mm256_castps256_ps128((__m256)lanes),
                             _mm256_extractf128_ps((__m256)lanes, 1));
    sums = _mm_add_ps(sums, _mm_movehl_ps(sums, sums));
    return _mm_cvtss_f32(_mm_add_ss(sums, _mm_movehdup_ps(sums)));
#endif
}

/* GCC would load a vector anew for each use, and those loads take as long as twice the products. */
#ifndef STAYS_IN_REGISTER
#define STAYS_IN_REGISTER(lanes) __asm__("" : "+x"(lanes))
#endif

static inline vector loaded(const float *from) {
    vector lanes = *(const vector *)from;
    STAYS_IN_REGISTER(lanes);
    return lanes;
}

/* sums = start + left rightᵀ of [tall, length] and [broad, length]. */
FOR_ITS_KIND void sum_along(const float *left, int64_t left_row, const float *right,
                            int64_t right_row, int64_t length, const float *start,
                            int64_t start_stride, float *sums, int64_t stride, const int tall,
                            const int broad) {
    vector lanes[TALL][BROAD];
    int64_t whole = length / LANES * LANES;
#pragma GCC unroll 4
    for (int i = 0; i < tall; i++)
#pragma GCC unroll 4
        for (int j = 0; j < broad; j++) lanes[i][j] = (vector){0};
    for (int64_t k = 0; k < whole; k += LANES) {
        vector factors[BROAD];
#pragma GCC unroll 4
        for (int j = 0; j < broad; j++) factors[j] = loaded(right + j * right_row + k);
#pragma GCC unroll 4
        for (int i = 0; i < tall; i++) {
            vector row = loaded(left + i * left_row + k);
#pragma GCC unroll 4
            for (int j = 0; j < broad; j++) lanes[i][j] += row * factors[j];
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < tall; i++)
#pragma GCC unroll 4
        for (int j = 0; j < broad; j++) {
            float total = total_of(lanes[i][j]);
            for (int64_t k = whole; k < length; k++)
                total += left[i * left_row + k] * right[j * right_row + k];
            sums[i * stride + j] = total + (start == NULL ? 0 : start[i * start_stride + j]);
        }
}

/* As `multiply`, of `left` whose columns and `right` whose rows are 1 apart. */
static void multiply_few(Matrix left, Matrix right, const float *start, int64_t start_stride,
                         float *sums, int64_t stride, int64_t rows, int64_t columns,
                         int64_t length) {
    int64_t whole = columns / BROAD * BROAD;
    for (int64_t n = 0; n < columns; n += n < whole ? BROAD : 1)
        for (int64_t m = 0; m < rows; m += TALL) {
            const float *from = left.from + m * left.row, *with = right.from + n * right.column;
            const float *first = start == NULL ? NULL : start + m * start_stride + n;
            float *to = sums + m * stride + n;
#define SUM_ALONG(tall, broad) \
    sum_along(from, left.row, with, right.column, length, first, start_stride, to, stride, tall, \
              broad)
#define SUM_TALL(tall) \
    do { \
        if (n < whole) \
            SUM_ALONG(tall, BROAD); \
        else \
            SUM_ALONG(tall, 1); \
    } while (0)
            switch (at_most(TALL, rows - m)) {
            case 1: SUM_TALL(1); break;
            case 2: SUM_TALL(2); break;
            case 3: SUM_TALL(3); break;
            default: SUM_TALL(TALL);
            }
        }
}

#endif
#endif
