/* The same as softmax.h by vectors.h, for rows whose width is a multiple of 32. */
#ifndef BERTSMITH_TILED_SOFTMAX_H
#define BERTSMITH_TILED_SOFTMAX_H

#include "tiles.h"
#include "vectors.h"

#ifdef HAS_TILES

#define NEXT_16 _mm512_set1_epi32((int)(16 * 0x9e3779b1u))

/* As `softmax_row`; `left` is written without dropout too. */
static inline void tiled_softmax_row(float *restrict scores, int64_t seen, int64_t width,
                                     bf16 *restrict probabilities, bf16 *restrict left,
                                     Dropout dropout, uint32_t first) {
    const __m512 lowest = _mm512_set1_ps(-INFINITY);
    __m512 highest = lowest, total = _mm512_setzero_ps();
    for (int64_t k = 0; k < seen; k += 16)
        highest = _mm512_max_ps(highest,
                                _mm512_mask_loadu_ps(lowest, seen_from(k, seen), scores + k));
    __m512 top = _mm512_set1_ps(_mm512_reduce_max_ps(highest));
    for (int64_t k = 0; k < seen; k += 16) {
        __m512 value = _mm512_sub_ps(_mm512_loadu_ps(scores + k), top);
        exponentials(&value, 1);
        value = _mm512_maskz_mov_ps(seen_from(k, seen), value);
        total = _mm512_add_ps(total, value);
        _mm512_storeu_ps(scores + k, value);
    }
    __m512 factor = _mm512_set1_ps(1.0f / _mm512_reduce_add_ps(total));
    __m512 scale = _mm512_set1_ps(dropout.scale);
    __m512i index = index_from(first, dropout);
    for (int64_t k = 0; k < width; k += EDGE) {
        __mmask16 low = seen_from(k, seen), high = seen_from(k + 16, seen);
        __m512 a = _mm512_mul_ps(_mm512_maskz_loadu_ps(low, scores + k), factor);
        __m512 b = _mm512_mul_ps(_mm512_maskz_loadu_ps(high, scores + k + 16), factor);
        if (!low) a = b = _mm512_setzero_ps();
        put(probabilities + k, joined(a, b));
        if (dropout.threshold != 0) {
            a = _mm512_maskz_mul_ps(stay(index, dropout), a, scale);
            index = _mm512_add_epi32(index, NEXT_16);
            b = _mm512_maskz_mul_ps(stay(index, dropout), b, scale);
            index = _mm512_add_epi32(index, NEXT_16);
        }
        put(left + k, joined(a, b));
    }
}

/* As `softmax_row_backward`; `left` gets what dropout left of the probabilities. */
static inline void tiled_softmax_row_backward(float *restrict above, int64_t seen, int64_t width,
                                              const bf16 *restrict probabilities,
                                              bf16 *restrict gradient, bf16 *restrict left,
                                              Dropout dropout, uint32_t first) {
    __m512 along = _mm512_setzero_ps(), scale = _mm512_set1_ps(dropout.scale);
    __m512i index = index_from(first, dropout);
    int64_t end = steps_of(seen) * EDGE;
    for (int64_t k = 0; k < end; k += EDGE) {
        __m512 p[2], kept[2];
        for (int i = 0; i < 2; i++) {
            p[i] = _mm512_maskz_mov_ps(seen_from(k + 16 * i, seen), widened(probabilities + k + 16 * i));
            kept[i] = p[i];
            __m512 slope = _mm512_loadu_ps(above + k + 16 * i);
            if (dropout.threshold != 0) {
                __mmask16 stays = stay(index, dropout);
                index = _mm512_add_epi32(index, NEXT_16);
                slope = _mm512_maskz_mul_ps(stays, slope, scale);
                kept[i] = _mm512_maskz_mul_ps(stays, p[i], scale);
                _mm512_storeu_ps(above + k + 16 * i, slope);
            }
            along = _mm512_fmadd_ps(slope, p[i], along);
        }
        put(left + k, joined(kept[0], kept[1]));
    }
    __m512 sum = _mm512_set1_ps(_mm512_reduce_add_ps(along));
    for (int64_t k = 0; k < end; k += EDGE) {
        __m512 g[2];
        for (int i = 0; i < 2; i++) {
            __m512 p = widened(probabilities + k + 16 * i);
            g[i] = _mm512_mul_ps(p, _mm512_sub_ps(_mm512_loadu_ps(above + k + 16 * i), sum));
            g[i] = _mm512_maskz_mov_ps(seen_from(k + 16 * i, seen), g[i]);
        }
        put(gradient + k, joined(g[0], g[1]));
    }
    size_t behind = sizeof(bf16) * (size_t)(width - end);
    memset(gradient + end, 0, behind);
    memset(left + end, 0, behind);
}

#undef NEXT_16
#endif
#endif
