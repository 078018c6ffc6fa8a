/* 16 float32 numbers at a time, 32 as bf16, on processors that have instructions for both. */
#ifndef BERTSMITH_VECTORS_H
#define BERTSMITH_VECTORS_H

#include "common.h"

#if defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512DQ__)
#define HAS_VECTORS
#include <immintrin.h>

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

/* 16 of 32 bf16 numbers as float32. */
static inline __m512 half_of(__m512i numbers, int is_second) {
    __m256i half = is_second ? _mm512_extracti64x4_epi64(numbers, 1)
                             : _mm512_castsi512_si256(numbers);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

static inline __m512i all_of(const bf16 *from) { return _mm512_loadu_si512(from); }

static inline void put(bf16 *to, __m512i numbers) { _mm512_storeu_si512(to, numbers); }

/* 32 float32 numbers as bf16. */
static inline __m512i joined(__m512 first, __m512 second) {
    return (__m512i)_mm512_cvtne2ps_pbh(second, first);
}

/* What is done to each of some vectors before the next is done to any: a processor looks some 100
   instructions ahead, in which a sum like that of `exponentials` is there thrice, so that it would
   wait for one result after the other. */
#define EACH(n) _Pragma("GCC unroll 8") for (int i = 0; i < (n); i++)

/* e^x to about 2e-7 of its value, for x up to 87; of what is below -87 that of -87. Of n vectors, up
   to 8. */
static inline __attribute__((always_inline)) void exponentials(__m512 *x, int n) {
    const __m512 lowest = _mm512_set1_ps(-87.0f), log2e = _mm512_set1_ps(1.44269504088896f);
    const __m512 high = _mm512_set1_ps(0.693359375f), low = _mm512_set1_ps(2.12194440e-4f);
    __m512 whole[8], power[8];
    EACH(n) x[i] = _mm512_max_ps(lowest, x[i]); /* of a NaN and a number the second: NaN stays */
    EACH(n) whole[i] = _mm512_mul_ps(x[i], log2e);
    EACH(n) whole[i] = _mm512_roundscale_ps(whole[i], 8);
    EACH(n) x[i] = _mm512_fnmadd_ps(whole[i], high, x[i]);
    EACH(n) x[i] = _mm512_fmadd_ps(whole[i], low, x[i]);
    EACH(n) power[i] =
        _mm512_fmadd_ps(_mm512_set1_ps(1.0f / 720), x[i], _mm512_set1_ps(1.0f / 120));
    EACH(n) power[i] = _mm512_fmadd_ps(power[i], x[i], _mm512_set1_ps(1.0f / 24));
    EACH(n) power[i] = _mm512_fmadd_ps(power[i], x[i], _mm512_set1_ps(1.0f / 6));
    EACH(n) power[i] = _mm512_fmadd_ps(power[i], x[i], _mm512_set1_ps(0.5f));
    EACH(n) power[i] = _mm512_fmadd_ps(power[i], x[i], _mm512_set1_ps(1.0f));
    EACH(n) power[i] = _mm512_fmadd_ps(power[i], x[i], _mm512_set1_ps(1.0f));
    EACH(n) x[i] = _mm512_scalef_ps(power[i], whole[i]);
}

/* What `kept` gives for vectors of values: which of them stay. `index`, which is overwritten, is
   0x9e3779b1 times theirs, and the seed. */
static inline __attribute__((always_inline)) void stay_each(__m512i *index, __mmask16 *stays,
                                                            Dropout dropout, int n) {
    EACH(n) index[i] = _mm512_xor_si512(index[i], _mm512_srli_epi32(index[i], 16));
    EACH(n) index[i] = _mm512_mullo_epi32(index[i], _mm512_set1_epi32(0x7feb352d));
    EACH(n) index[i] = _mm512_xor_si512(index[i], _mm512_srli_epi32(index[i], 15));
    EACH(n) index[i] = _mm512_mullo_epi32(index[i], _mm512_set1_epi32((int)0x846ca68bu));
    EACH(n) index[i] = _mm512_xor_si512(index[i], _mm512_srli_epi32(index[i], 16));
    EACH(n) stays[i] =
        _mm512_cmpge_epu32_mask(index[i], _mm512_set1_epi32((int)dropout.threshold));
}

/* The same of one vector. */
static inline __mmask16 stay(__m512i index, Dropout dropout) {
    __mmask16 stays;
    stay_each(&index, &stays, dropout, 1);
    return stays;
}

/* 0x9e3779b1 times the 16 numbers from `first` on, and the seed. */
static inline __m512i index_from(uint32_t first, Dropout dropout) {
    const __m512i steps =
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i numbers = _mm512_add_epi32(steps, _mm512_set1_epi32((int)first));
    return _mm512_add_epi32(_mm512_mullo_epi32(numbers, _mm512_set1_epi32((int)0x9e3779b1u)),
                            _mm512_set1_epi32((int)dropout.seed));
}

#endif
#endif
