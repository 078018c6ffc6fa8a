/* What all kernels share: numbers as bf16 or float32, an exponential, and dropout by hashing. */
#ifndef BERTSMITH_COMMON_H
#define BERTSMITH_COMMON_H

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t bf16;

/* What dropout needs: a value is dropped where its hash is below the threshold, of 2^32. */
typedef struct {
    uint32_t seed;
    uint32_t threshold;
    float scale;
} Dropout;

static inline float wide(bf16 value) {
    uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, 4);
    return result;
}

/* To the nearest bf16, ties to even. Of NaN, that whose last 16 bits are zeros stays one: it is what
   processors make, and what bf16 numbers and `quiet` in running.py give. Asking each value for it
   costs attention 8 %. */
static inline bf16 narrow(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return (bf16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/* What stands between products takes both kinds of numbers: float32 where `is_wide`, else bf16. A
   function that is given a constant for that is compiled for the one kind. */
#define FOR_ITS_KIND static inline __attribute__((always_inline))

/* A call of a function for the kind of numbers, its last argument. */
#define CALL_FOR(is_wide, function, ...) \
    do { \
        if (is_wide) \
            function(__VA_ARGS__, 1); \
        else \
            function(__VA_ARGS__, 0); \
    } while (0)

FOR_ITS_KIND float number_at(const void *numbers, int64_t i, int is_wide) {
    return is_wide ? ((const float *)numbers)[i] : wide(((const bf16 *)numbers)[i]);
}

FOR_ITS_KIND void put_number(void *numbers, int64_t i, float value, int is_wide) {
    if (is_wide)
        ((float *)numbers)[i] = value;
    else
        ((bf16 *)numbers)[i] = narrow(value);
}

/* How many bytes so many numbers have. */
FOR_ITS_KIND int64_t bytes_of(int64_t numbers, int is_wide) {
    return numbers * (is_wide ? (int64_t)sizeof(float) : (int64_t)sizeof(bf16));
}

/* The numbers from the i-th on. */
#define NUMBERS_FROM(numbers, i, is_wide) ((void *)((char *)(numbers) + bytes_of(i, is_wide)))

/* e^x to about 1e-7 of its value from -87 to 87, beyond that as there; NaN where x is. Its inverse is
   no denormal number: with those a processor takes four times as long. */
static inline float exponential(float x) {
    x = x < -87.0f ? -87.0f : x;
    x = x > 87.0f ? 87.0f : x;
    float scaled = x * 1.44269504088896f;
    float whole = rintf(scaled);
    float part = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    float power = 1.0f / 5040;
    power = power * part + 1.0f / 720;
    power = power * part + 1.0f / 120;
    power = power * part + 1.0f / 24;
    power = power * part + 1.0f / 6;
    power = power * part + 0.5f;
    power = power * part + 1.0f;
    power = power * part + 1.0f;
    uint32_t bits = (uint32_t)((int32_t)whole + 127) << 23;
    float factor;
    memcpy(&factor, &bits, 4);
    return power * factor;
}

/* A bijection of 32 bits in which every input bit moves about half of the output bits.
   Source: C. Wellons, "Prospecting for hash functions", lowbias32. */
static inline uint32_t mix(uint32_t x) {
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    x ^= x >> 16;
    return x;
}

/* What the value at an index is multiplied by: 0 or the scale. */
static inline float kept(Dropout dropout, uint32_t index) {
    return mix(index * 0x9e3779b1u + dropout.seed) >= dropout.threshold ? dropout.scale : 0.0f;
}

#endif
