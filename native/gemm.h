// Panel GEMM: C[m, n] = A[m, k] B[k, n], with B cut into panels a few vectors wide that lie contiguously in memory.
//
// A tile of C stays in registers while k runs; A is read number by number through one pointer per row, so its rows may
// lie anywhere (rows of a ragged batch, or columns of a transposed matrix) and it is never packed or transposed.
#pragma once
#include "math.h"

namespace saiki::SAIKI_ISA {

// Registers bound a tile: rows * vectors accumulators + vectors of B + one broadcast number.
#if SAIKI_VECTOR_BYTES == 64 || defined(__aarch64__)
constexpr int max_vectors = 4;
template <int NV> constexpr int tile_rows = NV == 4 ? 6 : 8;
#else
constexpr int max_vectors = 3;
template <int NV> constexpr int tile_rows = NV == 3 ? 4 : 6;  // 4 rows rather than 6: rows a multiple of 1 KiB apart share cache ways
#endif
constexpr int max_tile_rows = 8;

// C[MR, NV vectors] = start (one row, or zero) + sum over k of A[i][k * step] * B[k].
template <class T, int MR, int NV>
void multiply(const T* const* a, long step, const T* __restrict b, long depth, const T* start, T* __restrict c, long ldc) {
  constexpr long L = lanes_of<T>;
  Vec<T> sum[MR][NV];
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    const Vec<T> s = start ? load(start + j * L) : Vec<T>{};
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i) sum[i][j] = s;
  }
  const T* row[MR];
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i) row[i] = a[i];
  long at = 0;
  for (long k = 0; k < depth; ++k, at += step, b += NV * L) {
    Vec<T> line[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) line[j] = load(b + j * L);
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i) {
      const Vec<T> number = row[i][at] - Vec<T>{};  // not + : 0 + x is an addition, because -0 must become 0
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) sum[i][j] += number * line[j];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) store(c + i * ldc + j * L, sum[i][j]);
}

