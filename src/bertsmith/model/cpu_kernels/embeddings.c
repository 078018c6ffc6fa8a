/* The embeddings of tokens: LayerNorm(word + segment + position), then dropout; see embeddings.py. */
#include "common.h"

/* A token's rows in three tables, and what becomes of their sum. */
typedef struct {
    const int64_t *words, *segments, *positions; /* [T] each */
    const float *of_words, *of_segments, *of_positions, *weight;
    int64_t T, D;
    Dropout dropout;
} Tokens;

/* Whether ids are rows of a table. */
int64_t are_rows(int64_t ids, int64_t number, int64_t rows) {
    int64_t outside = 0;
#pragma omp simd reduction(| : outside)
    for (int64_t i = 0; i < number; i++)
        outside |= (uint64_t)((const int64_t *)ids)[i] >= (uint64_t)rows;
    return !outside;
}

static inline void sum_rows(const Tokens *tokens, int64_t t, float *restrict sums) {
    int64_t D = tokens->D;
    const float *word = tokens->of_words + tokens->words[t] * D;
    const float *segment = tokens->of_segments + tokens->segments[t] * D;
    const float *position = tokens->of_positions + tokens->positions[t] * D;
#pragma omp simd
    for (int64_t c = 0; c < D; c++) sums[c] = (word[c] + segment[c]) + position[c];
}

/* Tables may hold any NaN, which `narrow` could make a number of. */
FOR_ITS_KIND void put_quietly(void *numbers, int64_t i, float value, int is_wide) {
    put_number(numbers, i, value == value ? value : NAN, is_wide);
}

FOR_ITS_KIND void embed_row(const Tokens *tokens, const float *restrict bias, void *output,
                            float *mean, float *factor, int64_t t, float eps, int is_wide) {
    int64_t D = tokens->D;
    const float *restrict weight = tokens->weight;
    uint32_t first = (uint32_t)(t * D);
    float sums[D], total = 0, squares = 0;
    sum_rows(tokens, t, sums);
#pragma omp simd reduction(+ : total)
    for (int64_t c = 0; c < D; c++) total += sums[c];
    float middle = total / (float)D;
#pragma omp simd reduction(+ : squares)
    for (int64_t c = 0; c < D; c++) squares += (sums[c] - middle) * (sums[c] - middle);
    float scale = 1.0f / sqrtf(squares / (float)D + eps);
    *mean = middle;
    *factor = scale;
#pragma omp simd
    for (int64_t c = 0; c < D; c++) {
        float value = (sums[c] - middle) * scale * weight[c] + bias[c];
        put_quietly(output, c, value * kept(tokens->dropout, first + (uint32_t)c), is_wide);
    }
}

/* The gradient of the sum of a token's rows; the weight's and the bias's get their parts. */
FOR_ITS_KIND void embed_row_backward(const Tokens *tokens, const void *above, float mean,
                                     float factor, float *restrict gradient,
                                     float *restrict weight_sum, float *restrict bias_sum,
                                     int64_t t, int is_wide) {
    int64_t D = tokens->D;
    const float *restrict weight = tokens->weight;
    uint32_t first = (uint32_t)(t * D);
    float normed[D], along = 0, total = 0;
    sum_rows(tokens, t, normed);
#pragma omp simd reduction(+ : along, total)
    for (int64_t c = 0; c < D; c++) {
        float upper = number_at(above, c, is_wide) * kept(tokens->dropout, first + (uint32_t)c);
        normed[c] = (normed[c] - mean) * factor;
        weight_sum[c] += upper * normed[c];
        bias_sum[c] += upper;
        gradient[c] = upper * weight[c];
        along += gradient[c] * normed[c];
        total += gradient[c];
    }
    along /= (float)D;
    total /= (float)D;
#pragma omp simd
    for (int64_t c = 0; c < D; c++)
        gradient[c] = (gradient[c] - total - normed[c] * along) * factor;
}

/* Embedded tokens, [T, D], and `more` rows of zeros behind them; ids are rows of their tables. */
void embed_forward(const int64_t *words, const int64_t *segments, const int64_t *positions,
                   const float *of_words, const float *of_segments, const float *of_positions,
                   const float *weight, const float *bias, void *output, float *means,
                   float *factors, int64_t T, int64_t D, int64_t more, float eps, int64_t seed,
                   int64_t threshold, float scale, int64_t is_wide, int64_t threads) {
    Tokens tokens = {words, segments, positions, of_words, of_segments, of_positions, weight, T, D,
                     {(uint32_t)seed, (uint32_t)threshold, scale}};
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t t = 0; t < T; t++) {
        void *to = NUMBERS_FROM(output, t * D, is_wide);
        CALL_FOR(is_wide, embed_row, &tokens, bias, to, means + t, factors + t, t, eps);
    }
    memset(NUMBERS_FROM(output, T * D, is_wide), 0, (size_t)bytes_of(more * D, is_wide));
}

/* Adds the gradients where `above`, [T, D], is that of the embedded tokens to those of the tables and
   to `vector_sums`, zeros, [threads, 2, D]: each thread's part of the weight's and the bias's.

   Each thread has some of the rows first, whose gradients, float32 [T, D], it leaves in `scratch`;
   then some of the columns, so that none meets another in a table. */
void embed_backward(const void *above, const int64_t *words, const int64_t *segments,
                    const int64_t *positions, const float *of_words, const float *of_segments,
                    const float *of_positions, const float *weight, const float *means,
                    const float *factors, float *word_gradient, float *segment_gradient,
                    float *position_gradient, float *vector_sums, float *scratch, int64_t T,
                    int64_t D, int64_t seed, int64_t threshold, float scale, int64_t is_wide,
                    int64_t threads) {
    Tokens tokens = {words, segments, positions, of_words, of_segments, of_positions, weight, T, D,
                     {(uint32_t)seed, (uint32_t)threshold, scale}};
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t part = 0; part < threads; part++)
        for (int64_t t = T * part / threads; t < T * (part + 1) / threads; t++)
            CALL_FOR(is_wide, embed_row_backward, &tokens, NUMBERS_FROM(above, t * D, is_wide),
                     means[t], factors[t], scratch + t * D, vector_sums + 2 * part * D,
                     vector_sums + (2 * part + 1) * D, t);
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t part = 0; part < threads; part++) {
        int64_t from = D * part / threads, end = D * (part + 1) / threads;
        for (int64_t t = 0; t < T; t++) {
            const float *restrict gradient = scratch + t * D;
            float *restrict word = word_gradient + words[t] * D;
            float *restrict segment = segment_gradient + segments[t] * D;
            float *restrict position = position_gradient + positions[t] * D;
#pragma omp simd
            for (int64_t c = from; c < end; c++) {
                word[c] += gradient[c];
                segment[c] += gradient[c];
                position[c] += gradient[c];
            }
        }
    }
}
