/* AVX-512 with bf16 and the tiles of AMX, worked out in C: the kernels that need them can be tested, and
   looked at by sanitizers, on processors that have neither. Given to GCC by `-include`.

   Numbers come as a processor gives them, as far as kernels can tell: bf16 products take denormals for
   zeros, and two neighbours along the sum are added one after the other. Reciprocals are exact here, to
   14 bits there. With -DWITHOUT_AMX it is AVX512-BF16 alone, with -DREFUSES_AMX a system that lets nobody
   have the tiles. What is missing here is an error of the compiler's where a kernel begins to use it.
   Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2. */
#ifndef BERTSMITH_EMULATED_AMX_H
#define BERTSMITH_EMULATED_AMX_H

#define _GNU_SOURCE
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What kernels ask before they use these instructions. */
#ifndef __AVX512F__
#define __AVX512F__ 1
#endif
#define __AVX512BF16__ 1
#define __AVX512BW__ 1
#define __AVX512DQ__ 1
#define __AMX_BF16__ 1
/* Registers of 512 bits aren't there. */
#define STAYS_IN_REGISTER(lanes) (void)(lanes)
/* The only call of it asks for the tiles. */
#ifdef REFUSES_AMX
#define syscall(...) -1L
#else
#define syscall(...) 0L
#endif

#define EMULATED static __attribute__((noinline)) /* or GCC takes a minute */
#define PLACES(n) for (int i = 0; i < (n); i++)

typedef int32_t EmulatedInts __attribute__((vector_size(64)));
typedef uint32_t EmulatedWords __attribute__((vector_size(64)));
typedef uint64_t EmulatedLongs __attribute__((vector_size(64)));
typedef uint16_t EmulatedShorts __attribute__((vector_size(64)));
typedef float EmulatedFloats __attribute__((vector_size(64)));

/* One vector of a function of each of 16 places. */
#define FLOATS(...) \
    EmulatedFloats result; \
    PLACES(16) result[i] = (__VA_ARGS__); \
    return (__m512)result

#define WORDS(...) \
    EmulatedWords result; \
    PLACES(16) result[i] = (__VA_ARGS__); \
    return (__m512i)result

/* Floats. */
EMULATED __m512 emulated_set1_ps(float x) { FLOATS(x); }
EMULATED __m512 emulated_setzero_ps(void) { FLOATS(0.0f); }
EMULATED __m512 emulated_add_ps(__m512 a, __m512 b) { return a + b; }
EMULATED __m512 emulated_sub_ps(__m512 a, __m512 b) { return a - b; }
EMULATED __m512 emulated_mul_ps(__m512 a, __m512 b) { return a * b; }
EMULATED __m512 emulated_fmadd_ps(__m512 a, __m512 b, __m512 c) { FLOATS(fmaf(a[i], b[i], c[i])); }
EMULATED __m512 emulated_fnmadd_ps(__m512 a, __m512 b, __m512 c) { FLOATS(fmaf(-a[i], b[i], c[i])); }
EMULATED __m512 emulated_max_ps(__m512 a, __m512 b) { FLOATS(a[i] > b[i] ? a[i] : b[i]); }
EMULATED __m512 emulated_min_ps(__m512 a, __m512 b) { FLOATS(a[i] < b[i] ? a[i] : b[i]); }
EMULATED __m512 emulated_rcp14_ps(__m512 a) { FLOATS(1.0f / a[i]); }
EMULATED __m512 emulated_roundscale_ps(__m512 a, int how) {
    (void)how; /* 8: to the nearest whole number, which is what `rintf` does */
    FLOATS(rintf(a[i]));
}
EMULATED __m512 emulated_scalef_ps(__m512 a, __m512 b) { FLOATS(ldexpf(a[i], (int)floorf(b[i]))); }
EMULATED __m512 emulated_maskz_mov_ps(__mmask16 k, __m512 a) { FLOATS(k >> i & 1 ? a[i] : 0.0f); }
EMULATED __m512 emulated_maskz_mul_ps(__mmask16 k, __m512 a, __m512 b) {
    FLOATS(k >> i & 1 ? a[i] * b[i] : 0.0f);
}