// The same for one or two rows and P neighbouring panels: more sums at once, because each waits for its last addition.
template <class T, int MR, int NV, int P>
void multiply_few(const T* const* a, long step, const T* __restrict b, long depth, const T* start, T* __restrict c, long ldc) {
  constexpr long L = lanes_of<T>;
  Vec<T> sum[P][MR][NV];
#pragma GCC unroll 16
  for (int j = 0; j < P * NV; ++j)
#pragma GCC unroll 2
    for (int i = 0; i < MR; ++i) sum[j / NV][i][j % NV] = start ? load(start + j * L) : Vec<T>{};
  const T *first = a[0], *second = a[MR - 1];
  const long panel = NV * L * depth;
  long at = 0;
  for (long k = 0; k < depth; ++k, at += step, b += NV * L) {
    const Vec<T> number[2] = {first[at] - Vec<T>{}, second[at] - Vec<T>{}};
#pragma GCC unroll 16
    for (int j = 0; j < P * NV; ++j) {
      const Vec<T> line = load(b + j / NV * panel + j % NV * L);
#pragma GCC unroll 2
      for (int i = 0; i < MR; ++i) sum[j / NV][i][j % NV] += number[i] * line;
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < P * NV; ++j)
#pragma GCC unroll 2
    for (int i = 0; i < MR; ++i) store(c + i * ldc + j * L, sum[j / NV][i][j % NV]);
}

constexpr int few_rows = 2;                                                 // at most
constexpr long panels_at_once(long rows) { return rows == 1 ? 4 : rows == few_rows ? 2 : 1; }

template <class T> using Multiply = void (*)(const T* const*, long, const T*, long, const T*, T*, long);

template <class T> SAIKI_INLINE Multiply<T> multiply_for(int rows, int vectors) {
#define SAIKI_ROW(NV) \
  {multiply<T, 1, NV>, multiply<T, 2, NV>, multiply<T, 3, NV>, multiply<T, 4, NV>, multiply<T, 5, NV>, multiply<T, 6, NV>, multiply<T, 7, NV>, multiply<T, 8, NV>}
  static constexpr Multiply<T> table[4][max_tile_rows] = {SAIKI_ROW(1), SAIKI_ROW(2), SAIKI_ROW(3), SAIKI_ROW(4)};
#undef SAIKI_ROW
  return table[vectors - 1][rows - 1];
}

template <class T> SAIKI_INLINE Multiply<T> few_for(int rows, int vectors) {
  if (vectors == 3) return rows == 1 ? multiply_few<T, 1, 3, panels_at_once(1)> : multiply_few<T, 2, 3, panels_at_once(2)>;
  return rows == 1 ? multiply_few<T, 1, 4, panels_at_once(1)> : multiply_few<T, 2, 4, panels_at_once(2)>;
}

// B in panels. Every panel but the last is `vectors` wide; panel p begins at p * vectors * lanes * depth.
template <class T> struct Panels {
  T* data;
  T* start;       // one row of C's first values (the biases), or null
  long depth;     // k
  long total;     // vectors in a row of C
  int vectors;    // vectors in a panel
  long count() const { return (total + vectors - 1) / vectors; }
  int wide(long p) const { return int(total - p * vectors < vectors ? total - p * vectors : vectors); }
  T* panel(long p) const { return data + p * vectors * lanes_of<T> * depth; }
  const T* begin(long p) const { return start ? start + p * vectors * lanes_of<T> : nullptr; }
  static long size(long depth, long total) { return depth * total * lanes_of<T>; }
  int tile() const { return vectors == 4 ? tile_rows<4> : vectors == 3 ? tile_rows<3> : tile_rows<2>; }
};

// C[rows, panel p] for any number of rows, tiles as even as they can be.
template <class T> SAIKI_INLINE void multiply_rows(const Panels<T>& b, long p, const T* const* a, long step, long rows, T* c, long ldc) {
  const long tiles = (rows + b.tile() - 1) / b.tile();
  for (long i = 0, begin = 0; i < tiles; ++i) {
    const long end = rows * (i + 1) / tiles;
    multiply_for<T>(int(end - begin), b.wide(p))(a + begin, step, b.panel(p), b.depth, b.begin(p), c + begin * ldc, ldc);
    begin = end;
  }
}

// C[rows, panels first .. past - 1] for a tile of rows.
template <class T> SAIKI_INLINE void multiply_tile(const Panels<T>& b, long first, long past, const T* const* a, int rows, T* c, long ldc) {
  const long whole = b.total / b.vectors, width = b.vectors * lanes_of<T>;
  if (past > b.count()) past = b.count();
  for (long p = first; p < past;) {
    const bool several = rows <= few_rows && b.vectors >= 3 && p + panels_at_once(rows) <= (past < whole ? past : whole);
    Multiply<T> run = several ? few_for<T>(rows, b.vectors) : multiply_for<T>(rows, b.wide(p));
    run(a, 1, b.panel(p), b.depth, b.begin(p), c, ldc);
    const long done = several ? panels_at_once(rows) : 1;
    p += done, c += done * width;
  }
}

// Share `lane` of `lanes` of n things: first and past-the-last.
struct Share {
  long begin, end;
  Share(long from, long to) : begin(from), end(to) {}
  Share(long n, int lane, int lanes) : begin(n * lane / lanes), end(n * (lane + 1) / lanes) {}
};

// Column vector j of panels made from weights [gates * width, depth] (row-major): gate j % gates of unit vector
// j / gates, so that all gates of a unit come out of neighbouring registers.
template <class T> void pack_gates(const Panels<T>& to, const T* weight, const T* bias, int gates, long width, Share panels) {
  constexpr long L = lanes_of<T>;
  T block[L][L];
  for (long p = panels.begin; p < panels.end; ++p) {
    const long stride = to.wide(p) * L;
    for (int j = 0; j < to.wide(p); ++j) {
      const long column = p * to.vectors + j, gate = column % gates, unit = column / gates * L;
      const long units = width - unit < L ? width - unit : L;
      const T* from = weight + (gate * width + unit) * to.depth;
      for (long k = 0; k < to.depth; k += L) {
        const long deep = to.depth - k < L ? to.depth - k : L;
        for (long u = 0; u < L; ++u) {
          const Vec<T> v = u < units ? load(from + u * to.depth + k, deep) : Vec<T>{};
          std::memcpy(block[u], &v, sizeof v);
        }
        T* out = to.panel(p) + k * stride + j * L;
        for (long d = 0; d < deep; ++d)
          for (long u = 0; u < L; ++u) out[d * stride + u] = block[u][d];
      }
      if (to.start)
        for (long u = 0; u < L; ++u) to.start[column * L + u] = bias && u < units ? bias[gate * width + unit + u] : T(0);
    }
  }
}

// Panels whose line k is row(k), `width` numbers long; a null row is a line of zeros.
template <class T, class Row> void pack_rows(const Panels<T>& to, Row row, long width, Share panels) {
  constexpr long L = lanes_of<T>;
  for (long p = panels.begin; p < panels.end; ++p) {
    const int wide = to.wide(p);
    T* out = to.panel(p);
    const long first = p * to.vectors * L;
    for (long k = 0; k < to.depth; ++k, out += wide * L) {
      const T* from = row(k);
      for (int j = 0; j < wide; ++j) store(out + j * L, from ? load(from + first + j * L, width - first - j * L) : Vec<T>{});
    }
  }
}

}  // namespace saiki::SAIKI_ISA
