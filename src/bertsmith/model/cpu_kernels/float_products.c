/* Products of float32 matrices, shared by threads; see float_products.py. */
#include "few_rows.h"
#include "kernels.h"

#ifdef HAS_FLOAT_PRODUCTS
/* Whether these products are faster here than those of the library that PyTorch has, Intel's. */
int64_t has_float_products(void) {
    __builtin_cpu_init();
    return !__builtin_cpu_is("intel");
}

/* Into how many parts rows are cut, of so many parts in all that share a product: where what the
   parts read together is least. */
static int64_t parts_of_rows(int64_t rows, int64_t columns, int64_t parts) {
    int64_t best = parts, least = INT64_MAX;
    for (int64_t some = 1; some <= parts; some++) {
        int64_t read = rows / some + columns / (parts / some);
        if (parts % some == 0 && read < least) {
            best = some;
            least = read;
        }
    }
    return best;
}

/* Where a part of some blocks begins, in numbers. */
static inline int64_t begin_of(int64_t part, int64_t parts, int64_t numbers, int64_t block) {
    return at_most((numbers + block - 1) / block * part / parts * block, numbers);
}

/* How many numbers each thread packs at a time, for so many columns in all. */
int64_t float_product_room(int64_t columns) { return ROOM_FOR(columns); }

/* sums = start + left right, [rows, columns], each row in one piece; the matrices' numbers are
   left_row and left_column apart, and so on. start is NULL, or [columns], or [rows, columns] with
   start_stride numbers from row to row, 0 for a row. packed holds float_product_room(columns) numbers
   for each thread. Few rows of a linear layer's values are added up in another order than many. */
void float_product(const float *left, int64_t left_row, int64_t left_column, const float *right,
                   int64_t right_row, int64_t right_column, const float *start,
                   int64_t start_stride, float *sums, int64_t stride, int64_t rows,
                   int64_t columns, int64_t length, float *packed, int64_t threads) {
    int along = rows <= FEW_ROWS && left_column == 1 && right_row == 1;
    int64_t high = parts_of_rows(rows, columns, threads), wide = threads / high;
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t part = 0; part < threads; part++) {
        int64_t m = begin_of(part / wide, high, rows, ROWS);
        int64_t m_end = begin_of(part / wide + 1, high, rows, ROWS);
        int64_t n = begin_of(part % wide, wide, columns, COLUMNS);
        int64_t n_end = begin_of(part % wide + 1, wide, columns, COLUMNS);
        Matrix upper = part_of((Matrix){left, left_row, left_column}, m, 0);
        Matrix lower = part_of((Matrix){right, right_row, right_column}, 0, n);
        const float *first = start == NULL ? NULL : start + m * start_stride + n;
        float *to = sums + m * stride + n;
        if (along)
            multiply_few(upper, lower, first, start_stride, to, stride, m_end - m, n_end - n,
                         length);
        else
            multiply(upper, lower, first, start_stride, to, stride, m_end - m, n_end - n, length,
                     packed + part * float_product_room(columns));
    }
}
#else
int64_t has_float_products(void) { return 0; }
int64_t float_product_room(int64_t columns) { return 0; }
#endif