/* Halves are added to each other down to one number, as GCC does it. */
EMULATED float emulated_reduce_add_ps(__m512 a) {
    float x[16];
    memcpy(x, &a, 64);
    for (int half = 8; half; half /= 2) PLACES(half) x[i] += x[i + half];
    return x[0];
}

EMULATED float emulated_reduce_max_ps(__m512 a) {
    float x[16];
    memcpy(x, &a, 64);
    for (int half = 8; half; half /= 2) PLACES(half) x[i] = x[i] > x[i + half] ? x[i] : x[i + half];
    return x[0];
}

/* Memory, read and written where the mask has a one alone. */
EMULATED __m512 emulated_loadu_ps(const void *from) {
    __m512 result;
    memcpy(&result, from, 64);
    return result;
}
EMULATED void emulated_storeu_ps(void *to, __m512 a) { memcpy(to, &a, 64); }
EMULATED __m512 emulated_load_ps(const void *from) {
    if ((uintptr_t)from % 64) __builtin_trap();
    return emulated_loadu_ps(from);
}
EMULATED void emulated_store_ps(void *to, __m512 a) {
    if ((uintptr_t)to % 64) __builtin_trap();
    emulated_storeu_ps(to, a);
}
EMULATED __m512i emulated_loadu_si512(const void *from) { return (__m512i)emulated_loadu_ps(from); }
EMULATED void emulated_storeu_si512(void *to, __m512i a) { memcpy(to, &a, 64); }
EMULATED __m512 emulated_mask_loadu_ps(__m512 other, __mmask16 k, const float *from) {
    FLOATS(k >> i & 1 ? from[i] : other[i]);
}
EMULATED __m512 emulated_maskz_loadu_ps(__mmask16 k, const float *from) {
    FLOATS(k >> i & 1 ? from[i] : 0.0f);
}
EMULATED void emulated_mask_storeu_ps(float *to, __mmask16 k, __m512 a) {
    PLACES(16) if (k >> i & 1) to[i] = a[i];
}
EMULATED __m512i emulated_maskz_loadu_epi16(__mmask32 k, const uint16_t *from) {
    EmulatedShorts result;
    PLACES(32) result[i] = k >> i & 1 ? from[i] : 0;
    return (__m512i)result;
}
EMULATED void emulated_mask_storeu_epi16(uint16_t *to, __mmask32 k, __m512i a) {
    EmulatedShorts numbers = (EmulatedShorts)a;
    PLACES(32) if (k >> i & 1) to[i] = numbers[i];
}

/* Whole numbers. */
EMULATED __m512i emulated_set1_epi32(int x) { WORDS((uint32_t)x); }
EMULATED __m512i emulated_setzero_si512(void) { WORDS(0); }
#define emulated_setr_epi32(...) ((__m512i)(EmulatedInts){__VA_ARGS__})
EMULATED __m512i emulated_add_epi32(__m512i a, __m512i b) {
    return (__m512i)((EmulatedWords)a + (EmulatedWords)b);
}
EMULATED __m512i emulated_mullo_epi32(__m512i a, __m512i b) {
    return (__m512i)((EmulatedWords)a * (EmulatedWords)b);
}
EMULATED __m512i emulated_xor_si512(__m512i a, __m512i b) { return a ^ b; }
EMULATED __m512i emulated_slli_epi32(__m512i a, int by) { return (__m512i)((EmulatedWords)a << by); }
EMULATED __m512i emulated_srli_epi32(__m512i a, int by) { return (__m512i)((EmulatedWords)a >> by); }
EMULATED __mmask16 emulated_cmpge_epu32_mask(__m512i a, __m512i b) {
    uint32_t mask = 0;
    PLACES(16) mask |= (uint32_t)(((EmulatedWords)a)[i] >= ((EmulatedWords)b)[i]) << i;
    return (__mmask16)mask;
}
EMULATED __m512i emulated_cvtepu16_epi32(__m256i a) {
    uint16_t x[16];
    memcpy(x, &a, 32);
    WORDS(x[i]);
}
EMULATED __m256i emulated_extracti64x4_epi64(__m512i a, int which) {
    __m256i result;
    memcpy(&result, (const char *)&a + 32 * which, 32);
    return result;
}
#define emulated_castsi512_si256(a) emulated_extracti64x4_epi64(a, 0)
#define emulated_castsi512_ps(a) ((__m512)(a))

