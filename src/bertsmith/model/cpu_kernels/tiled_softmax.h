/* The same as softmax.h, 32 values at a time, for rows whose width is a multiple of 32. */
#ifndef BERTSMITH_TILED_SOFTMAX_H
#define BERTSMITH_TILED_SOFTMAX_H

#include "tiles.h"

#ifdef HAS_TILES

/* Which of 16 values from `k` on are among the first `seen`. */
static inline __mmask16 seen_from(int64_t k, int64_t seen) {
    int64_t some = seen - k;
    return some >= 16 ? 0xffff : some <= 0 ? 0 : (__mmask16)((1u << some) - 1);
}

/* 16 bf16 numbers as float32. */
static inline __m512 widened(const bf16 *from) {
    __m512i bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
}

/* 32 float32 numbers as bf16. */
static inline __m512i joined(__m512 first, __m512 second) {
    return (__m512i)_mm512_cvtne2ps_pbh(second, first);
}

/* e^x to about 2e-7 of its value, for x up to 0; of what is below -87 that of -87. */
static inline __m512 exponentials(__m512 x) {
    x = _mm512_max_ps(_mm512_set1_ps(-87.0f), x); /* of a NaN and a number the second: NaN stays */
    __m512 whole = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504088896f)), 8);
    __m512 part = _mm512_fnmadd_ps(whole, _mm512_set1_ps(0.693359375f), x);
    part = _mm512_fmadd_ps(whole, _mm512_set1_ps(2.12194440e-4f), part);
    __m512 power = _mm512_set1_ps(1.0f / 720);
    power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(1.0f / 120));
    power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(1.0f / 24));
    power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(1.0f / 6));
    power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(0.5f));
    power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(1.0f));
    power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(power, whole);
}

/* What `kept` gives for 16 values: which of them stay. `index` is 0x9e3779b1 times theirs, and the
   seed. */
static inline __mmask16 stay(__m512i index, Dropout dropout) {
    __m512i x = _mm512_xor_si512(index, _mm512_srli_epi32(index, 16));
    x = _mm512_mullo_epi32(x, _mm512_set1_epi32(0x7feb352d));
    x = _mm512_xor_si512(x, _mm512_srli_epi32(x, 15));
    x = _mm512_mullo_epi32(x, _mm512_set1_epi32((int)0x846ca68bu));
    x = _mm512_xor_si512(x, _mm512_srli_epi32(x, 16));
    return _mm512_cmpge_epu32_mask(x, _mm512_set1_epi32((int)dropout.threshold));
}

/* 0x9e3779b1 times the 16 numbers from `first` on, and the seed. */
static inline __m512i index_from(uint32_t first, Dropout dropout) {
    const __m512i steps =
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i numbers = _mm512_add_epi32(steps, _mm512_set1_epi32((int)first));
    return _mm512_add_epi32(_mm512_mullo_epi32(numbers, _mm512_set1_epi32((int)0x9e3779b1u)),
                            _mm512_set1_epi32((int)dropout.seed));
}

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
        __m512 value = exponentials(_mm512_sub_ps(_mm512_loadu_ps(scores + k), top));
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

/* As `softmax_row_backward`; `left` is written in any case. */
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
