/* Dropout by hashing each value's place; the gradient's is the same. */
#include "common.h"

#define TOGETHER 4096 /* values that a thread takes at a time */

FOR_ITS_KIND void drop(const void *from, void *to, int64_t first, int64_t last, Dropout dropout,
                       int is_wide) {
#pragma omp simd
    for (int64_t i = first; i < last; i++)
        put_number(to, i, number_at(from, i, is_wide) * kept(dropout, (uint32_t)i), is_wide);
}

void dropout_values(const void *values, void *output, int64_t number, int64_t seed,
                    int64_t threshold, float scale, int64_t is_wide, int64_t threads) {
    Dropout dropout = {(uint32_t)seed, (uint32_t)threshold, scale};
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t first = 0; first < number; first += TOGETHER) {
        int64_t last = first + TOGETHER < number ? first + TOGETHER : number;
        CALL_FOR(is_wide, drop, values, output, first, last, dropout);
    }
}