/* Places: of two vectors, within each 128 bits, or whole 128 bits. */
EMULATED __m512i emulated_permutex2var_epi16(__m512i a, __m512i order, __m512i b) {
    EmulatedShorts result, from = (EmulatedShorts)order;
    PLACES(32) {
        uint16_t place = from[i];
        result[i] = (place & 32 ? (EmulatedShorts)b : (EmulatedShorts)a)[place & 31];
    }
    return (__m512i)result;
}
#define UNPACK(name, Vector, each, is_high) \
    EMULATED __m512i name(__m512i a, __m512i b) { \
        Vector result, first = (Vector)a, second = (Vector)b; \
        PLACES(64 / (int)sizeof(result[0])) { \
            int lane = i / (each) * (each), within = i % (each); \
            int place = lane + within / 2 + (is_high) * (each) / 2; \
            result[i] = within % 2 ? second[place] : first[place]; \
        } \
        return (__m512i)result; \
    }
UNPACK(emulated_unpacklo_epi32, EmulatedWords, 4, 0)
UNPACK(emulated_unpackhi_epi32, EmulatedWords, 4, 1)
UNPACK(emulated_unpacklo_epi64, EmulatedLongs, 2, 0)
UNPACK(emulated_unpackhi_epi64, EmulatedLongs, 2, 1)
EMULATED __m512i emulated_shuffle_i32x4(__m512i a, __m512i b, int which) {
    WORDS(((EmulatedWords)(i < 8 ? a : b))[(which >> i / 4 * 2 & 3) * 4 + i % 4]);
}

/* bf16. Denormals count as zeros. */
EMULATED uint32_t emulated_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
}
EMULATED uint32_t emulated_without_denormals(uint32_t bits) {
    return bits & 0x7f800000 ? bits : bits & 0x80000000;
}
EMULATED uint16_t emulated_bf16(float x) {
    uint32_t bits = emulated_without_denormals(emulated_bits(x));
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
EMULATED __m512i emulated_cvtne2ps_pbh(__m512 high, __m512 low) {
    EmulatedShorts result;
    PLACES(32) result[i] = emulated_bf16(i < 16 ? low[i] : high[i - 16]);
    return (__m512i)result;
}
/* A product of two bf16 numbers is exact, so that it may be rounded before it is added, or not. */
static inline EmulatedWords emulated_all_without_denormals(EmulatedWords bits) {
    return bits & ~((EmulatedWords)((bits & 0x7f800000) == 0) & 0x7fffffff);
}
static inline __m512 emulated_wide_halves(__m512i pairs, int is_second) {
    EmulatedWords bits = (EmulatedWords)pairs;
    return (__m512)emulated_all_without_denormals(is_second ? bits & 0xffff0000 : bits << 16);
}
EMULATED __m512 emulated_dpbf16_ps(__m512 sums, __m512bh left, __m512bh right) {
    __m512i one = (__m512i)left, other = (__m512i)right;
    for (int is_second = 1; is_second >= 0; is_second--) {
        sums += emulated_wide_halves(one, is_second) * emulated_wide_halves(other, is_second);
        sums = (__m512)emulated_all_without_denormals((EmulatedWords)sums);
    }
    return sums;
}

/* Tiles: those that a thread has taken and not released; to use others stops the process. */
typedef struct {
    int is_taken;
    uint32_t rows[8][16][16];
} EmulatedTiles;
static __thread EmulatedTiles emulated_tiles __attribute__((aligned(64)));

static void emulated_loadconfig(const void *shapes) {
    const uint8_t *bytes = shapes;
    if (bytes[0] != 1) __builtin_trap();
    for (int i = 0; i < 8; i++)
        if (bytes[16 + 2 * i] != 64 || bytes[17 + 2 * i] || bytes[48 + i] != 16) __builtin_trap();
    memset(&emulated_tiles, 0, sizeof emulated_tiles);
    emulated_tiles.is_taken = 1;
}
static void emulated_release(void) { emulated_tiles.is_taken = 0; }
static uint32_t (*emulated_tile(int which))[16] {
    if (!emulated_tiles.is_taken) __builtin_trap();
    return emulated_tiles.rows[which];
}
static void emulated_zero(int which) { memset(emulated_tile(which), 0, 1024); }
static void emulated_loadd(int which, const void *from, int64_t stride) {
    uint32_t(*tile)[16] = emulated_tile(which);
    PLACES(16) memcpy(tile[i], (const char *)from + i * stride, 64);
}
static void emulated_stored(int which, void *to, int64_t stride) {
    uint32_t(*tile)[16] = emulated_tile(which);
    PLACES(16) memcpy((char *)to + i * stride, tile[i], 64);
}
static void emulated_dpbf16ps(int sums, int left, int right) {
    uint32_t(*to)[16] = emulated_tile(sums), (*rows)[16] = emulated_tile(left);
    uint32_t(*pairs)[16] = emulated_tile(right);
    for (int row = 0; row < 16; row++) {
        __m512 total = emulated_loadu_ps(to[row]);
        for (int k = 0; k < 16; k++) {
            EmulatedWords left_pair = (EmulatedWords){0} + rows[row][k];
            total = emulated_dpbf16_ps(total, (__m512bh)left_pair,
                                       (__m512bh)emulated_loadu_si512(pairs[k]));
        }
        emulated_storeu_ps(to[row], total);
    }
}

/* The names by which kernels call these. */
#undef _mm512_add_epi32
#define _mm512_add_epi32 emulated_add_epi32
#undef _mm512_add_ps
#define _mm512_add_ps emulated_add_ps
#undef _mm512_castsi512_ps
#define _mm512_castsi512_ps emulated_castsi512_ps
#undef _mm512_castsi512_si256
#define _mm512_castsi512_si256 emulated_castsi512_si256
#undef _mm512_cmpge_epu32_mask
#define _mm512_cmpge_epu32_mask emulated_cmpge_epu32_mask
#undef _mm512_cvtepu16_epi32
#define _mm512_cvtepu16_epi32 emulated_cvtepu16_epi32
#undef _mm512_cvtne2ps_pbh
#define _mm512_cvtne2ps_pbh emulated_cvtne2ps_pbh
#undef _mm512_dpbf16_ps
#define _mm512_dpbf16_ps emulated_dpbf16_ps
#undef _mm512_extracti64x4_epi64
#define _mm512_extracti64x4_epi64 emulated_extracti64x4_epi64
#undef _mm512_fmadd_ps
#define _mm512_fmadd_ps emulated_fmadd_ps
#undef _mm512_fnmadd_ps
#define _mm512_fnmadd_ps emulated_fnmadd_ps
#undef _mm512_load_ps
#define _mm512_load_ps emulated_load_ps
#undef _mm512_loadu_ps
#define _mm512_loadu_ps emulated_loadu_ps
#undef _mm512_loadu_si512
#define _mm512_loadu_si512 emulated_loadu_si512
#undef _mm512_mask_loadu_ps
#define _mm512_mask_loadu_ps emulated_mask_loadu_ps
#undef _mm512_mask_storeu_epi16
#define _mm512_mask_storeu_epi16 emulated_mask_storeu_epi16
#undef _mm512_mask_storeu_ps
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps
#undef _mm512_maskz_loadu_epi16
#define _mm512_maskz_loadu_epi16 emulated_maskz_loadu_epi16
#undef _mm512_maskz_loadu_ps
#define _mm512_maskz_loadu_ps emulated_maskz_loadu_ps
#undef _mm512_maskz_mov_ps
#define _mm512_maskz_mov_ps emulated_maskz_mov_ps
#undef _mm512_maskz_mul_ps
#define _mm512_maskz_mul_ps emulated_maskz_mul_ps
#undef _mm512_max_ps
#define _mm512_max_ps emulated_max_ps
#undef _mm512_min_ps
#define _mm512_min_ps emulated_min_ps
#undef _mm512_mul_ps
#define _mm512_mul_ps emulated_mul_ps
#undef _mm512_mullo_epi32
#define _mm512_mullo_epi32 emulated_mullo_epi32
#undef _mm512_permutex2var_epi16
#define _mm512_permutex2var_epi16 emulated_permutex2var_epi16
#undef _mm512_rcp14_ps
#define _mm512_rcp14_ps emulated_rcp14_ps
#undef _mm512_reduce_add_ps
#define _mm512_reduce_add_ps emulated_reduce_add_ps
#undef _mm512_reduce_max_ps
#define _mm512_reduce_max_ps emulated_reduce_max_ps
#undef _mm512_roundscale_ps
#define _mm512_roundscale_ps emulated_roundscale_ps
#undef _mm512_scalef_ps
#define _mm512_scalef_ps emulated_scalef_ps
#undef _mm512_set1_epi32
#define _mm512_set1_epi32 emulated_set1_epi32
#undef _mm512_set1_ps
#define _mm512_set1_ps emulated_set1_ps
#undef _mm512_setr_epi32
#define _mm512_setr_epi32 emulated_setr_epi32
#undef _mm512_setzero_ps
#define _mm512_setzero_ps emulated_setzero_ps
#undef _mm512_setzero_si512
#define _mm512_setzero_si512 emulated_setzero_si512
#undef _mm512_shuffle_i32x4
#define _mm512_shuffle_i32x4 emulated_shuffle_i32x4
#undef _mm512_slli_epi32
#define _mm512_slli_epi32 emulated_slli_epi32
#undef _mm512_srli_epi32
#define _mm512_srli_epi32 emulated_srli_epi32
#undef _mm512_store_ps
#define _mm512_store_ps emulated_store_ps
#undef _mm512_storeu_ps
#define _mm512_storeu_ps emulated_storeu_ps
#undef _mm512_storeu_si512
#define _mm512_storeu_si512 emulated_storeu_si512
#undef _mm512_sub_ps
#define _mm512_sub_ps emulated_sub_ps
#undef _mm512_unpackhi_epi32
#define _mm512_unpackhi_epi32 emulated_unpackhi_epi32
#undef _mm512_unpackhi_epi64
#define _mm512_unpackhi_epi64 emulated_unpackhi_epi64
#undef _mm512_unpacklo_epi32
#define _mm512_unpacklo_epi32 emulated_unpacklo_epi32
#undef _mm512_unpacklo_epi64
#define _mm512_unpacklo_epi64 emulated_unpacklo_epi64
#undef _mm512_xor_si512
#define _mm512_xor_si512 emulated_xor_si512
#undef _tile_dpbf16ps
#define _tile_dpbf16ps emulated_dpbf16ps
#undef _tile_loadconfig
#define _tile_loadconfig emulated_loadconfig
#undef _tile_loadd
#define _tile_loadd emulated_loadd
#undef _tile_release
#define _tile_release emulated_release
#undef _tile_stored
#define _tile_stored emulated_stored
#undef _tile_zero
#define _tile_zero emulated_zero

#endif
